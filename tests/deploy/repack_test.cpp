// From one file to another without loss where their grids agree, and one checkpoint in two formats with the same
// weights.
#include "detent/io/gguf.h"
#include "detent/io/safetensors.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

// Through every target in turn, each written from the file before it.
void check_chain(const ShippedModel& model, const std::vector<std::string>& targets) {
  const TemporaryFolder folder;
  export_to(model, targets[0], folder / "0");
  for (size_t i = 1; i < targets.size(); ++i) {
    SCOPED_TRACE(targets[i - 1] + " to " + targets[i]);
    export_to(load_model_any(folder / std::to_string(i - 1)), targets[i], folder / std::to_string(i));
    const VerifyReport report = verify_file(folder / std::to_string(i), model);
    EXPECT_TRUE(report.equal()) << to_text(report);
  }
}

TEST(Repack, FourBitsInGroupsOf32) {
  for (const ScaleRule rule : {ScaleRule::kAbsmax, ScaleRule::kAbsmaxSigned, ScaleRule::kLearned})
    for (const ScaleFormat format : {ScaleFormat::kFp16, ScaleFormat::kFp16Bf16})
      check_chain(tiny_model(spec("int", 4, "32", rule, format)),
                  {"compressed-tensors", "gguf:q4_0", "compressed-tensors", "gguf:q4_0"});
}

TEST(Repack, TernaryInThreeLayouts) {
  for (const char* group : {"256", "row"})
    check_chain(
        tiny_model(spec("ternary", 2, group, ScaleRule::kMean), Storage::kF16, wide_config()),
        {"gguf:tq2_0", "gguf:q2_0", "gguf:tq1_0", "gguf:q2_0", "gguf:tq2_0", "compressed-tensors", "gguf:tq1_0"});
}

// Table and head keep the type they have in the file, and what a type cannot hold is wider.
TEST(Repack, WhatIsNotOnAGridKeepsItsType) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(spec("int", 4, "32", ScaleRule::kAbsmax), Storage::kF16);
  model.tensors["model.norm.weight"].value.add_(0x1p-20f);
  export_to(model, "gguf:q4_0", folder / "a");
  export_to(load_model_any(folder / "a"), "compressed-tensors", folder / "b");
  EXPECT_TRUE(verify_file(folder / "b", model).equal());
  const io::SafetensorsReader file(folder / "b" / "model.safetensors");
  EXPECT_EQ(file.at("lm_head.weight").dtype, io::Dtype::kF16);
  EXPECT_EQ(file.at("model.norm.weight").dtype, io::Dtype::kF32);
  export_to(load_model_any(folder / "b"), "gguf:q4_0", folder / "c");
  EXPECT_EQ(io::GgufReader(folder / "c").tensor("token_embd.weight").type->name, "F16");
}

TEST(Repack, WhatDoesNotFitIsRefused) {
  const TemporaryFolder folder;
  export_to(tiny_model(spec("int", 4, "32", ScaleRule::kAbsmax)), "gguf:q4_0", folder / "a");
  EXPECT_THAT(error_of([&] { export_to(load_model_any(folder / "a"), "gguf:q2_0", folder / "b"); }),
              testing::HasSubstr("does not lie on a grid that Q2_0 holds"));
}

// Scales that are fp16 and bf16 at once are what both files keep.
TEST(Repack, OneCheckpointInTwoFormatsHasTheSameWeights) {
  const TemporaryFolder folder;
  const ShippedModel model =
      tiny_model(spec("int", 4, "32", ScaleRule::kAbsmaxSigned, ScaleFormat::kFp16Bf16), Storage::kF16);
  export_to(model, "gguf:q4_0", folder / "x.gguf");
  export_to(model, "compressed-tensors", folder / "packed");
  const ShippedModel gguf = load_model_any(folder / "x.gguf"), packed = load_model_any(folder / "packed");
  expect_same_tensors(gguf, packed);
  expect_same_tensors(gguf, model);
  EXPECT_EQ(verify_file(folder / "x.gguf", model).sha256, verify_file(folder / "packed", model).sha256);
  const io::SafetensorsReader file(folder / "packed" / "model.safetensors");
  EXPECT_EQ(file.at("model.layers.0.mlp.up_proj.weight_scale").dtype, io::Dtype::kBF16);
}

}  // namespace
}  // namespace detent::test
