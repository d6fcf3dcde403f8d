// A model whose linear layers hold packed codes computes what the same model computes with their values.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "detent/ops/product.h"
#include "detent/qat/attach.h"
#include "detent/qat/presets.h"
#include "detent/quant/shipped.h"
#include "detent/quant/tensor_file.h"
#include "detent/train/config.h"
#include "detent/train/generate.h"
#include "detent/train/model_folder.h"
#include "tests/io/support.h"
#include "tests/support/bits.h"
#include "tests/support/small_model.h"

namespace detent {
namespace {

struct Case {
  const char* quant;
  bool packed;
};
const Case kCases[] = {
    {"{preset: q4_0}", true},
    {"{weights: {grid: ternary, scale: mean, group: row}, skip: [embed_tokens]}", true},  // the head, too
    {"{weights: {grid: int, bits: 8, scale: learned, surrogate: lsq, group: row}}", true},
    {"{weights: {grid: midrise, bits: 4, scale: rms, rotation: hadamard_half, group: row}}", true},
    {"{preset: quest_w4a4, weights: {rotation: hadamard_half}, activations: {rotation: hadamard_half}}", true},
    {"{weights: {grid: midrise, bits: 4, scale: rms, rotation: hadamard, group: row}}", false},  // rotated back
    {"{weights: {grid: e2m1, scale: absmax, group: 16}}", false},                                // not uniform
};

ShippedModel saved(const char* yaml, const std::filesystem::path& folder) {
  DecoderConfig config = test::small_config();
  config.tie_word_embeddings = false;
  config.intermediate_size = 64;  // groups of 32
  config.architecture = "qwen2";
  config.qkv_bias = true;
  CausalLm model(config, 5);
  for (const nn::Slot& slot : model.slots())
    if (slot.name.ends_with(".bias")) slot.parameter->normal_();
  Node node = parse_yaml(yaml, "quant");
  expand_quant(node);
  QuantOptions options;
  read_options(node, options);
  const QuantizedModel quantized = attach(options, model.slots());
  TensorMap weights, learned;
  for (const nn::Slot& slot : model.slots()) weights[slot.name] = slot.parameter->detach();
  for (const auto& [name, quantizer] : quantized.learned()) learned[name] = quantizer->learned().detach();
  io::test::write_raw(folder / "config.json", to_json(config).dump());
  io::test::write_raw(folder / "quantization.json", to_json(quantized.record).dump());
  write_float_tensors(folder / "model.safetensors", weights);
  if (!learned.empty()) write_float_tensors(folder / "quantization.safetensors", learned);
  return open_shipped(folder.string());
}

int64_t packed_layers(InferenceModel& inference) {
  int64_t count = 0;
  for (const nn::Slot& slot : inference.model->slots()) count += slot.parameter->is_meta();
  return count;
}

// From 16 rows on both multiply by one chain of fused multiply-adds an output: equal bits. With fewer rows the values
// go by ATen's product: the same sum in another order.
TEST(PackedModel, ComputesWhatItsValuesDo) {
  if (!ops::has_product(at::zeros({16, 1}), at::zeros({1, 1}))) GTEST_SKIP() << "no fused multiply-adds";
  at::manual_seed(3);
  const at::NoGradGuard guard;
  const at::Tensor many = at::arange(24, at::kLong).unsqueeze(0) * 7, few = many.narrow(1, 0, 5);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.quant);
    const io::test::TemporaryFolder folder;
    const ShippedModel shipped = saved(c.quant, folder.path());
    InferenceModel packed = inference_model(shipped, Weights::kPacked), values = inference_model(shipped);
    const bool head = std::string(c.quant).find("skip: [embed_tokens]") != std::string::npos;
    EXPECT_EQ(packed_layers(packed), c.packed ? 2 * 7 + head : 0);
    EXPECT_EQ(packed_layers(values), 0);
    EXPECT_TRUE(test::same_bits(packed.model->logits(many), values.model->logits(many)));
    if (shipped.record.layers.begin()->second.input) continue;  // a rounding may move an input to the next code
    const at::Tensor difference = (packed.model->logits(few) - values.model->logits(few)).abs().max();
    EXPECT_LT(difference.item<float>(), 1e-4f);
  }
}

TEST(PackedModel, GeneratesWhatItsValuesDo) {
  const io::test::TemporaryFolder folder;
  const ShippedModel shipped = saved(kCases[0].quant, folder.path());
  InferenceModel packed = inference_model(shipped, Weights::kPacked), values = inference_model(shipped);
  const auto greedy = [](InferenceModel& m) {
    return generate(*m.model, {3, 14, 15, 9, 26}, {.tokens = 20}, [](int32_t) { return true; }).ids;
  };
  EXPECT_EQ(greedy(packed), greedy(values));
}

}  // namespace
}  // namespace detent
