// Targets that write plain values, not codes.
#include "detent/format/half_fit.h"
#include "detent/format/target_rules.h"

namespace detent {

namespace {

class DenseRules : public TargetRules {
 public:
  using TargetRules::TargetRules;
  // A half-rotated weight is right only against a rotated input, which no file can ask for.
  std::optional<std::string> refusal(const QuantSpec& spec, int64_t) const override {
    if (spec.rotation != Rotation::kHadamardHalf) return std::nullopt;
    return "rotation hadamard_half leaves the weight rotated, which needs its input rotated at run time";
  }
  std::optional<QuantSpec> nearest(const QuantSpec& spec, int64_t) const override {
    QuantSpec near = spec;
    if (near.rotation == Rotation::kHadamardHalf) near.rotation = Rotation::kHadamard;
    return near;
  }
};

class HalfRules : public DenseRules {
 public:
  using DenseRules::DenseRules;
  std::optional<std::string> refusal(const QuantSpec& spec, int64_t columns) const override {
    const auto refused = DenseRules::refusal(spec, columns);
    return refused ? refused : half_refusal(spec);
  }
  std::optional<QuantSpec> nearest(const QuantSpec& spec, int64_t) const override { return nearest_half_spec(spec); }
};

}  // namespace

void add_dense_rules(std::vector<std::unique_ptr<const TargetRules>>& table) {
  table.push_back(std::make_unique<HalfRules>("gguf:f16", "GGUF; not packed, weights as F16"));
  table.push_back(std::make_unique<DenseRules>("gguf:f32", "GGUF; not packed, weights as F32"));
  table.push_back(std::make_unique<DenseRules>("safetensors:dequantized",
                                               "Hugging Face folder; plain F32 weights that any program opens"));
}

}  // namespace detent
