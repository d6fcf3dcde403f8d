// Training by composites alone, as another device would: whole runs next to those by kernels.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "detent/base/philox.h"
#include "detent/ops/device.h"
#include "detent/train/losses.h"
#include "detent/train/trainer.h"
#include "tests/io/support.h"
#include "tests/support/small_model.h"

namespace detent {
namespace {

struct Arm {
  const char *name, *config;
};
const Arm kArms[] = {
    {"Full", "{}"},
    {"Sgd", "{optimizer: {name: sgd, learning_rate: 0.05, nesterov: true}}"},
    {"Ste",
     "{quant: {weights: {grid: int, bits: 4, group: 32, scale: absmax, scale_format: fp16}}, cage: {pull: 0.06, "
     "start: 0.2}}"},
    {"Signed", "{quant: {target: 'gguf:q4_0'}, cage: {pull: 0.06, start: 0.2}}"},
    {"Coupled",
     "{quant: {weights: {grid: int, bits: 3, group: row, scale: absmax}}, cage: {lambda: 1, mode: coupled, "
     "start: 0.2}, optimizer: {name: sgd, learning_rate: 0.05}}"},
    {"Quest", "{quant: {preset: quest_w4a4}, cage: {pull: 0.06, start: 0.2}}"},
    {"QuestHalf",
     "{quant: {preset: quest_w4a4, weights: {rotation: hadamard_half}, activations: {rotation: hadamard_half}}}"},
    {"Codes",
     "{quant: {weights: {grid: int, bits: 4, group: 32, scale: absmax}, activations: {grid: int, bits: 8, "
     "group: token, scale: absmax}}}"},
    {"Lsq",
     "{quant: {weights: {grid: int, bits: 4, group: row, scale: learned, surrogate: lsq}, activations: {grid: "
     "int, bits: 8, group: tensor, scale: learned, surrogate: lsq}}, cage: {pull: 0.06, start: 0.2}}"},
    {"SeqWinq",
     "{quant: {weights: {grid: midrise, bits: 2, group: row, scale: learned, surrogate: seq}}, winq: {every: "
     "10, noise: 0.001}}"},
    {"Binary", "{quant: {weights: {grid: binary, group: row, scale: learned, surrogate: binary}}}"},
    {"Ternary", "{quant: {weights: {grid: ternary, group: row, scale: mean, surrogate: ternary}}}"},
    {"Blending", "{quant: {weights: {grid: int, bits: 4, group: 32, scale: absmax}}, alpha_blending: {end: 0.8}}"},
    {"E2m1", "{quant: {weights: {grid: e2m1, group: 32, scale: absmax_full, scale_format: e8m0}, unquantized: q8_0}}"},
};

// A little text with something to learn in it.
std::string text() {
  std::string all;
  const RandomStream stream{7, 0, 0};
  for (uint64_t i = 0; i < 1500; ++i)
    all += std::vector<std::string>{"ab ", "abba ", "cab ", "dad. "}[static_cast<size_t>(stream.uniform(i) * 4)];
  return all;
}

TrainConfig config_of(const Arm& arm, const io::test::TemporaryFolder& folder, const std::string& run) {
  Node node = parse_yaml(arm.config, "config.yaml");
  for (const std::string& set :
       {std::string("model={hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2}"),
        "data={train: ['" + (folder / "text.txt").string() + "'], valid: ['" + (folder / "text.txt").string() +
            "'], tokenizer: bytes, sequence_length: 32}",
        std::string("train={steps: 30, batch_size: 4, log_every: 1, threads: 1}"), std::string("eval.batches=2"),
        "output='" + (folder / run).string() + "'"})
    apply_set(node, set);
  return train_config_from_node(std::move(node));
}

struct Trained {
  std::vector<double> losses, norms;
  double validation = 0;
};

Trained run_of(const Arm& arm, const io::test::TemporaryFolder& folder, const std::string& name) {
  const TrainConfig config = config_of(arm, folder, name);
  Trained run;
  run.validation = train(config, false, true).validation.loss;
  std::ifstream log(std::filesystem::path(config.output) / "log.jsonl");
  for (std::string line; std::getline(log, line);) {
    const auto row = nlohmann::json::parse(line);
    if (row.at("kind") != "train") continue;
    run.losses.push_back(row.at("loss"));
    run.norms.push_back(row.at("grad_norm"));
  }
  return run;
}

class CompositeRun : public testing::TestWithParam<Arm> {};

// The same class as runs next to the PyTorch twin (tests/golden/README.md): rounding differs in what stands between
// products, and codes that fall the other way carry it on.
TEST_P(CompositeRun, LosesAsTheKernelsDo) {
  const io::test::TemporaryFolder folder;
  io::test::write_raw(folder / "text.txt", text());
  const Trained kernels = run_of(GetParam(), folder, "kernels");
  const ops::CompositesOnly only;
  const Trained composites = run_of(GetParam(), folder, "composites");
  ASSERT_EQ(kernels.losses.size(), 30u);
  ASSERT_EQ(composites.losses.size(), 30u);
  EXPECT_LT(kernels.losses[29], kernels.losses[0] - 0.1);
  EXPECT_NEAR(composites.losses[0], kernels.losses[0], 1e-5);
  EXPECT_NEAR(composites.norms[0] / kernels.norms[0], 1, 1e-3);
  for (size_t i = 0; i < 30; ++i) EXPECT_NEAR(composites.losses[i] / kernels.losses[i], 1, 0.01) << "step " << i + 1;
  EXPECT_NEAR(composites.validation / kernels.validation, 1, 0.01);
}

INSTANTIATE_TEST_SUITE_P(Arms, CompositeRun, testing::ValuesIn(kArms),
                         [](const auto& tested) { return std::string(tested.param.name); });

// What a forward makes itself is where the model is. (LibTorch's own embedding does not run on `meta`, so that a whole
// forward cannot be tried there.)
TEST(Composites, MasksAndAnglesAreWhereTheModelIs) {
  CausalLm model(test::small_config(), 0);
  model.move_to(at::kMeta);
  EXPECT_EQ(model.device(), at::Device(at::kMeta));
  for (const nn::Slot& slot : model.slots()) EXPECT_TRUE(slot.parameter->is_meta()) << slot.name;
  const at::Tensor segments = at::zeros({2, 8}, at::TensorOptions(at::kLong).device(at::kMeta));
  for (const int64_t window : {0, 4}) EXPECT_TRUE(nn::attention_mask(0, 8, window, segments, at::kMeta).is_meta());
  const nn::Rotation rotation = nn::Rope(test::small_config()).of_context(0, 8).on(at::kMeta);
  EXPECT_TRUE(rotation.cos.is_meta() && rotation.sin.is_meta());
}

}  // namespace
}  // namespace detent
