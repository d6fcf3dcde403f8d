// Every family and choice against transformers (tests/golden/architectures): the folders it saved are opened as users'
// are, in either spelling of the config, in F32, F16 and BF16, whole and in shards.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "detent/train/model_folder.h"
#include "tests/support/bits.h"
#include "tests/support/golden.h"

namespace detent {
namespace {

using nlohmann::json;

constexpr double kWorstLogit = 2e-4, kWorstPerplexity = 1e-4;

const test::Golden& golden() {
  static const test::Golden file("architectures/logits.safetensors");
  return file;
}

std::unique_ptr<CausalLm> load(const json& entry) {
  return load_latent_model(test::golden_path("architectures/" + entry.at("folder").get<std::string>()));
}

// Mean cross entropy of the shifted targets.
at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& ids) {
  const at::Tensor predicted = logits.narrow(1, 0, ids.size(1) - 1).reshape({-1, logits.size(2)});
  return at::cross_entropy_loss(predicted, ids.narrow(1, 1, ids.size(1) - 1).reshape({-1}));
}

double worst(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

class Architectures : public testing::TestWithParam<json> {
 protected:
  at::Tensor of(const char* key) const { return golden().of(GetParam(), key); }
  void note(double value) { RecordProperty("worst", std::to_string(value * 1e9) + "e-9"); }
};

TEST_P(Architectures, LogitsAndPerplexity) {
  const at::NoGradGuard guard;
  const at::Tensor logits = load(GetParam())->logits(of("input_ids"));
  ASSERT_EQ(logits.sizes(), of("logits").sizes());
  EXPECT_LE(worst(logits, of("logits")), kWorstLogit);
  const double difference = loss_of(logits, of("input_ids")).item<double>() - of("loss").item<double>();
  EXPECT_LE(std::abs(std::expm1(difference)), kWorstPerplexity);
  note(worst(logits, of("logits")));
}

TEST_P(Architectures, GradientsOfEveryParameter) {
  if (!GetParam().at("gradients").get<bool>()) GTEST_SKIP() << "no gradients stored for this model";
  const auto model = load(GetParam());
  for (const nn::Slot& slot : model->slots()) slot.parameter->set_requires_grad(true);
  loss_of(model->logits(of("input_ids")), of("input_ids")).backward();
  for (const nn::Slot& slot : model->slots())
    EXPECT_LE(test::relative_error(slot.parameter->grad(), of(("grad." + slot.name).c_str())), 2e-5) << slot.name;
}

TEST_P(Architectures, DocumentsInOneRow) {
  if (!GetParam().at("packed").get<bool>()) GTEST_SKIP() << "no packed row stored for this model";
  const at::NoGradGuard guard;
  EXPECT_LE(worst(load(GetParam())->logits(of("input_ids"), of("segments")), of("packed_logits")), kWorstLogit);
}

// The plain twin of generation: all ids are read again for each new one.
TEST_P(Architectures, TheCacheGivesTheSameLogits) {
  const at::NoGradGuard guard;
  const auto model = load(GetParam());
  const at::Tensor ids = of("input_ids");
  if (!model->can_extend(ids.size(1))) GTEST_SKIP() << "each length has its own frequencies";
  const at::Tensor whole = model->logits(ids);
  for (const std::vector<int64_t>& pieces : {std::vector<int64_t>{1, 1, 1}, {9, 1, 1, 4, 1}, {2, 7, 8, 1}}) {
    nn::KvCache cache;
    int64_t read = 0;
    for (const int64_t piece : pieces) {
      const at::Tensor next = model->next_logits(ids.narrow(1, read, piece), cache);
      read += piece;
      EXPECT_LE(test::relative_error(next, whole.select(1, read - 1)), 1e-5) << read;
    }
    EXPECT_EQ(cache.length(), read);
  }
}

// A choice that the rest of the file tests must show: without it the logits are others.
TEST_P(Architectures, EveryChoiceShows) {
  const at::NoGradGuard guard;
  const auto model = load(GetParam());
  const at::Tensor ids = of("input_ids");
  DecoderConfig plain = model->config();
  const bool scaled = plain.rope_scaling.type != RopeType::kDefault && GetParam().at("id") != "llama_dynamic_short";
  if (!scaled && plain.sliding_layers.empty()) GTEST_SKIP() << "biases and norms show as missing tensors";
  plain.rope_scaling = {};
  plain.sliding_layers.clear();
  CausalLm other(plain);
  const std::vector<nn::Slot> from = model->slots(), to = other.slots();
  for (size_t i = 0; i < from.size(); ++i) *to[i].parameter = *from[i].parameter;
  EXPECT_GT(worst(other.logits(ids), of("logits")), 100 * kWorstLogit);
}

TEST_P(Architectures, ConfigSurvivesBothSpellings) {
  const DecoderConfig config = load(GetParam())->config();
  const json written = to_json(config);
  EXPECT_EQ(to_json(decoder_config_from_json(written, "written")), written);
  json newer = written, older = written;
  for (const char* key : {"rope_theta", "rope_scaling", "torch_dtype"}) newer.erase(key);
  for (const char* key : {"rope_parameters", "dtype", "layer_types"}) older.erase(key);
  EXPECT_EQ(to_json(decoder_config_from_json(newer, "newer")), written);
  if (GetParam().at("id") != "qwen3_window") {  // its layers slide in an order that the older spelling cannot say
    EXPECT_EQ(to_json(decoder_config_from_json(older, "older")), written);
  }
}

TEST_P(Architectures, CountIsTheSumOfTheSlots) {
  const auto model = load(GetParam());
  int64_t total = 0;
  for (const nn::Slot& slot : model->slots()) total += slot.parameter->numel();
  EXPECT_EQ(total, model->config().parameter_count());
}

std::string name_of(const testing::TestParamInfo<json>& info) { return info.param.at("id"); }
INSTANTIATE_TEST_SUITE_P(All, Architectures, testing::ValuesIn(golden().cases().get<std::vector<json>>()), name_of);

}  // namespace
}  // namespace detent
