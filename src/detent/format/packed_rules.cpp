// compressed-tensors: a Hugging Face folder whose weights are packed integers.
#include "detent/base/error.h"
#include "detent/format/packed_ints.h"
#include "detent/format/target_rules.h"

namespace detent {

namespace {

class PackedRules : public TargetRules {
 public:
  PackedRules()
      : TargetRules(
            "compressed-tensors",
            "Hugging Face folder for vLLM and transformers; integers of 2 to 8 bits, any scale, a tensor, row or group "
            "each, or e2m1 with powers of two for 32 (mxfp4); inputs as they are or in integers with a scale a token") {
  }
  std::optional<std::string> refusal(const QuantSpec& spec, int64_t) const override {
    if (spec.rotation != Rotation::kNone)
      return fmt::format("rotation {} is not written: the format's transforms are not handled",
                         rotation_name(spec.rotation));
    if (!packed_fit(spec.grid, false))
      return fmt::format("{} has levels that integers of 8 bits lack", spec.grid.name());
    return std::nullopt;
  }
  std::optional<QuantSpec> nearest(const QuantSpec& spec, int64_t) const override {
    QuantSpec near = spec;
    near.rotation = Rotation::kNone;
    while (!packed_fit(near.grid, false)) --near.grid.bits;
    return near;
  }
  bool keeps_inputs() const override { return true; }
  // The runtime finds the scale of a token as max|x| / ((2^b-1)/2), in float32.
  std::optional<std::string> input_refusal(const QuantSpec& spec) const override {
    const bool same = spec.grid.kind == GridKind::kInt && spec.granularity.kind == GranularityKind::kRow &&
                      spec.scale_rule == ScaleRule::kAbsmaxFull && spec.scale_format == ScaleFormat::kFp32 &&
                      spec.rotation == Rotation::kNone;
    if (same) return std::nullopt;
    return fmt::format(
        "the programs that load it quantize inputs as {{grid: int, scale: absmax_full, group: token}}; the nearest "
        "accepted is: int{} absmax_full row",
        spec.grid.bits < 2 ? 2 : spec.grid.bits);
  }
  std::optional<QuantSpec> preferred() const override {
    return QuantSpec{make_grid("int", 4), parse_granularity("128"), ScaleRule::kAbsmax, ScaleFormat::kFp16Bf16};
  }
};

}  // namespace

void add_packed_rules(std::vector<std::unique_ptr<const TargetRules>>& table) {
  table.push_back(std::make_unique<PackedRules>());
}

}  // namespace detent
