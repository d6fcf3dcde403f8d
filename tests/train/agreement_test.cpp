// KL and equal likeliest ids between two models, against the same sums over plain logits; and how llama.cpp multiplies.
#include "detent/train/agreement.h"

#include <ATen/ATen.h>
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <cmath>

#include "detent/data/tokenizer.h"
#include "detent/import/gguf_runtime.h"
#include "tests/support/small_model.h"

namespace detent {
namespace {

CausalLm model_of(uint64_t seed) { return {test::small_config(), seed}; }

const std::string kText = "What is trained is what is shipped, to the last bit.";

TEST(Agreement, AModelAgreesWithItself) {
  CausalLm model = model_of(1);
  const EvalWindows windows(std::vector{kText}, *byte_tokenizer(), {.context = 16});
  const Agreement a = compare_predictions(model, model, windows, 2);
  EXPECT_EQ(a.kl, 0);
  EXPECT_EQ(a.top1, 1);
  EXPECT_EQ(a.loss, a.other_loss);
  EXPECT_EQ(a.tokens, windows.tokens());
  EXPECT_NEAR(a.loss, evaluate(model, windows, 2).loss, 1e-5);
}

TEST(Agreement, SumsOfTwoModels) {
  const at::NoGradGuard guard;
  CausalLm first = model_of(1), second = model_of(2);
  const EvalWindows windows(std::vector{kText}, *byte_tokenizer(), {.context = 2048});
  const Agreement a = compare_predictions(first, second, windows, 1);
  const Batch batch = windows.batch(0, 1);
  const at::Tensor ids = at::tensor(at::ArrayRef<int64_t>(batch.inputs)).view({1, -1});
  const at::Tensor p = at::softmax(first.logits(ids).to(at::kDouble), -1),
                   q = at::softmax(second.logits(ids).to(at::kDouble), -1);
  double kl = 0, same = 0, loss = 0;
  for (int64_t t = 0; t < batch.columns; ++t) {
    kl += (p[0][t] * (p[0][t] / q[0][t]).log()).sum().item<double>();
    same += p[0][t].argmax().item<int64_t>() == q[0][t].argmax().item<int64_t>();
    loss -= std::log(q[0][t][batch.targets[t]].item<double>());
  }
  const auto tokens = static_cast<double>(batch.columns);
  EXPECT_GT(kl / tokens, 1e-3);
  EXPECT_NEAR(a.kl, kl / tokens, 1e-5 * kl / tokens + 1e-7);
  EXPECT_DOUBLE_EQ(a.top1, same / tokens);
  EXPECT_NEAR(a.other_loss, loss / tokens, 1e-5);
}

TEST(Runtime, InputsByTheTypeOfTheWeight) {
  const auto name = [](const char* type) {
    const auto input = runtime_input(*io::find_ggml_type(type));
    return input ? input->name() : "as they are";
  };
  for (const char* type : {"Q4_0", "Q5_0", "Q8_0", "Q1_0", "Q2_0", "MXFP4"})
    EXPECT_EQ(name(type), "int8 absmax 32 fp16");
  for (const char* type : {"TQ1_0", "TQ2_0", "Q2_K", "Q3_K", "Q4_K", "Q6_K"}) EXPECT_EQ(name(type), "int8 absmax 256");
  for (const char* type : {"F32", "F16", "BF16"}) EXPECT_EQ(name(type), "as they are");
}

}  // namespace
}  // namespace detent
