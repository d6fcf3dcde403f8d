// Opening a model folder: what old and new writers leave in it, and reading tensors as float32 from any place.
#include "detent/quant/model_files.h"

#include <ATen/ATen.h>
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <cmath>

#include "detent/architectures/parameters.h"
#include "detent/quant/tensor_file.h"
#include "tests/io/support.h"
#include "tests/support/bits.h"

namespace detent {
namespace {

using io::test::error_of;
using io::test::write_raw;
using nlohmann::json;
using testing::HasSubstr;

struct Folder {
  io::test::TemporaryFolder path;
  json config = {{"model_type", "llama"},   {"vocab_size", 12},       {"hidden_size", 8},
                 {"intermediate_size", 16}, {"num_hidden_layers", 1}, {"num_attention_heads", 2}};
  TensorMap weights;

  Folder() {
    for (const ParameterInfo& info : parameters(decoder_config_from_json(config, "config")))
      weights[info.name] = at::randn(info.shape);
  }
  ModelFiles open() {
    write_raw(path / "config.json", config.dump());
    write_float_tensors(path / "model.safetensors", weights);
    return open_model(path.path());
  }
  std::string error() {
    return error_of([&] { open(); });
  }
};

TEST(ModelFiles, AWholeFolderOpens) {
  Folder folder;
  const ModelFiles files = folder.open();
  EXPECT_EQ(files.config.hidden_size, 8);
  for (const auto& [name, tensor] : folder.weights)
    EXPECT_TRUE(test::same_bits(read_float_tensor(files.weights, files.weights.at(name)), tensor)) << name;
}

TEST(ModelFiles, WhatIsMissingExtraOrMisshapenIsNamed) {
  Folder missing, extra, shape;
  missing.weights.erase("model.layers.0.self_attn.k_proj.weight");
  EXPECT_THAT(missing.error(), HasSubstr("'model.layers.0.self_attn.k_proj.weight' is missing"));
  extra.weights["model.layers.1.mlp.up_proj.weight"] = at::zeros({16, 8});
  EXPECT_THAT(extra.error(), HasSubstr("'model.layers.1.mlp.up_proj.weight' has no place"));
  shape.weights["lm_head.weight"] = at::zeros({8, 12});
  EXPECT_THAT(shape.error(), HasSubstr("'lm_head.weight' has shape [8, 12], its config.json asks for [12, 8]"));
}

TEST(ModelFiles, ASecondCopyOfATiedHeadMustBeTheSame) {
  Folder folder;
  folder.config["tie_word_embeddings"] = true;
  EXPECT_THAT(folder.error(), HasSubstr("other values"));
  folder.weights["lm_head.weight"] = folder.weights["model.embed_tokens.weight"].clone();
  EXPECT_NO_THROW(folder.open());
  folder.weights.erase("lm_head.weight");
  EXPECT_NO_THROW(folder.open());
}

TEST(ModelFiles, RotaryFrequenciesOfOldCheckpointsMustBeTheConfigs) {
  Folder folder;
  at::Tensor& buffer = folder.weights["model.layers.0.self_attn.rotary_emb.inv_freq"];
  buffer = at::tensor({1.0f, 0.01f});  // 10000^(-2i/4)
  EXPECT_NO_THROW(folder.open());
  folder.config["rope_theta"] = 5e5;
  EXPECT_THAT(folder.error(), HasSubstr("rotary frequencies"));
}

TEST(ModelFiles, PicklesAreRefusedWithAWayOut) {
  Folder folder;
  folder.open();
  std::filesystem::rename(folder.path / "model.safetensors", folder.path / "pytorch_model.bin");
  EXPECT_THAT(error_of([&] { open_model(folder.path.path()); }),
              testing::AllOf(HasSubstr("pickle"), HasSubstr("save_pretrained")));
}

// An odd number of 16-bit values puts what follows at an odd place in the file.
TEST(FloatTensors, AreReadFromAnyPlaceIntoAlignedStorage) {
  const io::test::TemporaryFolder folder;
  const at::Tensor half = at::randn({3}).to(at::kHalf), brain = at::randn({5, 1}).to(at::kBFloat16),
                   full = at::randn({7});
  std::string data;
  const auto add = [&](const at::Tensor& t) {
    data.append(static_cast<const char*>(t.const_data_ptr()), t.nbytes());
    return data.size();
  };
  const json header = {{"h", {{"dtype", "F16"}, {"shape", {3}}, {"data_offsets", {0, add(half)}}}},
                       {"f", {{"dtype", "F32"}, {"shape", {7}}, {"data_offsets", {6, add(full)}}}},
                       {"b", {{"dtype", "BF16"}, {"shape", {5, 1}}, {"data_offsets", {34, add(brain)}}}},
                       {"e", {{"dtype", "F32"}, {"shape", {0, 4}}, {"data_offsets", {44, 44}}}}};
  std::string text = header.dump(), length;
  io::append<uint64_t>(length, text.size());
  write_raw(folder / "x.safetensors", length + text + data);
  const TensorMap read = read_float_tensors(folder / "x.safetensors");
  EXPECT_TRUE(test::same_bits(read.at("h"), half.to(at::kFloat)));
  EXPECT_TRUE(test::same_bits(read.at("b"), brain.to(at::kFloat)));
  EXPECT_TRUE(test::same_bits(read.at("f"), full));
  EXPECT_EQ(read.at("e").sizes(), at::IntArrayRef({0, 4}));
  for (const auto& [name, tensor] : read)
    if (tensor.numel() > 0) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 64, 0u) << name;
    }
}

TEST(FloatTensors, FiniteMeansNeitherNanNorInfinite) {
  const at::Tensor few = at::tensor({0.0f, -0.0f, 1e-45f, -1e-45f, 3.4e38f, -3.4e38f});
  for (const at::Tensor& x : {few, few.repeat({7})}) {
    EXPECT_TRUE(all_finite(x));
    for (const float bad : {NAN, -NAN, INFINITY, -INFINITY})
      for (int64_t i = 0; i < x.numel(); ++i) {
        at::Tensor y = x.clone();
        y[i] = bad;
        EXPECT_FALSE(all_finite(y)) << i;
      }
  }
  EXPECT_TRUE(all_finite(at::empty({0})));
  at::Tensor large = at::zeros({1 << 20});
  large[(1 << 20) - 1] = NAN;
  EXPECT_FALSE(all_finite(large));
}

}  // namespace
}  // namespace detent
