// From one file to another without loss where their grids agree, and one checkpoint in two formats with the same
// weights.
#include "detent/deploy/inspect.h"
#include "detent/io/gguf.h"
#include "detent/io/safetensors.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

const std::string kDown = "model.layers.0.mlp.down_proj.weight";

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

// As trained with quant.skip: [down_proj].
ShippedModel model_with_plain_down(const QuantSpec& grid, Storage storage, const DecoderConfig& config) {
  ShippedModel model = tiny_model(grid, storage, config);
  std::mt19937 random(7);
  const at::Tensor latent = random_tensor(shape_of(kDown, config), random);
  model.tensors[kDown] = {.value = stored_value(latent, storage)};
  model.record.layers.erase(kDown);
  return model;
}

// Type and dtype of down_proj in the two kinds of files.
void check_down(const fs::path& path, const ShippedModel& model, const std::string& type) {
  EXPECT_TRUE(verify_file(path, model).equal()) << to_text(verify_file(path, model));
  expect_same_tensors(load_model_any(path), model);
  if (!fs::is_directory(path)) {
    EXPECT_EQ(io::GgufReader(path).tensor("blk.0.ffn_down.weight").type->name, type);
    return;
  }
  EXPECT_EQ(io::dtype_name(io::SafetensorsReader(path / "model.safetensors").at(kDown).dtype), type);
  const auto config = nlohmann::json::parse(read_raw(path / "config.json")).at("quantization_config");
  EXPECT_THAT(config.at("ignore"), testing::Contains("model.layers.0.mlp.down_proj"));
}

// Through files in turn, each written from the one before.
void check_plain_chain(Storage storage, const std::string& type, const std::vector<std::string>& chain) {
  SCOPED_TRACE(type + " from " + chain[0]);
  const TemporaryFolder folder;
  const ShippedModel model = model_with_plain_down(int4(), storage, tiny_config());
  export_to(model, chain[0], folder / "0");
  check_down(folder / "0", model, type);
  for (size_t i = 1; i < chain.size(); ++i) {
    export_to(load_model_any(folder / std::to_string(i - 1)), chain[i], folder / std::to_string(i));
    check_down(folder / std::to_string(i), model, type);
  }
  EXPECT_THAT(inspect_path(folder / "0").lossless_targets, testing::IsSupersetOf({"gguf:q4_0", "compressed-tensors"}));
}

TEST(Repack, AProjectionThatIsStoredPlainStaysPlain) {
  for (const auto& [storage, type] :
       {std::pair(Storage::kF32, "F32"), std::pair(Storage::kF16, "F16"), std::pair(Storage::kBf16, "BF16")}) {
    check_plain_chain(storage, type, {"gguf:q4_0", "compressed-tensors", "gguf:q4_0"});
    check_plain_chain(storage, type, {"compressed-tensors", "gguf:q4_0", "compressed-tensors"});
  }
}

// Q8_0 is a grid as well: GGUF keeps it, compressed-tensors has integers for it.
TEST(Repack, AProjectionLeftInQ8_0StaysBesideTighterOnes) {
  const TemporaryFolder folder;
  const QuantSpec ternary = spec("ternary", 2, "256", ScaleRule::kMean);
  const ShippedModel model = model_with_plain_down(ternary, Storage::kQ8_0, wide_config());
  export_to(model, "gguf:tq2_0", folder / "a");
  export_to(load_model_any(folder / "a"), "gguf:tq1_0", folder / "b");
  check_down(folder / "b", model, "Q8_0");
  EXPECT_EQ(io::GgufReader(folder / "b").tensor("blk.0.ffn_up.weight").type->name, "TQ1_0");
  export_to(load_model_any(folder / "b"), "compressed-tensors", folder / "c");
  EXPECT_TRUE(verify_file(folder / "c", model).equal());
  EXPECT_TRUE(
      io::SafetensorsReader(folder / "c" / "model.safetensors").find("model.layers.0.mlp.down_proj.weight_packed"));
}

// A file that packs nothing says nothing of its grids: there they are found in the values.
TEST(Repack, PlainValuesOnAGridArePacked) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(int4());
  export_to(model, "gguf:f32", folder / "a");
  export_to(load_model_any(folder / "a"), "gguf:q4_0", folder / "b");
  EXPECT_EQ(io::GgufReader(folder / "b").tensor("blk.0.ffn_down.weight").type->name, "Q4_0");
  EXPECT_TRUE(verify_file(folder / "b", model).equal());
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
