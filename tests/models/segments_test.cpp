// Documents packed into one row must give the logits they give alone.
#include <gtest/gtest.h>

#include "detent/models/causal_lm.h"
#include "tests/support/bits.h"

#include "tests/support/small_model.h"

namespace detent {
namespace {

CausalLm small_model() {
  DecoderConfig config = test::small_config();
  config.vocab_size = 50;
  return {config, 3};
}

at::Tensor some_ids(int64_t length) { return at::arange(length, at::kLong).mul(7).remainder(50).unsqueeze(0); }

TEST(Segments, PackedDocumentsGiveTheLogitsOfEachAlone) {
  const at::NoGradGuard guard;
  CausalLm model = small_model();
  const at::Tensor ids = some_ids(12);
  // The numbers need not count up, and a second row may be cut elsewhere.
  const at::Tensor segments =
      at::cat({at::full({5}, 7, at::kLong), at::full({1}, 2, at::kLong), at::full({6}, 3, at::kLong)});
  const at::Tensor two = at::stack({segments, at::zeros({12}, at::kLong)});
  const at::Tensor packed = model.logits(ids.expand({2, 12}), two);
  const std::pair<int64_t, int64_t> spans[] = {{0, 5}, {5, 1}, {6, 6}};
  for (const auto& [begin, length] : spans) {
    const at::Tensor alone = model.logits(ids.narrow(1, begin, length)).squeeze(0);
    EXPECT_LE(test::relative_error(packed[0].narrow(0, begin, length), alone), 1e-5) << begin;
  }
  EXPECT_LE(test::relative_error(packed[1], model.logits(ids).squeeze(0)), 1e-5);
  // Without segments the second document sees the first.
  EXPECT_GT(test::relative_error(model.logits(ids)[0].narrow(0, 6, 6), packed[0].narrow(0, 6, 6)), 1e-2);
}

TEST(Segments, GradientsDoNotCrossDocuments) {
  CausalLm model = small_model();
  at::Tensor& table = *model.slots()[0].parameter;
  table.set_requires_grad(true);
  const at::Tensor ids = at::arange(8, at::kLong).unsqueeze(0);
  const at::Tensor segments = at::tensor({0, 0, 0, 0, 1, 1, 1, 1}, at::kLong).unsqueeze(0);
  model.logits(ids, segments).narrow(1, 4, 4).square().sum().backward();
  EXPECT_EQ(table.grad().narrow(0, 0, 4).abs().max().item<float>(), 0);
  EXPECT_GT(table.grad().narrow(0, 4, 4).abs().max().item<float>(), 0);
}

}  // namespace
}  // namespace detent
