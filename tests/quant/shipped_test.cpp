// load_shipped on folders written by hand: exact values, and one sentence for everything that is wrong with a folder.
#include "detent/quant/shipped.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include "detent/ops/fake_quant.h"
#include "detent/quant/tensor_file.h"
#include "tests/io/support.h"
#include "tests/support/bits.h"

namespace detent {
namespace {

using io::test::error_of;
using io::test::write_raw;
using testing::HasSubstr;

at::Tensor gaussian(std::vector<int64_t> shape, uint64_t seed) {
  return ops::add_gaussian(at::zeros(shape), 0.05f, {.seed = seed});
}

QuantSpec q4_0() {
  return {make_grid("int", 4), parse_granularity("32"), ScaleRule::kAbsmaxSigned, ScaleFormat::kFp16};
}
QuantSpec learned() { return {make_grid("int", 3), parse_granularity("row"), ScaleRule::kLearned}; }
QuantSpec learned_input() { return {make_grid("int", 8), parse_granularity("tensor"), ScaleRule::kLearned}; }

// A checkpoint of one layer a spec and a norm, to be spoilt by the tests before it is written.
struct Folder {
  io::test::TemporaryFolder path;
  QuantizationRecord record;
  TensorMap weights, scales;

  Folder() {
    record.unquantized = Storage::kF16;
    record.layers["a.weight"] = {q4_0(), std::nullopt};
    record.layers["b.weight"] = {learned(), learned_input()};
    weights = {
        {"a.weight", gaussian({3, 64}, 1)}, {"b.weight", gaussian({4, 32}, 2)}, {"norm.weight", gaussian({64}, 3)}};
    scales = {{"b.weight.scale", at::full({4, 1}, 0.02f)}, {"b.weight.input_scale", at::full({1, 1}, 0.1f)}};
  }
  ShippedModel load() {
    write_raw(path / "config.json", R"({"model_type": "llama"})");
    write_raw(path / "quantization.json", to_json(record).dump());
    write_float_tensors(path / "model.safetensors", weights);
    write_float_tensors(path / "quantization.safetensors", scales);
    return load_shipped(path.path().string());
  }
  std::string error() {
    return error_of([&] { load(); });
  }
};

TEST(Shipped, HoldsTheExactValuesOfTheTrainingForward) {
  Folder folder;
  const ShippedModel model = folder.load();
  EXPECT_EQ(model.config.at("model_type"), "llama");
  ASSERT_EQ(model.tensors.size(), 3u);
  const ShippedTensor &a = model.tensors.at("a.weight"), &b = model.tensors.at("b.weight");
  EXPECT_TRUE(test::same_bits(a.value, quantized_value(folder.weights["a.weight"], q4_0())));
  EXPECT_TRUE(test::same_bits(b.value,
                              quantized_value(folder.weights["b.weight"], learned(), folder.scales["b.weight.scale"])));
  for (const ShippedTensor* tensor : {&a, &b})
    EXPECT_TRUE(test::same_bits(dequantize(*tensor->quantized), tensor->value));
  const ShippedTensor& norm = model.tensors.at("norm.weight");
  EXPECT_FALSE(norm.quantized);
  EXPECT_TRUE(test::same_bits(norm.value, stored_value(folder.weights["norm.weight"], Storage::kF16)));
}

// Who takes one tensor after the other needs the memory of one.
TEST(Shipped, NothingIsReadBeforeItIsAskedFor) {
  Folder folder;
  const ShippedModel held = folder.load();
  ShippedModel opened = open_shipped(folder.path.path().string());
  for (const auto& [name, tensor] : held.tensors) {
    EXPECT_TRUE(opened.tensors.at(name).value.is_meta()) << name;
    EXPECT_EQ(opened.tensors.at(name).value.sizes(), tensor.value.sizes()) << name;
    EXPECT_TRUE(test::same_bits(opened.tensor(name).value, tensor.value)) << name;
  }
  EXPECT_TRUE(opened.tensors.at("a.weight").value.is_meta());
  opened.hold_all();
  EXPECT_TRUE(test::same_bits(opened.tensors.at("a.weight").value, held.tensors.at("a.weight").value));
}

// Large tensors are made in parts of their rows, which are those of the whole.
TEST(Shipped, RowsAreThoseOfTheWhole) {
  Folder folder;
  const int64_t rows = 17'000;
  folder.record.layers["tensor.weight"] = {
      QuantSpec{make_grid("ternary", 2), parse_granularity("tensor"), ScaleRule::kMean}, std::nullopt};
  for (const char* name : {"a.weight", "b.weight", "c.weight", "tensor.weight"})
    folder.weights[name] = gaussian({rows, 64}, 7);
  folder.scales["b.weight.scale"] = gaussian({rows, 1}, 8).abs().add(0.001);
  const ShippedModel held = folder.load(), opened = open_shipped(folder.path.path().string());
  for (const auto& [name, whole] : held.tensors) {
    SCOPED_TRACE(name);
    const int64_t all = whole.value.size(0), step = opened.part_rows(name);
    EXPECT_EQ(held.part_rows(name), all);
    EXPECT_EQ(step < all, name == "a.weight" || name == "b.weight" || name == "c.weight");
    for (int64_t first = 0; first < all; first += step) {
      const int64_t count = std::min(step, all - first);
      const ShippedTensor part = opened.rows(name, first, count);
      EXPECT_TRUE(test::same_bits(part.value, whole.value.narrow(0, first, count)));
      ASSERT_EQ(part.quantized.has_value(), whole.quantized.has_value());
      if (!part.quantized || step == all) continue;
      EXPECT_TRUE(at::equal(part.quantized->codes, whole.quantized->codes.narrow(0, first, count)));
      EXPECT_TRUE(test::same_bits(part.quantized->scales, whole.quantized->scales.narrow(0, first, count)));
    }
  }
}

TEST(Shipped, APlainFolderShipsItsFloats) {
  io::test::TemporaryFolder folder;
  const at::Tensor w = gaussian({3, 8}, 4);
  write_raw(folder / "config.json", "{}");
  write_float_tensors(folder / "model.safetensors", {{"w", w}});
  const ShippedModel model = load_shipped(folder.path().string());
  EXPECT_TRUE(test::same_bits(model.tensors.at("w").value, w));
  EXPECT_TRUE(model.record.layers.empty());
}

TEST(Shipped, MissingTensorsAreNamed) {
  Folder no_weight, no_scale, no_input_scale;
  no_weight.weights.erase("a.weight");
  EXPECT_THAT(no_weight.error(), HasSubstr("'a.weight'"));
  no_scale.scales.erase("b.weight.scale");
  EXPECT_THAT(no_scale.error(), HasSubstr("lacks 'b.weight.scale'"));
  no_input_scale.scales.erase("b.weight.input_scale");
  EXPECT_THAT(no_input_scale.error(), HasSubstr("lacks 'b.weight.input_scale'"));
}

TEST(Shipped, SuperfluousScalesAreNamed) {
  for (const char* name : {"a.weight.scale", "c.weight.scale", "b.weight"}) {
    Folder folder;
    folder.scales[name] = at::ones({1, 1});
    EXPECT_THAT(folder.error(), HasSubstr(std::string("'") + name + "'"));
  }
}

TEST(Shipped, MisshapenTensorsAreNamed) {
  Folder scale, input_scale, matrix, group;
  scale.scales["b.weight.scale"] = at::ones({1, 4});
  EXPECT_THAT(scale.error(), HasSubstr("'b.weight.scale' has the wrong shape"));
  input_scale.scales["b.weight.input_scale"] = at::ones({4, 1});
  EXPECT_THAT(input_scale.error(), HasSubstr("'b.weight.input_scale' has the wrong shape"));
  matrix.weights["a.weight"] = gaussian({2, 3, 32}, 5);
  EXPECT_THAT(matrix.error(), HasSubstr("3 dimensions"));
  group.weights["a.weight"] = gaussian({3, 48}, 6);
  EXPECT_THAT(group.error(), HasSubstr("not a multiple of the group of 32"));
}

TEST(Shipped, NotFiniteTensorsAreNamed) {
  for (const char* name : {"a.weight", "b.weight", "norm.weight"})
    for (const double bad : {NAN, INFINITY, -INFINITY}) {
      Folder folder;
      folder.weights[name].view(-1)[5] = bad;
      EXPECT_THAT(folder.error(), HasSubstr(std::string("'") + name + "'"));
    }
  for (const char* name : {"b.weight.scale", "b.weight.input_scale"}) {
    Folder folder;
    folder.scales[name].view(-1)[0] = NAN;
    EXPECT_THAT(folder.error(), HasSubstr(std::string("'") + name + "'"));
  }
}

// A finite weight can still overflow the type it is stored as.
TEST(Shipped, OverflowOfTheStoredTypeIsNamed) {
  Folder folder;
  folder.weights["norm.weight"][5] = 7e4;
  EXPECT_THAT(folder.error(), HasSubstr("'norm.weight'"));
  folder.record.unquantized = Storage::kBf16;
  EXPECT_NO_THROW(folder.load());
}

TEST(Shipped, FoldersThatAreNoModel) {
  io::test::TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_THAT(error_of([&] { load_shipped(path); }), HasSubstr("config.json"));
  write_raw(folder / "config.json", "{");
  EXPECT_THAT(error_of([&] { load_shipped(path); }), HasSubstr("config.json"));
  write_raw(folder / "config.json", "{}");
  EXPECT_THAT(error_of([&] { load_shipped(path); }), HasSubstr("model.safetensors"));
}

}  // namespace
}  // namespace detent
