#include "detent/train/losses.h"

#include <gtest/gtest.h>

#include "detent/base/node.h"
#include "detent/base/options.h"
#include "detent/data/corpus.h"
#include "detent/data/loader.h"
#include "detent/qat/presets.h"
#include "tests/io/support.h"
#include "tests/support/small_model.h"

namespace detent {
namespace {

DecoderConfig tiny_config(int64_t vocabulary = 257) {
  DecoderConfig config = test::small_config();
  config.vocab_size = vocabulary;
  return config;
}

// Documents of such lengths, ids at random.
std::shared_ptr<const Tokens> documents(const std::vector<int64_t>& lengths, std::vector<TokenRange> scored = {}) {
  std::vector<int32_t> ids;
  std::vector<uint64_t> ends;
  uint32_t random = 5;
  for (const int64_t length : lengths) {
    for (int64_t i = 0; i < length; ++i)
      ids.push_back(static_cast<int32_t>((random = random * 1664525 + 1013904223) >> 24));
    ends.push_back(ids.size());
  }
  return std::make_shared<TokensInMemory>(std::move(ids), std::move(ends), std::move(scored));
}

Batch alone(const Tokens& tokens, TokenRange document) {
  const auto first = static_cast<int64_t>(document.begin), size = static_cast<int64_t>(document.end - document.begin);
  Batch batch(1, size - 1, 0);
  batch.fill_row(0, tokens.read(first, size), tokens.scored_in(first, size));
  return batch;
}

double loss_of(CausalLm& model, const Batch& batch) { return summed_loss(model, batch).item<double>(); }

// Trained on 6 positions: most documents here are longer, each by another length.
DecoderConfig dynamic_config() {
  DecoderConfig config = tiny_config();
  config.max_position_embeddings = 6;
  config.rope_scaling = {.type = RopeType::kDynamic, .factor = 4};
  return config;
}

class PackedLossOf : public testing::TestWithParam<DecoderConfig> {};
INSTANTIATE_TEST_SUITE_P(Rope, PackedLossOf, testing::Values(tiny_config(), dynamic_config()));

// Reference: each document in a forward of its own.
TEST_P(PackedLossOf, IsTheMeanOverTheDocumentsAlone) {
  CausalLm model(GetParam(), 3);
  for (const std::vector<TokenRange>& scored : {std::vector<TokenRange>{}, {{3, 6}, {12, 14}, {20, 21}, {40, 41}}}) {
    const auto tokens = documents({9, 5, 12, 3, 20, 2, 7}, scored);
    double sum = 0;
    int64_t count = 0;
    for (int64_t d = 0; d < tokens->documents(); ++d) {
      const Batch batch = alone(*tokens, tokens->document(d));
      sum += loss_of(model, batch);
      count += batch.scored;
    }
    Loader loader({tokens}, {32, 0, 0, Packing::kDocuments});
    const Batch packed = loader.next(loader.windows());
    ASSERT_EQ(packed.scored, count);
    EXPECT_NEAR(loss_of(model, packed) / static_cast<double>(count), sum / static_cast<double>(count), 1e-5);
    EXPECT_NEAR(prediction_losses(model, packed, predictions_of(packed)).sum(at::kDouble).item<double>(), sum, 1e-4);
  }
}

TEST(PackedLoss, ADocumentDoesNotChangeItsNeighbours) {
  CausalLm model(tiny_config(), 3);
  Loader loader({documents({9, 12, 6})}, {24, 0, 0, Packing::kDocuments});
  Batch batch = loader.next(1);
  ASSERT_FALSE(batch.segments.empty());
  const auto logits = [&] {
    return model.logits(at::tensor(batch.inputs).view({1, -1}), at::tensor(batch.segments).view({1, -1}));
  };
  const at::Tensor before = logits();
  const at::Tensor middle = at::tensor(batch.segments).eq(1);
  for (size_t i = 0; i < batch.inputs.size(); ++i)
    if (batch.segments[i] == 1) batch.inputs[i] = (batch.inputs[i] + 77) % 256;
  const at::Tensor difference = (logits() - before).abs().amax(-1).view(-1);
  EXPECT_EQ(difference.masked_select(middle.logical_not()).max().item<float>(), 0);
  EXPECT_GT(difference.masked_select(middle).min().item<float>(), 0);
}

// The gradient too: training on packed documents is training on each.
TEST(PackedLoss, GradientIsTheSumOverTheDocumentsAlone) {
  CausalLm model(tiny_config(), 3);
  const auto tokens = documents({9, 5, 12});
  for (const nn::Slot& slot : model.slots()) slot.parameter->set_requires_grad(true);
  const auto gradients = [&](const std::vector<Batch>& batches) {
    for (const nn::Slot& slot : model.slots()) slot.parameter->mutable_grad() = at::Tensor();
    for (const Batch& batch : batches) summed_loss(model, batch).backward();
    std::vector<at::Tensor> all;
    for (const nn::Slot& slot : model.slots()) all.push_back(slot.parameter->grad().clone());
    return all;
  };
  std::vector<Batch> each;
  for (int64_t d = 0; d < 3; ++d) each.push_back(alone(*tokens, tokens->document(d)));
  Loader loader({tokens}, {23, 0, 0, Packing::kDocuments});
  const std::vector<at::Tensor> expected = gradients(each), packed = gradients({loader.next(1)});
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_LT((packed[i] - expected[i]).abs().max().item<float>(), 1e-4 * (1 + expected[i].abs().max().item<float>()));
}

// Against the graph over all logits at once: in parts, with a head of its own and a tied one, positions not scored.
TEST(Backpropagate, GivesTheLossAndTheGradientsOverAllLogits) {
  for (const bool tied : {false, true}) {
    DecoderConfig config = tiny_config(50'000);
    config.tie_word_embeddings = tied;
    CausalLm model(config, 3);
    for (const nn::Slot& slot : model.slots()) slot.parameter->set_requires_grad(true);
    Loader loader({documents({200, 180, 260}, {{0, 150}, {210, 600}})}, {300, 0, 0, Packing::kDocuments});
    const Batch batch = loader.next(loader.windows());
    ASSERT_GT(batch.rows * batch.columns, 2 * positions_at_a_time(config.vocab_size, false));
    const auto gradients = [&] {
      std::vector<at::Tensor> all;
      for (const nn::Slot& slot : model.slots()) {
        all.push_back(slot.parameter->grad().clone());
        slot.parameter->mutable_grad() = at::Tensor();
      }
      return all;
    };
    const at::Tensor loss = summed_loss(model, batch);
    loss.div(7.0).backward();
    const std::vector<at::Tensor> expected = gradients();
    const double nats = backpropagate(model, training_states(model, batch), batch, 7.0, positions_at_a_time(model, {}));
    const std::vector<at::Tensor> got = gradients();
    EXPECT_NEAR(nats, loss.item<double>(), 1e-5 * nats);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_LT((got[i] - expected[i]).abs().max().item<float>(), 1e-5 * (1 + expected[i].abs().max().item<float>()));
  }
}

// A learned scale of the head's input sees the batch as one piece: its start and its gradient are the plain twin's.
TEST(Backpropagate, ALearnedInputScaleOfTheHeadIsOfTheWholeBatch) {
  DecoderConfig config = tiny_config(50'000);
  config.tie_word_embeddings = false;
  CausalLm model(config, 3);
  for (const nn::Slot& slot : model.slots()) slot.parameter->set_requires_grad(true);
  Node node = parse_yaml(
      "{skip: [embed_tokens], weights: {grid: int, bits: 4, group: row, scale: absmax},"
      " activations: {grid: int, bits: 8, scale: learned, surrogate: lsq, group: tensor}}",
      "quant");
  expand_quant(node);
  QuantOptions options;
  read_options(node, options);
  QuantizedModel quantized = attach(options, model.slots());
  quantized.phase->training = true;
  Loader loader({documents({200, 180, 260})}, {300, 0, 0, Packing::kDocuments});
  const Batch batch = loader.next(loader.windows());
  const auto gradients = [&] {
    std::vector<at::Tensor> all;
    for (const auto& [name, quantizer] : quantized.learned()) {
      all.push_back(quantizer->learned().grad().clone());
      quantizer->learned().mutable_grad() = at::Tensor();
    }
    return all;
  };
  summed_loss(model, batch).backward();
  const std::vector<at::Tensor> expected = gradients();
  backpropagate(model, training_states(model, batch), batch, 1, positions_at_a_time(model, quantized));
  const std::vector<at::Tensor> got = gradients();
  ASSERT_FALSE(expected.empty());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_LT((got[i] - expected[i]).abs().max().item<float>(), 1e-3 * expected[i].abs().max().item<float>()) << i;
}

// Against logits of every position at once: a head that is an ordinary product, tied or not, and one whose rule has the
// word, with so large a vocabulary that it is computed in parts.
enum class Head { kTied, kOwn, kQuantized, kQuantizedInput };
QuantOptions quantized_head(bool input) {
  const std::string eight = "{grid: int, bits: 8, scale: absmax, group: token}";
  Node node = parse_yaml("{skip: [embed_tokens], weights: {grid: int, bits: 2, group: row, scale: absmax}" +
                             (input ? ", activations: " + eight : "") + "}",
                         "quant");
  expand_quant(node);
  QuantOptions options;
  read_options(node, options);
  return options;
}

class PredictionLosses : public testing::TestWithParam<Head> {};
INSTANTIATE_TEST_SUITE_P(Heads, PredictionLosses,
                         testing::Values(Head::kTied, Head::kOwn, Head::kQuantized, Head::kQuantizedInput));

TEST_P(PredictionLosses, EqualTheLossOverAllLogits) {
  for (const int64_t vocabulary : {257, 300'000}) {
    DecoderConfig config = tiny_config(vocabulary);
    config.tie_word_embeddings = GetParam() == Head::kTied;
    CausalLm model(config, 3);
    QuantizedModel quantized;
    if (GetParam() >= Head::kQuantized)
      quantized = attach(quantized_head(GetParam() == Head::kQuantizedInput), model.slots());
    const auto tokens = documents({41, 60}, {{2, 30}, {41, 101}});
    Loader loader({tokens}, {64, 0, 0, Packing::kDocuments});
    const Batch batch = loader.next(loader.windows());
    const at::Tensor logits = model.logits(at::tensor(batch.inputs).view({batch.rows, -1}));
    const at::Tensor expected = at::cross_entropy_loss(logits.view({-1, vocabulary}), at::tensor(batch.targets), {},
                                                       at::Reduction::None, kNotScored);
    const at::Tensor losses = prediction_losses(model, batch, predictions_of(batch));
    ASSERT_EQ(losses.numel(), batch.scored);
    const at::Tensor scored = expected.masked_select(at::tensor(batch.targets).ne(kNotScored));
    EXPECT_LT((losses - scored).abs().max().item<float>(), 1e-5);
  }
}

}  // namespace
}  // namespace detent
