#include "detent/deploy/verify.h"

#include "detent/deploy/inspect.h"
#include "detent/import/model_path.h"
#include "detent/io/gguf.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/quant/tensor_file.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Flips the lowest bit of one byte inside a tensor of a GGUF file.
void flip_bit(const fs::path& path, const std::string& tensor, size_t byte) {
  std::string content = read_raw(path);
  const io::GgufReader file(path);
  const size_t offset = content.find(std::string(io::as_text(file.tensor(tensor).bytes)));
  ASSERT_NE(offset, content.npos);
  content[offset + byte] ^= 1;
  write_raw(path, content);
}

TEST(Verify, OneFlippedNibbleIsNamed) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(int4());
  export_to(model, "gguf:q4_0", folder / "x.gguf");
  flip_bit(folder / "x.gguf", "blk.0.attn_k.weight", 18 * 5 + 7);
  const VerifyReport report = verify_file(folder / "x.gguf", model);
  EXPECT_FALSE(report.equal());
  for (const VerifyRow& row : report.tensors)
    EXPECT_EQ(row.differing, row.name == "model.layers.0.self_attn.k_proj.weight" ? 1 : 0) << row.name;
  EXPECT_THAT(to_text(report), HasSubstr("differs: model.layers.0.self_attn.k_proj.weight (Q4_0): 1 elements"));
}

TEST(Verify, SignsOfZeroCount) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(std::nullopt);
  export_to(model, "gguf:f32", folder / "x.gguf");
  EXPECT_TRUE(verify_file(folder / "x.gguf", model).equal());
  at::Tensor& weight = model.tensors["model.layers.0.mlp.up_proj.weight"].value;
  weight[0].slice(0, 0, 32).neg_();  // a group of zeros
  EXPECT_EQ(verify_file(folder / "x.gguf", model).equal(), false);
}

TEST(Verify, JsonIsTheContract) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(int4());
  export_to(model, "gguf:q4_0", folder / "x.gguf");
  const auto json = to_json(verify_file(folder / "x.gguf", model));
  EXPECT_EQ(json["equal"], true);
  EXPECT_EQ(json["tensors"].size(), model.tensors.size());
  EXPECT_EQ(json["tensors"][0],
            (nlohmann::json{{"name", "lm_head.weight"}, {"type", "F32"}, {"equal", true}, {"differing", 0}}));
  EXPECT_EQ(json["sha256"].get<std::string>().size(), 64u);
}

TEST(Verify, TheChecksumIsTheSameInEveryFormat) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(int4());
  std::set<std::string> sums;
  for (const char* target : {"gguf:q4_0", "gguf:q8_0", "gguf:f32", "safetensors:dequantized"}) {
    fs::remove_all(folder / "x");
    export_to(model, target, folder / "x");
    sums.insert(verify_file(folder / "x", model).sha256);
  }
  EXPECT_EQ(sums.size(), 1u);
}

TEST(Verify, MissingUnexpectedAndMisshapenTensors) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(std::nullopt);
  export_to(model, "safetensors:dequantized", folder / "x");
  TensorMap tensors = read_float_tensors(folder / "x");
  tensors.erase("model.norm.weight");
  tensors["extra.weight"] = at::ones({3});
  tensors["lm_head.weight"] = tensors["lm_head.weight"].slice(0, 0, 100);
  write_float_tensors(folder / "x" / "model.safetensors", tensors);
  const VerifyReport report = verify_file(folder / "x", model);
  EXPECT_FALSE(report.equal());
  EXPECT_THAT(report.missing, ElementsAre("model.norm.weight"));
  EXPECT_THAT(report.unexpected, ElementsAre("extra.weight"));
  for (const VerifyRow& row : report.tensors) {
    EXPECT_EQ(row.name == "lm_head.weight", row.differing == 257 * 64) << row.name;
    EXPECT_EQ(row.name == "model.norm.weight", row.type == "missing") << row.name;
  }
}

TEST(Verify, AnotherConfigIsAnotherModel) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(int4());
  export_to(model, "gguf:q4_0", folder / "x.gguf");
  model.config["rope_theta"] = 10000.0;
  model.config.erase("rope_parameters");
  const VerifyReport report = verify_file(folder / "x.gguf", model);
  EXPECT_FALSE(report.equal());
  EXPECT_THAT(report.config_differences, testing::Contains("rope_theta: file 500000.0, model 10000.0"));
}

// A checkpoint as training leaves it: latent weights and what to do with them.
void write_checkpoint(const fs::path& folder, const QuantSpec& grid) {
  const ShippedModel plain = tiny_model(std::nullopt), record = tiny_model(grid, Storage::kF16);
  fs::create_directories(folder);
  TensorMap latent;
  for (const auto& [name, tensor] : plain.tensors) latent[name] = tensor.value;
  write_float_tensors(folder / "model.safetensors", latent);
  write_raw(folder / "config.json", plain.config.dump());
  write_raw(folder / "quantization.json", to_json(record.record).dump());
  byte_tokenizer()->save(folder.string());
}

TEST(Load, ARunGivesItsNewestCheckpoint) {
  const TemporaryFolder folder;
  const fs::path run = folder / "run";
  write_checkpoint(run / "checkpoints" / "step-000010", int4());
  EXPECT_THAT(error_of([&] { load_model_any(run); }), HasSubstr("without a finished checkpoint"));
  write_state(run / "checkpoints" / "step-000010", {});
  expect_same_tensors(load_model_any(run), tiny_model(int4(), Storage::kF16));
  expect_same_tensors(load_model_any(run / "checkpoints" / "step-000010"), tiny_model(int4(), Storage::kF16));
  EXPECT_EQ(load_model_tokenizer(resolve_model(run))->name(), "bytes");
  write_checkpoint(run / "checkpoints" / "step-1000000", int4());
  write_state(run / "checkpoints" / "step-1000000", {});
  write_raw(run / "checkpoints" / "step-1000000" / "config.json", "{}");
  EXPECT_THAT(error_of([&] { load_model_any(run); }),
              HasSubstr("step-1000000/config.json: its checksum is not the one"));
}

TEST(Load, WhatIsNoModel) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { load_model_any(folder / "no"); }), HasSubstr("there is no model at"));
  EXPECT_THAT(error_of([&] { load_model_any(folder.path()); }), HasSubstr("no config.json"));
  write_raw(folder / "x.safetensors", "x");
  EXPECT_THAT(error_of([&] { load_model_any(folder / "x.safetensors"); }), HasSubstr("name its folder"));
  write_raw(folder / "x.txt", "x");
  EXPECT_THAT(error_of([&] { load_model_any(folder / "x.txt"); }), HasSubstr("neither a model folder nor a GGUF file"));
}

TEST(Inspect, CheckpointGgufAndDenseFolderAgree) {
  const TemporaryFolder folder;
  write_checkpoint(folder / "checkpoint", int4());
  const ShippedModel model = load_model_any(folder / "checkpoint");
  export_to(model, "gguf:q4_0", folder / "x.gguf");
  export_to(model, "safetensors:dequantized", folder / "dense");
  for (const char* name : {"checkpoint", "x.gguf", "dense"}) {
    SCOPED_TRACE(name);
    const InspectReport report = inspect_path(folder / name, "model.layers.0.self_attn.q_proj.weight");
    ASSERT_EQ(report.tensors.size(), 1u);
    ASSERT_TRUE(report.tensors[0].grid);
    EXPECT_EQ(report.tensors[0].grid->grid.name(), "int4");
    EXPECT_EQ(report.tensors[0].grid->granularity.size, 32);
    EXPECT_EQ(report.tensors[0].grid->scale_rule, ScaleRule::kAbsmaxSigned);
    EXPECT_THAT(report.lossless_targets, ElementsAre("gguf:q4_0", "gguf:q5_0", "gguf:q8_0", "compressed-tensors",
                                                     "gguf:f32", "safetensors:dequantized"));
  }
  EXPECT_EQ(inspect_path(folder / "checkpoint").format, "checkpoint");
  EXPECT_THAT(error_of([&] { inspect_path(folder / "x.gguf", "model.norm.weigth"); }),
              HasSubstr("did you mean model.norm.weight?"));
  EXPECT_THAT(error_of([&] { verify_file(folder / "checkpoint", model); }), HasSubstr("latent weights"));
}

TEST(Inspect, JsonIsTheContract) {
  const TemporaryFolder folder;
  export_to(tiny_model(int4()), "gguf:q4_0", folder / "x.gguf");
  const auto json = to_json(inspect_path(folder / "x.gguf"));
  EXPECT_EQ(json["format"], "gguf");
  const auto& embedding = json["tensors"][0];
  EXPECT_EQ(embedding["name"], "model.embed_tokens.weight");
  EXPECT_EQ(embedding["dtype"], "F32");
  EXPECT_EQ(embedding["shape"], (std::vector<int64_t>{257, 64}));
  EXPECT_TRUE(embedding["grid"].is_null());
  const auto& q = json["tensors"][2];
  EXPECT_EQ(q["grid"]["name"], "int4");
  EXPECT_EQ(q["grid"]["group"], 32);
  EXPECT_EQ(q["grid"]["exact_fraction"], 1.0);
  EXPECT_THAT(to_text(inspect_path(folder / "x.gguf")), HasSubstr("int4 group 32 fp16 absmax_signed"));
}

TEST(Inspect, PlainFloatsHaveNoGridAndOnlyDenseTargets) {
  const TemporaryFolder folder;
  export_to(tiny_model(std::nullopt), "safetensors:dequantized", folder / "x");
  const InspectReport report = inspect_path(folder / "x" / "model.safetensors");
  EXPECT_THAT(report.lossless_targets, ElementsAre("gguf:f32", "safetensors:dequantized"));
  for (const InspectRow& row : report.tensors) EXPECT_FALSE(row.grid) << row.name;
}

}  // namespace
}  // namespace detent::test
