// A tied head is the embedding, whatever happens to it: quantized, trained, saved, opened again.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "detent/quant/tensor_file.h"
#include "detent/train/model_folder.h"
#include "tests/io/support.h"
#include "tests/support/bits.h"

namespace detent {
namespace {

using io::test::write_raw;

DecoderConfig tied_config() {
  DecoderConfig config;
  config.vocab_size = 40;
  config.hidden_size = 32;
  config.intermediate_size = 32;
  config.num_hidden_layers = 1;
  config.tie_word_embeddings = true;
  return config;
}

struct Tied {
  CausalLm model{tied_config(), 5};
  QuantizedModel quantized;
  at::Tensor ids = at::arange(20, at::kLong).unsqueeze(0);

  explicit Tied(const char* yaml) {
    const Node node = parse_yaml(yaml, "quant");
    QuantOptions options;
    read_options(node, options);
    for (const nn::Slot& slot : model.slots()) slot.parameter->set_requires_grad(true);
    quantized = attach(options, model.slots());
  }

  ShippedModel saved_and_loaded(const std::filesystem::path& folder) {
    TensorMap weights, learned;
    for (const nn::Slot& slot : model.slots()) weights[slot.name] = slot.parameter->detach();
    for (const auto& [name, quantizer] : quantized.learned()) learned[name] = quantizer->learned().detach();
    write_raw(folder / "config.json", to_json(model.config()).dump());
    write_raw(folder / "quantization.json", to_json(quantized.record).dump());
    write_float_tensors(folder / "model.safetensors", weights);
    if (!learned.empty()) write_float_tensors(folder / "quantization.safetensors", learned);
    return load_shipped(folder);
  }
};

const char* const kQuantized[] = {
    "{weights: {grid: int, bits: 3, group: 32, scale: absmax}, skip: []}",
    "{weights: {grid: int, bits: 3, group: row, scale: learned, surrogate: lsq}, skip: []}",
    "{weights: {grid: int, bits: 4, group: 32, scale: absmax, rotation: hadamard}, skip: []}",
    "{weights: {grid: int, bits: 4, group: 32, scale: absmax}, unquantized: q8_0}"};

TEST(TiedHead, HasNoTensorOfItsOwn) {
  CausalLm model(tied_config(), 5);
  for (const nn::Slot& slot : model.slots()) EXPECT_NE(slot.name, "lm_head.weight");
  EXPECT_EQ(model.slots().front().name, "model.embed_tokens.weight");
}

TEST(TiedHead, IsQuantizedWithTheEmbedding) {
  const at::NoGradGuard guard;
  for (const char* yaml : kQuantized) {
    Tied tied(yaml);
    const at::Tensor logits = tied.model.logits(tied.ids);
    // The same model, untied, with the quantized values spelled out in both places.
    DecoderConfig untied = tied_config();
    untied.tie_word_embeddings = false;
    CausalLm plain(untied, 5);
    const io::test::TemporaryFolder folder;
    const ShippedModel shipped = tied.saved_and_loaded(folder.path());
    for (const nn::Slot& slot : plain.slots())
      *slot.parameter =
          shipped.tensors.at(slot.name == "lm_head.weight" ? "model.embed_tokens.weight" : slot.name).value;
    EXPECT_TRUE(test::same_bits(plain.logits(tied.ids), logits)) << yaml;
    const auto& embedding = shipped.tensors.at("model.embed_tokens.weight");
    EXPECT_FALSE(test::same_bits(embedding.value, *tied.model.slots().front().parameter)) << yaml;
  }
}

TEST(TiedHead, SurvivesTrainingSavingAndLoading) {
  for (const char* yaml : kQuantized) {
    Tied tied(yaml);
    tied.quantized.phase->training = true;
    const at::Tensor targets = tied.ids.view(-1).add(1);
    at::cross_entropy_loss(tied.model.logits(tied.ids).squeeze(0), targets).backward();
    tied.quantized.phase->training = false;
    const at::NoGradGuard guard;
    for (const nn::Slot& slot : tied.model.slots()) slot.parameter->sub_(slot.parameter->grad(), 0.1);
    for (const auto& [name, quantizer] : tied.quantized.learned())
      quantizer->learned().sub_(quantizer->learned().grad(), 1e-3);
    const io::test::TemporaryFolder folder;
    const ShippedModel shipped = tied.saved_and_loaded(folder.path());
    InferenceModel opened = inference_model(shipped);
    EXPECT_TRUE(opened.model->config().tie_word_embeddings);
    EXPECT_TRUE(test::same_bits(opened.model->logits(tied.ids), tied.model.logits(tied.ids))) << yaml;
    EXPECT_FALSE(shipped.tensors.contains("lm_head.weight"));
  }
}

struct CountingRule : nn::ValueRule {
  int count = 0;
  at::Tensor value(const at::Tensor& w) override { return ++count, w * 2; }
};

TEST(TiedHead, TableIsComputedOnceInAForward) {
  CausalLm model(tied_config(), 5);
  const auto rule = std::make_shared<CountingRule>();
  *model.slots().front().value_rule = rule;
  const at::Tensor ids = at::arange(6, at::kLong).unsqueeze(0);
  model.logits(ids);
  EXPECT_EQ(rule->count, 1);
  const at::NoGradGuard guard;
  nn::KvCache cache;
  model.next_logits(ids, cache);
  EXPECT_EQ(rule->count, 2);
}

// Both uses of the table leave their share in its gradient, through the quantizer too.
TEST(TiedHead, GradientHasBothShares) {
  Tied tied("{weights: {grid: int, bits: 4, group: 32, scale: absmax}, skip: []}");
  tied.quantized.phase->training = true;
  const at::Tensor ids = at::zeros({1, 4}, at::kLong), targets = at::full({4}, 7, at::kLong);
  at::cross_entropy_loss(tied.model.logits(ids).squeeze(0), targets).backward();
  const at::Tensor gradient = tied.model.slots().front().parameter->grad();
  EXPECT_GT(gradient[0].abs().max().item<float>(), 0);   // read
  EXPECT_GT(gradient[7].abs().max().item<float>(), 0);   // predicted
  EXPECT_GT(gradient[20].abs().max().item<float>(), 0);  // predicted against
}

}  // namespace
}  // namespace detent
