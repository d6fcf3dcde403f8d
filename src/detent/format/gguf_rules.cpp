// Targets whose weights are packed in blocks of ggml's.
#include <algorithm>
#include <cctype>

#include "detent/base/error.h"
#include "detent/format/block_fit.h"
#include "detent/format/k_fit.h"
#include "detent/format/target_rules.h"

namespace detent {

namespace {

std::string target_name(std::string block) {
  std::transform(block.begin(), block.end(), block.begin(), [](unsigned char c) { return std::tolower(c); });
  return "gguf:" + block;
}

std::string summary_of(const LevelBlock& block) {
  return fmt::format("GGUF; {} weights share {}, levels are {}; {} bits a weight", block.elements,
                     block.scale_format == ScaleFormat::kE8M0 ? "a power of two" : "an fp16 scale",
                     block_levels_text(block), 8.0 * block.bytes / block.elements);
}

std::string summary_of(const KBlock& block) {
  return fmt::format("GGUF; {} weights share a part of an fp16 scale that {} share, levels are {}; {} bits a weight",
                     block.group, block.elements, block_levels_text(block), 8.0 * block.bytes / block.elements);
}

int64_t group_of(const LevelBlock& block) { return block.elements; }
int64_t group_of(const KBlock& block) { return block.group; }

// LevelBlock or KBlock: what they hold is in block_fit.h and k_fit.h.
template <class Block>
class BlockRules : public TargetRules {
 public:
  BlockRules(const Block& block, Grid grid, ScaleRule rule)
      : TargetRules(target_name(block.name), summary_of(block)),
        block_(block),
        preferred_{grid, {GranularityKind::kGroup, group_of(block)}, rule, block.scale_format} {}
  std::optional<std::string> refusal(const QuantSpec& spec, int64_t columns) const override {
    return block_refusal(block_, spec, columns);
  }
  std::optional<QuantSpec> nearest(const QuantSpec& spec, int64_t columns) const override {
    return nearest_block_spec(block_, spec, columns);
  }
  std::optional<QuantSpec> preferred() const override { return preferred_; }
  std::string unquantized() const override { return "f16"; }

 private:
  const Block& block_;
  QuantSpec preferred_;
};

struct Row {
  const char *block, *grid;
  int bits;
  ScaleRule rule;
};
constexpr Row kRows[] = {
    {"Q4_0", "int", 4, ScaleRule::kAbsmaxSigned},   {"Q5_0", "int", 5, ScaleRule::kAbsmaxSigned},
    {"Q8_0", "int", 8, ScaleRule::kAbsmax},         {"Q2_0", "int_high", 2, ScaleRule::kAbsmaxSigned},
    {"Q1_0", "binary", 1, ScaleRule::kMean},        {"TQ1_0", "ternary", 2, ScaleRule::kMean},
    {"TQ2_0", "ternary", 2, ScaleRule::kMean},      {"MXFP4", "e2m1", 4, ScaleRule::kAbsmaxFull},
    {"Q2_K", "midrise", 2, ScaleRule::kAbsmaxFull}, {"Q3_K", "int", 3, ScaleRule::kAbsmaxSigned},
    {"Q4_K", "int", 4, ScaleRule::kAbsmax}};

template <class Block>
std::unique_ptr<const TargetRules> rules_of(const Block& block, const Row& row) {
  return std::make_unique<BlockRules<Block>>(block, make_grid(row.grid, row.bits), row.rule);
}
}  // namespace

void add_gguf_rules(std::vector<std::unique_ptr<const TargetRules>>& table) {
  for (const Row& row : kRows) {
    const LevelBlock* block = find_level_block(row.block);
    const KBlock* k_block = block ? nullptr : find_k_block(row.block);
    if (!block && !k_block)
      fail("[target] the table of GGUF targets names {}, which is no block that can be packed", row.block);
    table.push_back(block ? rules_of(*block, row) : rules_of(*k_block, row));
  }
}

}  // namespace detent
