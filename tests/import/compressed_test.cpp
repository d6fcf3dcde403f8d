// Folders of compressed-tensors: the library's own are read as it decompresses
// them, ours hold what was trained, and what is broken or not handled is
// refused by name.
#include "detent/import/compressed_config.h"

#include <ATen/ATen.h>

#include "detent/train/model_folder.h"
#include "tests/deploy/support.h"
#include "tests/support/golden.h"

namespace detent::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json read_config(const fs::path& folder) {
  return parse_json(read_raw(folder / "config.json"), (folder / "config.json").string());
}

at::Tensor logits_of(const fs::path& folder, const at::Tensor& ids) {
  const at::NoGradGuard guard;
  return inference_model(load_model_any(folder)).model->logits(ids);
}

TEST(Compressed, TheLibrarysFoldersHaveItsValuesAndLogits) {
  const Golden golden("compressed/expected.safetensors");
  ASSERT_EQ(golden.cases().size(), 8u);
  for (const auto& one : golden.cases()) {
    const std::string id = one.at("id");
    SCOPED_TRACE(id);
    const fs::path folder = golden_path("compressed/" + id);
    const ShippedModel model = load_model_any(folder);
    int packed = 0;
    for (const auto& [name, tensor] : model.tensors) {
      if (!golden.has(id + ".value." + name)) continue;
      EXPECT_TRUE(same_bits(tensor.value, golden.tensor(id + ".value." + name))) << name;
      ++packed;
    }
    EXPECT_EQ(packed, 14);
    const at::Tensor expected = golden.tensor(id + ".logits");
    const at::Tensor got = logits_of(folder, golden.tensor(id + ".input_ids"));
    // Under a scale of max|x| / 127.5 the largest element lies between two
    // codes: a last bit that differs decides.
    const bool quantized_inputs = id == "w8a8_channel" || id == "w4a8_group";
    EXPECT_LE((got - expected).abs().max().item<float>(), quantized_inputs ? 2e-2f : 2e-4f);
  }
}

// What the library makes of an input, token by token; but its -0, which no code
// stands for, is 0 here.
TEST(Compressed, InputsAreQuantizedAsTheLibraryDoes) {
  const Golden golden("compressed/expected.safetensors");
  for (const int bits : {4, 8}) {
    const std::string prefix = "inputs." + std::to_string(bits);
    const QuantSpec tokens = spec("int", bits, "token", ScaleRule::kAbsmaxFull, ScaleFormat::kFp32);
    EXPECT_TRUE(quantized_value(golden.tensor("inputs.x"), tokens).equal(golden.tensor(prefix))) << bits;
  }
}

// A folder that detent wrote and one part of its quantization_config changed.
class Changed {
 public:
  explicit Changed(const QuantSpec& spec = int4()) : model_(tiny_model(spec)) {
    export_to(model_, "compressed-tensors", folder_ / "x");
    config_ = read_config(path());
  }
  fs::path path() const { return folder_ / "x"; }
  json& quantization() { return config_["quantization_config"]; }
  json& weights() { return quantization()["config_groups"]["group_0"]["weights"]; }
  std::string refusal() {
    write_raw(path() / "config.json", config_.dump());
    return error_of([&] { load_model_any(path()); });
  }
  // With one tensor of the file replaced; an undefined one is left out.
  std::string refusal_without(const std::string& name, const std::optional<io::TensorView>& instead = {}) {
    const fs::path file = path() / "model.safetensors";
    const std::string bytes = read_raw(file);
    const auto content = io::parse_safetensors(io::as_bytes(bytes), "x");
    std::vector<io::TensorView> views;
    for (const io::TensorView& view : content.tensors)
      if (view.name != name) views.push_back(view);
    if (instead) views.push_back(*instead);
    io::write_safetensors(file, views);
    const std::string what = error_of([&] { load_model_any(path()); });
    write_raw(file, bytes);
    return what;
  }

 private:
  TemporaryFolder folder_;
  ShippedModel model_;
  json config_;
};

TEST(Compressed, WhatIsNotHandledIsRefusedByKey) {
  struct Case {
    const char* says;
    std::function<void(Changed&)> change;
  };
  const std::vector<Case> cases = {
      {"num_bits = 9", [](Changed& c) { c.weights()["num_bits"] = 9; }},
      {"num_bits = \"4\"", [](Changed& c) { c.weights()["num_bits"] = "4"; }},
      {"type = \"float\"", [](Changed& c) { c.weights()["type"] = "float"; }},
      {"mxfp4 has",
       [](Changed& c) { c.quantization()["config_groups"]["group_0"]["format"] = "mxfp4-pack-quantized"; }},
      {"strategy = \"block\"", [](Changed& c) { c.weights()["strategy"] = "block"; }},
      {"group_size = 0", [](Changed& c) { c.weights()["group_size"] = 0; }},
      {"group_size = -32", [](Changed& c) { c.weights()["group_size"] = -32; }},
      {"not a multiple of the group of 48", [](Changed& c) { c.weights()["group_size"] = 48; }},
      {"scales", [](Changed& c) { c.weights()["group_size"] = 64; }},
      {"lacks a weight_zero_point", [](Changed& c) { c.weights()["symmetric"] = false; }},
      {"symmetric = 1", [](Changed& c) { c.weights()["symmetric"] = 1; }},
      {"actorder", [](Changed& c) { c.weights()["actorder"] = "group"; }},
      {"in 5 bits", [](Changed& c) { c.weights()["num_bits"] = 5; }},
      {"format = \"marlin-24\"",
       [](Changed& c) { c.quantization()["config_groups"]["group_0"]["format"] = "marlin-24"; }},
      {"config_groups", [](Changed& c) { c.quantization()["config_groups"] = json::object(); }},
      {"targets", [](Changed& c) { c.quantization()["config_groups"]["group_0"]["targets"] = 3; }},
      {"says nothing about",
       [](Changed& c) { c.quantization()["config_groups"]["group_0"]["targets"] = json::array({"lm_head"}); }},
      {"kv_cache_scheme",
       [](Changed& c) {
         c.quantization()["kv_cache_scheme"] = {{"num_bits", 8}};
       }},
      {"transform_config",
       [](Changed& c) {
         c.quantization()["transform_config"] = {{"config_groups", {{"u", 1}}}};
       }},
      {"several groups",
       [](Changed& c) {
         json other = c.quantization()["config_groups"]["group_0"];
         other["weights"]["num_bits"] = 8;
         c.quantization()["config_groups"]["group_1"] = other;
       }},
      {"input_activations",
       [](Changed& c) {
         c.quantization()["config_groups"]["group_0"]["input_activations"] = {
             {"num_bits", 8}, {"type", "int"}, {"symmetric", true}, {"strategy", "tensor"}, {"dynamic", false}};
       }},
      {"quantization_config", [](Changed& c) { c.quantization()["quant_method"] = "gptq"; }}};
  for (const Case& one : cases) {
    Changed changed;
    one.change(changed);
    const std::string what = changed.refusal();
    EXPECT_THAT(what, HasSubstr(one.says));
    EXPECT_EQ(what.find('\n'), std::string::npos);
  }
}

TEST(Compressed, BrokenTensorsAreRefusedByName) {
  Changed changed;
  const std::string module = "model.layers.0.mlp.up_proj";
  EXPECT_THAT(changed.refusal_without(module + ".weight_scale"), HasSubstr("its weight_scale is missing"));
  EXPECT_THAT(changed.refusal_without(module + ".weight_shape"), HasSubstr("weight_shape beside it"));
  EXPECT_THAT(changed.refusal_without(module + ".weight_packed"), HasSubstr("up_proj.weight"));
  const auto shape_of = [&](std::vector<int64_t> shape) {
    return changed.refusal_without(module + ".weight_shape", io::TensorView{module + ".weight_shape",
                                                                            io::Dtype::kI64,
                                                                            {static_cast<int64_t>(shape.size())},
                                                                            std::as_bytes(std::span(shape))});
  };
  EXPECT_THAT(shape_of({128, 96}), HasSubstr("in 4 bits take [128, 12]"));
  EXPECT_THAT(shape_of({64, 64}), HasSubstr("in 4 bits take [64, 8]"));
  EXPECT_THAT(shape_of({-1, 64}), HasSubstr("expected a matrix"));
  EXPECT_THAT(shape_of({int64_t{1} << 40, int64_t{1} << 40}), HasSubstr("expected a matrix"));
  EXPECT_THAT(shape_of({128, 64, 1}), HasSubstr("expected a matrix"));
  const std::vector<float> nan(256, std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(changed.refusal_without(
                  module + ".weight_scale",
                  io::TensorView{module + ".weight_scale", io::Dtype::kF32, {128, 2}, std::as_bytes(std::span(nan))}),
              HasSubstr("not finite"));
}

TEST(Compressed, OneGroupASchemeAndWhatIsIgnored) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(int4(), Storage::kF16);
  export_to(model, "compressed-tensors", folder / "one");
  const json one = read_config(folder / "one")["quantization_config"];
  EXPECT_EQ(one["config_groups"].size(), 1u);
  EXPECT_EQ(one["config_groups"]["group_0"]["targets"], json::array({"Linear"}));
  EXPECT_EQ(one["config_groups"]["group_0"]["weights"]["group_size"], 32);
  EXPECT_EQ(one["ignore"], json::array({"lm_head"}));
  const std::string wide = "model.layers.0.mlp.up_proj.weight";
  const QuantSpec eight = spec("int", 8, "row", ScaleRule::kAbsmax, ScaleFormat::kFp32);
  model.record.layers[wide].weight = eight;
  model.tensors[wide].quantized = quantize(model.tensors[wide].value, eight);
  model.tensors[wide].value = dequantize(*model.tensors[wide].quantized);
  for (auto& [name, layer] : model.record.layers)
    layer.input = spec("int", 8, "token", ScaleRule::kAbsmaxFull, ScaleFormat::kFp32);
  const ExportReport report = export_to(model, "compressed-tensors", folder / "two");
  EXPECT_TRUE(verify_file(folder / "two", model).equal());
  const json two = read_config(folder / "two")["quantization_config"];
  ASSERT_EQ(two["config_groups"].size(), 2u);
  const ShippedModel back = load_model_any(folder / "two");
  for (const auto& [name, layer] : model.record.layers) EXPECT_EQ(back.record.layers.at(name).input, layer.input);
  EXPECT_THAT(to_text(report), testing::Not(HasSubstr("were quantized in training")));
}

// Grids whose odd level lies above keep their bits by a zero point.
TEST(Compressed, ZeroPoints) {
  for (const int bits : {2, 5})
    for (const char* group : {"32", "row", "tensor"}) {
      SCOPED_TRACE(fmt::format("{} bits, {}", bits, group));
      const TemporaryFolder folder;
      const ShippedModel model = tiny_model(spec("int_high", bits, group, ScaleRule::kAbsmaxSigned));
      const ExportReport report = export_to(model, "compressed-tensors", folder / "x");
      EXPECT_TRUE(verify_file(folder / "x", model).equal());
      expect_same_tensors(load_model_any(folder / "x"), model);
      const bool moved = std::string(group) != "tensor";
      const json weights = read_config(folder / "x")["quantization_config"]["config_groups"]["group_0"]["weights"];
      EXPECT_EQ(weights["symmetric"], !moved);
      EXPECT_EQ(weights["num_bits"], moved ? bits : bits + 1);
      EXPECT_EQ(to_text(report).find("zero points") != std::string::npos, moved);
    }
}

TEST(Compressed, Mxfp4) {
  const TemporaryFolder folder;
  const QuantSpec mxfp4 = spec("e2m1", 4, "32", ScaleRule::kAbsmaxFull, ScaleFormat::kE8M0);
  const ShippedModel model = tiny_model(mxfp4);
  export_to(model, "compressed-tensors", folder / "x");
  EXPECT_TRUE(verify_file(folder / "x", model).equal());
  const json quantization = read_config(folder / "x")["quantization_config"];
  EXPECT_EQ(quantization["format"], "mxfp4-pack-quantized");
  EXPECT_EQ(quantization["config_groups"]["group_0"]["weights"]["type"], "float");
  const io::SafetensorsReader file(folder / "x" / "model.safetensors");
  EXPECT_EQ(file.at("model.layers.0.mlp.up_proj.weight_packed").shape, (std::vector<int64_t>{128, 32}));
  EXPECT_EQ(file.at("model.layers.0.mlp.up_proj.weight_scale").dtype, io::Dtype::kU8);
  export_to(load_model_any(folder / "x"), "gguf:mxfp4", folder / "y");
  EXPECT_TRUE(verify_file(folder / "y", model).equal());
  export_to(load_model_any(folder / "y"), "compressed-tensors", folder / "z");
  EXPECT_EQ(read_config(folder / "z")["quantization_config"], quantization);
  EXPECT_TRUE(verify_file(folder / "z", model).equal());
}

TEST(Compressed, BrokenMxfp4IsRefused) {
  Changed changed(spec("e2m1", 4, "32", ScaleRule::kAbsmaxFull, ScaleFormat::kE8M0));
  const std::string module = "model.layers.0.mlp.up_proj";
  std::vector<uint8_t> scales(256, 127);
  const auto with_scales = [&](io::Dtype dtype, std::vector<int64_t> shape) {
    return changed.refusal_without(
        module + ".weight_scale",
        io::TensorView{module + ".weight_scale", dtype, std::move(shape), std::as_bytes(std::span(scales))});
  };
  EXPECT_THAT(with_scales(io::Dtype::kF16, {128, 1}), HasSubstr("128 scales, its strategy asks for 256"));
  EXPECT_THAT(with_scales(io::Dtype::kI8, {128, 2}), HasSubstr("exponents in U8"));
  scales[77] = 255;
  EXPECT_THAT(with_scales(io::Dtype::kU8, {128, 2}), HasSubstr("not finite"));
  const std::vector<uint8_t> words(128 * 32);
  EXPECT_THAT(
      changed.refusal_without(
          module + ".weight_packed",
          io::TensorView{module + ".weight_packed", io::Dtype::kI8, {128, 32}, std::as_bytes(std::span(words))}),
      HasSubstr("must be a matrix of U8"));
  changed.weights()["group_size"] = 16;
  EXPECT_THAT(changed.refusal(), HasSubstr("mxfp4 has symmetric 4-bit floats in groups of 32"));
}

TEST(Compressed, InputsThatProgramsWouldQuantizeOtherwiseAreRefused) {
  ShippedModel model = tiny_model(int4());
  model.record.layers.begin()->second.input = spec("int", 8, "token", ScaleRule::kAbsmax, ScaleFormat::kFp32);
  EXPECT_THAT(error_of([&] { export_to(model, "compressed-tensors", "/nowhere/x"); }),
              HasSubstr("the nearest accepted is: int8 absmax_full row"));
}

TEST(Compressed, AFileOfEachFormatStartsTraining) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(int4());
  for (const char* target : {"compressed-tensors", "gguf:q4_0"}) {
    export_to(model, target, folder / target);
    const auto latent = load_latent_model((folder / target).string());
    for (const nn::Slot& slot : latent->slots())
      EXPECT_TRUE(same_bits(*slot.parameter, model.tensors.at(slot.name).value)) << slot.name;
  }
}

}  // namespace
}  // namespace detent::test
