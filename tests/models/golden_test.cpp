// The model against transformers (tests/golden/llama): logits, loss and the gradient of every parameter.
#include <gtest/gtest.h>

#include "detent/models/causal_lm.h"
#include "tests/support/bits.h"
#include "tests/support/golden.h"

namespace detent {
namespace {

using nlohmann::json;

const test::Golden& golden() {
  static const test::Golden file("llama/logits.safetensors");
  return file;
}

// A model with the weights of a folder that transformers saved.
CausalLm load(const std::string& folder) {
  const std::string path = "llama/" + folder;
  const io::MappedFile config(test::golden_path(path + "/config.json"));
  const std::string_view text(reinterpret_cast<const char*>(config.bytes().data()), config.bytes().size());
  CausalLm model(decoder_config_from_json(parse_json(text, path), path), 0);
  const test::Golden weights(path + "/model.safetensors");
  std::vector<std::string> left = weights.names();
  for (const nn::Slot& slot : model.slots()) {
    *slot.parameter = weights.tensor(slot.name).set_requires_grad(true);
    left.erase(std::remove(left.begin(), left.end(), slot.name), left.end());
  }
  EXPECT_TRUE(left.empty()) << left.front();
  return model;
}

// Mean cross entropy of the shifted targets.
at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& ids) {
  const at::Tensor predicted = logits.narrow(1, 0, ids.size(1) - 1).reshape({-1, logits.size(2)});
  return at::cross_entropy_loss(predicted, ids.narrow(1, 1, ids.size(1) - 1).reshape({-1}));
}

class LlamaGolden : public testing::TestWithParam<json> {};

TEST_P(LlamaGolden, LogitsAndLoss) {
  const at::Tensor ids = golden().of(GetParam(), "input_ids"), expected = golden().of(GetParam(), "logits");
  const at::Tensor logits = load(GetParam().at("folder")).logits(ids);
  ASSERT_EQ(logits.sizes(), expected.sizes());
  const double worst = (logits - expected).abs().max().item<double>();
  EXPECT_LE(worst, 1e-4);
  EXPECT_NEAR(loss_of(logits, ids).item<double>(), golden().of(GetParam(), "loss").item<double>(), 1e-5);
  RecordProperty("worst", std::to_string(worst * 1e9) + "e-9");
}

TEST_P(LlamaGolden, GradientsOfEveryParameter) {
  if (!GetParam().at("gradients").get<bool>()) GTEST_SKIP() << "no gradients stored for this model";
  CausalLm model = load(GetParam().at("folder"));
  const at::Tensor ids = golden().of(GetParam(), "input_ids");
  loss_of(model.logits(ids), ids).backward();
  double worst = 0;
  for (const nn::Slot& slot : model.slots()) {
    const double error = test::relative_error(slot.parameter->grad(), golden().of(GetParam(), "grad." + slot.name));
    EXPECT_LE(error, 2e-5) << slot.name;
    worst = std::max(worst, error);
  }
  RecordProperty("worst", std::to_string(worst * 1e9) + "e-9");
}

// What comes later must not be seen: the logits of a prefix are those of the whole.
TEST_P(LlamaGolden, AttentionIsCausal) {
  CausalLm model = load(GetParam().at("folder"));
  const at::Tensor ids = golden().of(GetParam(), "input_ids");
  const at::Tensor whole = model.logits(ids).narrow(1, 0, 7), prefix = model.logits(ids.narrow(1, 0, 7));
  EXPECT_LE(test::relative_error(prefix, whole), 1e-5);
}

std::string name_of(const testing::TestParamInfo<json>& info) { return info.param.at("id"); }
INSTANTIATE_TEST_SUITE_P(All, LlamaGolden, testing::ValuesIn(golden().cases().get<std::vector<json>>()), name_of);

TEST(LlamaParameters, CountIsTheSumOfTheSlots) {
  for (const json& entry : golden().cases()) {
    CausalLm model = load(entry.at("folder"));
    int64_t total = 0;
    for (const nn::Slot& slot : model.slots()) total += slot.parameter->numel();
    EXPECT_EQ(total, model.config().parameter_count());
  }
}

}  // namespace
}  // namespace detent
