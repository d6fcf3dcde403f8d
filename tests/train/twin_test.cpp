// 200 steps of QuEST and CAGE against a PyTorch twin (tests/golden/twin, written from the formulas by make_twin.py) on
// the same data from the same initial weights. What tells the arms apart is stated in tests/golden/README.md.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "detent/io/safetensors.h"
#include "detent/models/causal_lm.h"
#include "detent/optim/optimizer.h"
#include "detent/optim/schedule.h"
#include "detent/qat/attach.h"
#include "detent/qat/cage.h"
#include "detent/train/evaluate.h"
#include "detent/train/losses.h"

namespace detent {
namespace {

const io::SafetensorsReader& golden() {
  static const io::SafetensorsReader reader(DETENT_SOURCE_DIR "/tests/golden/twin/twin.safetensors");
  return reader;
}

template <class T>
std::vector<T> values(const std::string& name) {
  const io::TensorView& view = golden().at(name);
  std::vector<T> out(view.bytes.size() / sizeof(T));
  std::memcpy(out.data(), view.bytes.data(), view.bytes.size());
  return out;
}

DecoderConfig shape() {
  DecoderConfig config;
  config.hidden_size = 64;
  config.intermediate_size = 192;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  return config;
}

QuantOptions quest(int64_t bits) {
  QuantOptions options;
  TensorQuantOptions tensor;
  tensor.grid = "midrise";
  tensor.bits = bits;
  tensor.scale = "rms";
  tensor.rotation = "hadamard";
  tensor.surrogate = "clip";
  options.weights = options.activations = tensor;
  return options;
}

Batch batch_at(const std::vector<int16_t>& data, int64_t step) {
  Batch batch(8, 64, 0);
  for (int64_t row = 0; row < 8; ++row) {
    const int16_t* ids = data.data() + (step * 8 + row) * 65;
    batch.fill_row(row, std::vector<int32_t>(ids, ids + 65));
  }
  for (int64_t row = 0; row < 8; ++row) batch.targets[row * 64] = data[(step * 8 + row) * 65 + 1];
  batch.scored = 8 * 64;
  return batch;
}

struct TwinRun {
  std::vector<double> losses;
  std::vector<double> gap;  // ||W - Q(W)|| / ||W|| of each quantized matrix at the end
};

TwinRun run_case(const nlohmann::json& c) {
  CausalLm model(shape(), 0);
  for (const nn::Slot& slot : model.slots()) {
    const std::vector<float> start = values<float>("init." + slot.name);
    std::memcpy(slot.parameter->mutable_data_ptr<float>(), start.data(), 4 * start.size());
    slot.parameter->set_requires_grad(true);
  }
  QuantizedModel quantized;
  if (!c.at("bits").is_null()) quantized = attach(quest(c.at("bits")), model.slots());
  std::vector<OptimizedParameter> parameters;
  const std::vector<nn::Slot> slots = model.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    std::shared_ptr<RowTarget> target;
    if (!quantized.layers.empty() && quantized.layers[i].weight)
      target = make_quantized_target(quantized.layers[i].weight);
    parameters.push_back({slots[i].name, *slots[i].parameter, slots[i].parameter->dim() == 2 ? 0.1 : 0.0, 1, target});
  }
  const auto optimizer = make_optimizer({}, parameters);
  CageOptions cage;
  cage.start = c.at("silence");
  const std::vector<int16_t> data = values<int16_t>("data");
  TwinRun run;
  for (int64_t t = 1; t <= 200; ++t) {
    quantized.phase->training = true;
    for (OptimizedParameter& p : optimizer->parameters()) p.value.mutable_grad() = at::Tensor();
    const at::Tensor loss = summed_loss(model, batch_at(data, t - 1)).div(512.0);
    run.losses.push_back(loss.item<double>());
    loss.backward();
    const double norm = gradient_norm(optimizer->parameters());
    const double lambda = c.at("lambda").get<double>() * cage_ramp(cage, t, 200);
    const at::NoGradGuard guard;
    optimizer->step(t, 1e-3 * learning_rate_share({}, t, 200), std::min(1.0, 1 / (norm + 1e-6)), {lambda, 0});
  }
  for (OptimizedParameter& p : optimizer->parameters()) {
    if (!p.target) continue;
    const GridDistance d = distance_to_target(p.value.detach(), *p.target);
    run.gap.push_back(std::sqrt(d.squared_error / d.squared_norm));
  }
  return run;
}

double mean(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

class Twin : public testing::TestWithParam<std::string> {};

TEST_P(Twin, LossesAndFinalGap) {
  const auto cases = nlohmann::json::parse(golden().metadata().at("cases"));
  for (const auto& c : cases) {
    const std::string id = c.at("id");
    if (id != GetParam()) continue;
    const TwinRun run = run_case(c);
    const std::vector<float> expected = values<float>(id + ".losses"), gap = values<float>(id + ".final_gap");
    std::vector<double> expected_losses(expected.begin(), expected.end());
    EXPECT_NEAR(run.losses[0], expected[0], 1e-5);
    EXPECT_NEAR(run.losses[1], expected[1], 1e-5);
    for (size_t i = 0; i < 200; ++i) EXPECT_NEAR(run.losses[i] / expected[i], 1, 0.01) << "step " << i;
    EXPECT_NEAR(mean(run.losses) / mean(expected_losses), 1, 1e-3);
    // Codes that fall the other way scatter single matrices; their mean does not.
    const bool strong = id == "quest_w2a2_cage_strong";
    std::vector<double> ratios;
    for (size_t i = 0; i < run.gap.size(); ++i) {
      ratios.push_back(run.gap[i] / gap[i]);
      EXPECT_NEAR(ratios.back(), 1, strong ? 0.2 : 0.05) << "matrix " << i;
    }
    if (!ratios.empty()) {
      EXPECT_NEAR(mean(ratios), 1, strong ? 0.05 : 0.01);
    }
    EXPECT_EQ(run.gap.size(), c.at("bits").is_null() ? 0u : 14u);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Twin,
                         testing::Values("full", "quest", "quest_cage", "quest_w2a2", "quest_w2a2_cage_strong"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace detent
