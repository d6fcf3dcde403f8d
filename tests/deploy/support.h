// What the deploy tests share: tiny Llamas made in memory, as a checkpoint would ship them.
#pragma once
#include <ATen/ATen.h>
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <random>

#include "detent/architectures/parameters.h"
#include "detent/data/tokenizer.h"
#include "detent/deploy/model_parts.h"
#include "detent/deploy/target.h"
#include "detent/deploy/verify.h"
#include "detent/import/gguf_llama.h"
#include "detent/import/load.h"
#include "tests/io/support.h"

namespace detent::test {

namespace fs = std::filesystem;
using io::test::error_of;
using io::test::read_raw;
using io::test::TemporaryFolder;
using io::test::write_raw;

inline QuantSpec spec(const std::string& kind, int bits, const std::string& group, ScaleRule rule,
                      ScaleFormat format = ScaleFormat::kFp16, Rotation rotation = Rotation::kNone) {
  return {make_grid(kind, bits), parse_granularity(group), rule, format, rotation};
}
inline QuantSpec int4() { return spec("int", 4, "32", ScaleRule::kAbsmaxSigned); }

// Every grid there is, and a rule that it has.
inline std::vector<Grid> every_grid() {
  std::vector<Grid> grids = {make_grid("ternary", 2), make_grid("binary", 1), make_grid("midrise", 1),
                             make_grid("e2m1", 4)};
  for (int bits = 2; bits <= 8; ++bits) {
    grids.push_back(make_grid("int", bits));
    grids.push_back(make_grid("midrise", bits));
    if (bits < 8) grids.push_back(make_grid("int_high", bits));
  }
  return grids;
}
inline ScaleRule any_rule(const Grid& grid) {
  return rule_fits(grid, ScaleRule::kAbsmax) ? ScaleRule::kAbsmax : ScaleRule::kAbsmaxFull;
}

inline DecoderConfig tiny_config() {
  DecoderConfig config;
  config.vocab_size = 257;
  config.hidden_size = 64;
  config.intermediate_size = 128;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.rope_theta = 500000;
  return config;
}

// Rows of 256: whole blocks of every type.
inline DecoderConfig wide_config() {
  DecoderConfig config = tiny_config();
  config.vocab_size = 32;
  config.hidden_size = config.intermediate_size = 256;
  config.num_key_value_heads = 1;
  return config;
}

inline std::vector<int64_t> shape_of(const std::string& name, const DecoderConfig& config) {
  const int64_t q = config.num_attention_heads * config.head_size(), kv = config.kv_heads() * config.head_size();
  if (name.ends_with("q_norm.weight") || name.ends_with("k_norm.weight")) return {config.head_size()};
  if (name.ends_with("q_proj.bias")) return {q};
  if (name.ends_with(".bias")) return {kv};
  if (name.ends_with("norm.weight")) return {config.hidden_size};
  if (name.ends_with("q_proj.weight")) return {q, config.hidden_size};
  if (name.ends_with("k_proj.weight") || name.ends_with("v_proj.weight")) return {kv, config.hidden_size};
  if (name.ends_with("o_proj.weight")) return {config.hidden_size, q};
  if (name.ends_with("down_proj.weight")) return {config.hidden_size, config.intermediate_size};
  if (name.ends_with("gate_proj.weight") || name.ends_with("up_proj.weight"))
    return {config.intermediate_size, config.hidden_size};
  return {config.vocab_size, config.hidden_size};
}

// Normal values with some zeros; the first group of a matrix is all zeros.
inline at::Tensor random_tensor(const std::vector<int64_t>& shape, std::mt19937& random) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  std::normal_distribution<float> normal(0, 0.05f);
  auto* values = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = random() % 16 == 0 ? 0.0f : normal(random);
  if (tensor.dim() == 2) tensor[0].slice(0, 0, 32).zero_();
  return tensor;
}

// Every projection on the grid, the rest as stored; without a grid a plain float model.
inline ShippedModel tiny_model(const std::optional<QuantSpec>& grid, Storage storage = Storage::kF32,
                               const DecoderConfig& config = tiny_config()) {
  std::mt19937 random(1);
  ShippedModel model;
  model.config = to_json(config);
  model.record.unquantized = storage;
  for (const std::string& name : gguf_tensor_names(config)) {
    const at::Tensor latent = random_tensor(shape_of(name, config), random);
    if (!grid || !is_projection(name)) {
      model.tensors[name].value = stored_value(latent, storage);
      continue;
    }
    const bool is_learned = grid->scale_rule == ScaleRule::kLearned;
    const at::Tensor learned =
        is_learned ? initial_scale(latent, *grid, any_rule(grid->grid)).add(0.001) : at::Tensor();
    model.record.layers[name].weight = *grid;
    model.tensors[name].quantized = quantize(latent, *grid, learned);
    model.tensors[name].value = dequantize(*model.tensors[name].quantized);
  }
  return model;
}

// Puts the byte tokenizer beside a model that lives in memory.
inline void add_tokenizer(ShippedModel& model, const fs::path& folder) {
  fs::create_directory(folder);
  byte_tokenizer()->save(folder.string());
  model.folder = folder.string();
}

inline ExportReport export_to(const ShippedModel& model, const std::string& target, const fs::path& path) {
  return export_model(model, find_export_target(target), path.string());
}

inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && at::equal(a.contiguous().view(at::kInt), b.contiguous().view(at::kInt));
}

inline void expect_same_tensors(const ShippedModel& a, const ShippedModel& b) {
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    ASSERT_TRUE(b.tensors.contains(name)) << name;
    EXPECT_TRUE(same_bits(a.tensor(name).value, b.tensor(name).value)) << name;
  }
}

}  // namespace detent::test
