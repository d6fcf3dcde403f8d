// What an evaluation may not depend on, and what it says when there is nothing to evaluate.
#include "detent/train/evaluate.h"

#include <ATen/ATen.h>
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include "detent/base/error.h"
#include "detent/data/tokenizer.h"
#include "detent/train/agreement.h"
#include "detent/train/choices.h"
#include "tests/support/small_model.h"

namespace detent {
namespace {

DecoderConfig config(RopeType rope) {
  DecoderConfig config = test::small_config();
  config.max_position_embeddings = 6;
  config.rope_scaling = {.type = rope, .factor = 4};
  return config;
}

class BatchSize : public testing::TestWithParam<RopeType> {
 protected:
  CausalLm model_{config(GetParam()), 3};
  std::unique_ptr<Tokenizer> tokenizer_ = make_tokenizer("bytes");
};
INSTANTIATE_TEST_SUITE_P(Rope, BatchSize, testing::Values(RopeType::kDefault, RopeType::kLinear, RopeType::kDynamic));

// Windows of many lengths: in a batch the shorter ones are padded.
EvalWindows windows_of_many_lengths(const Tokenizer& tokenizer) {
  return {{"a text of some length", "a shorter one", "one", "of twelve ", "another ten"}, tokenizer, {.context = 12}};
}

TEST_P(BatchSize, DoesNotChangeAPerplexity) {
  const EvalWindows windows = windows_of_many_lengths(*tokenizer_);
  const Evaluation alone = evaluate(model_, windows, 1), together = evaluate(model_, windows, 16);
  EXPECT_EQ(alone.tokens, together.tokens);
  EXPECT_NEAR(alone.loss, together.loss, 1e-6);
}

TEST_P(BatchSize, DoesNotChangeAnAgreement) {
  CausalLm other(config(GetParam()), 4);
  const EvalWindows windows = windows_of_many_lengths(*tokenizer_);
  const Agreement alone = compare_predictions(model_, other, windows, 1);
  const Agreement together = compare_predictions(model_, other, windows, 16);
  EXPECT_EQ(alone.tokens, together.tokens);
  EXPECT_NEAR(alone.loss, together.loss, 1e-6);
  EXPECT_NEAR(alone.kl, together.kl, 1e-6);
}

TEST_P(BatchSize, DoesNotChangeAChoice) {
  Task task;
  task.questions.push_back({"t:1", "which of them", {" a", " two words", " the third answer"}, 0});
  task.questions.push_back({"t:2", "and here", {" b", " some more words"}, 1});
  const TaskResult alone = evaluate_task(model_, task, *tokenizer_, {.context = 64, .batch_size = 1});
  const TaskResult together = evaluate_task(model_, task, *tokenizer_, {.context = 64, .batch_size = 16});
  for (size_t q = 0; q < task.questions.size(); ++q)
    for (size_t c = 0; c < task.questions[q].choices.size(); ++c)
      EXPECT_NEAR(alone.answers[q].log_likelihoods[c], together.answers[q].log_likelihoods[c], 1e-4) << q << c;
}

TEST(Evaluate, SaysWhyThereIsNothingToScore) {
  CausalLm model(config(RopeType::kDefault), 3);
  const auto tokenizer = make_tokenizer("bytes");
  const auto why = [&](const std::string& text, Convention convention) {
    try {
      evaluate(model, EvalWindows({text}, *tokenizer, {.context = 8, .convention = convention}), 4);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(why("seven b", Convention::kGptq), testing::HasSubstr("holds 7 tokens"));
  EXPECT_THAT(why("seven b", Convention::kGptq), testing::HasSubstr("whole windows of 8"));
  EXPECT_THAT(why("a", Convention::kWindows), testing::HasSubstr("no window of two tokens"));
  EXPECT_EQ(why("eight by", Convention::kGptq), "");
}

}  // namespace
}  // namespace detent
