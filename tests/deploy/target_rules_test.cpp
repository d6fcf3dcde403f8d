#include "detent/format/block_fit.h"

#include <set>

#include "detent/format/half_fit.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

using testing::HasSubstr;

const LevelBlock& block(const char* name) { return *find_level_block(name); }

TEST(BlockFit, FactorOfEveryPair) {
  struct Case {
    const char *block, *kind;
    int bits;
    std::optional<float> factor;
  };
  const std::vector<Case> cases = {
      {"Q4_0", "int", 4, 1},        {"Q4_0", "int", 3, 1},        {"Q4_0", "int", 2, 1},
      {"Q4_0", "int", 5, {}},       {"Q4_0", "ternary", 2, 1},    {"Q4_0", "binary", 1, 1},
      {"Q4_0", "midrise", 2, 0.5f}, {"Q4_0", "midrise", 3, 0.5f}, {"Q4_0", "midrise", 4, {}},
      {"Q4_0", "int_high", 3, 1},   {"Q4_0", "int_high", 4, {}},  {"Q2_0", "int_high", 2, 1},
      {"Q2_0", "ternary", 2, 1},    {"Q2_0", "binary", 1, 1},     {"Q2_0", "int", 2, {}},
      {"Q2_0", "midrise", 1, 0.5f}, {"Q2_0", "midrise", 2, {}},   {"Q8_0", "int", 8, 1},
      {"Q8_0", "midrise", 7, 0.5f}, {"Q8_0", "midrise", 8, {}},   {"Q5_0", "int", 5, 1},
      {"Q5_0", "midrise", 4, 0.5f}, {"Q5_0", "midrise", 5, {}},   {"Q5_0", "int", 6, {}},
      {"Q1_0", "binary", 1, 1},     {"Q1_0", "midrise", 1, 0.5f}, {"Q1_0", "ternary", 2, {}},
      {"TQ1_0", "ternary", 2, 1},   {"TQ2_0", "ternary", 2, 1},   {"TQ2_0", "binary", 1, 1},
      {"TQ2_0", "int_high", 2, {}}, {"TQ1_0", "int", 2, {}},      {"MXFP4", "e2m1", 4, 0.5f},
      {"MXFP4", "int", 3, 1},       {"MXFP4", "int", 4, {}},      {"MXFP4", "midrise", 2, 0.5f},
      {"Q5_0", "e2m1", 4, 0.5f},    {"Q4_0", "e2m1", 4, {}}};
  for (const Case& c : cases)
    EXPECT_EQ(block_factor(block(c.block), make_grid(c.kind, c.bits)), c.factor) << c.block << " " << c.kind << c.bits;
}

TEST(BlockFit, RefusalsSayWhy) {
  const auto why = [](const char* name, const QuantSpec& asked, int64_t columns = 64) {
    return block_refusal(block(name), asked, columns).value_or("accepted");
  };
  const auto absmax = ScaleRule::kAbsmax;
  EXPECT_EQ(why("Q4_0", int4()), "accepted");
  EXPECT_THAT(why("Q1_0", spec("ternary", 2, "128", absmax), 128), HasSubstr("the block has -1 and 1"));
  EXPECT_THAT(why("Q2_0", spec("int", 2, "64", absmax)), HasSubstr("every zero weight into -0"));
  EXPECT_THAT(why("Q4_0", spec("midrise", 4, "32", ScaleRule::kRms)), HasSubstr("levels from -7.5 to 7.5"));
  EXPECT_THAT(why("Q4_0", spec("int", 4, "16", absmax)), HasSubstr("32 weights share a scale in a block, 16"));
  EXPECT_THAT(why("Q2_0", spec("ternary", 2, "96", absmax), 192), HasSubstr("64 weights share a scale"));
  EXPECT_THAT(why("Q4_0", spec("int", 4, "row", absmax), 48), HasSubstr("rows of 48 weights are not whole blocks"));
  EXPECT_THAT(why("Q4_0", spec("int", 4, "32", absmax, ScaleFormat::kFp32)), HasSubstr("scale_format fp32"));
  EXPECT_THAT(why("Q4_0", spec("int", 4, "32", absmax, ScaleFormat::kFp16, Rotation::kHadamard)),
              HasSubstr("rotation hadamard"));
}

TEST(BlockFit, TheNearestSpecIsAcceptedAndChangesNothingThatFits) {
  for (const LevelBlock& type : level_blocks())
    for (const Grid& grid : every_grid())
      for (const char* group : {"16", "32", "64", "row", "tensor"})
        for (const ScaleFormat format :
             {ScaleFormat::kFp32, ScaleFormat::kFp16, ScaleFormat::kFp16Bf16, ScaleFormat::kE8M0})
          for (const Rotation rotation : {Rotation::kNone, Rotation::kHadamard, Rotation::kHadamardHalf}) {
            const ScaleRule rule = format == ScaleFormat::kE8M0 ? ScaleRule::kAbsmaxFull : any_rule(grid);
            const QuantSpec asked{grid, parse_granularity(group), rule, format, rotation};
            if (spec_problem(asked)) continue;
            const auto near = nearest_block_spec(type, asked, 256);
            ASSERT_TRUE(near) << asked.name();
            EXPECT_NO_THROW(check_spec(*near)) << asked.name();
            EXPECT_FALSE(block_refusal(type, *near, 256)) << type.name << ": " << near->name();
            if (!block_refusal(type, asked, 256)) {
              EXPECT_EQ(*near, asked);
            }
          }
  EXPECT_FALSE(nearest_block_spec(block("Q4_0"), int4(), 48));
}

TEST(BlockFit, NearestKeepsTheNumberOfLevels) {
  const auto near = [](const char* name, const char* kind, int bits) {
    return nearest_block_spec(block(name), spec(kind, bits, "64", any_rule(make_grid(kind, bits))), 64)->grid.name();
  };
  EXPECT_EQ(near("Q2_0", "int", 2), "int_high2");
  EXPECT_EQ(near("Q4_0", "midrise", 4), "int4");
  EXPECT_EQ(near("Q4_0", "int", 8), "int4");
  EXPECT_EQ(near("Q4_0", "int_high", 4), "int4");
  EXPECT_EQ(near("Q5_0", "midrise", 5), "int5");
  EXPECT_EQ(nearest_block_spec(block("MXFP4"), int4(), 64)->name(), "e2m1 absmax_full 32 e8m0");
}

TEST(DenseTarget, HalfCountsSignificantBits) {
  const auto fits = [](const char* kind, int bits, ScaleFormat format) {
    return !half_refusal(spec(kind, bits, "32", any_rule(make_grid(kind, bits)), format));
  };
  EXPECT_TRUE(fits("int", 4, ScaleFormat::kFp16Bf16));
  EXPECT_FALSE(fits("int", 5, ScaleFormat::kFp16Bf16));
  EXPECT_FALSE(fits("int", 4, ScaleFormat::kFp16));
  EXPECT_TRUE(fits("int", 2, ScaleFormat::kFp16));  // -2 -1 0 1
  EXPECT_TRUE(fits("ternary", 2, ScaleFormat::kFp16));
  EXPECT_TRUE(fits("binary", 1, ScaleFormat::kFp16));
  EXPECT_TRUE(fits("midrise", 3, ScaleFormat::kFp16Bf16));
  EXPECT_FALSE(fits("midrise", 2, ScaleFormat::kFp16));  // 1.5
  EXPECT_FALSE(fits("binary", 1, ScaleFormat::kFp32));
  for (const Grid& grid : every_grid())
    EXPECT_FALSE(half_refusal(nearest_half_spec({grid, {}, any_rule(grid)}))) << grid.name();
}

TEST(Targets, HalfRotationIsRefusedEverywhere) {
  const QuantSpec half = spec("midrise", 4, "row", ScaleRule::kRms, ScaleFormat::kFp16, Rotation::kHadamardHalf);
  for (const auto& target : export_targets()) {
    EXPECT_TRUE(target->rules().refusal(half, 256)) << target->name();
    EXPECT_FALSE(target->rules().refusal(*target->rules().nearest(half, 256), 256)) << target->name();
  }
}

TEST(Targets, NamesAreUniqueAndNearOnesAreSuggested) {
  std::set<std::string> names;
  for (const auto& target : export_targets()) EXPECT_TRUE(names.insert(target->name()).second);
  EXPECT_THAT(error_of([] { find_export_target("gguf:q4"); }), HasSubstr("did you mean 'gguf:q4_0'"));
  EXPECT_THAT(error_of([] { find_export_target("xy"); }), HasSubstr("known: gguf:q4_0"));
}

TEST(Targets, PreferredSpecsAreAccepted) {
  for (const auto& target : export_targets())
    if (const auto wanted = target->rules().preferred()) {
      EXPECT_NO_THROW(check_spec(*wanted));
      EXPECT_FALSE(target->rules().refusal(*wanted, 256)) << target->name();
    }
}

}  // namespace
}  // namespace detent::test
