#include "detent/kernels/hadamard/cases.h"
#include "detent/kernels/stream.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same_output;

DETENT_KERNEL_TEST(Hadamard);

void check(const std::vector<float>& x, int offset, int64_t block) {
  const int64_t n = static_cast<int64_t>(x.size());
  Guarded<float> in(x, offset), out(n, 15 - offset), expected(n, offset);
  reference::hadamard(in.data(), expected.data(), n, block);
  hadamard(in.data(), out.data(), n, block);
  ASSERT_TRUE(same_output(out, expected));
  Guarded<float> streamed(n, offset);  // aligned to vectors, or not
  hadamard_streamed(in.data(), streamed.data(), n, block);
  end_streaming();
  ASSERT_TRUE(same_output(streamed, expected)) << "streamed";
  hadamard(in.data(), in.data(), n, block);
  ASSERT_TRUE(same_output(in, expected)) << "in place";
}

TEST_P(Hadamard, BlockCountsAndAlignments) {
  for (int64_t block : hadamard_blocks())
    for (int64_t count = 0; count <= 35; count += block > 16 ? 5 : 1)
      for (const int offset : case_offsets(block * count)) {
        const std::vector<float> x = gaussian_values(block * count, 1);
        SCOPED_TRACE(::testing::Message() << count << " blocks of " << block << " offset " << offset);
        check(x, offset, block);
        check(with_hostile_values(x, finite_extremes(), 3), offset, block);
        check(with_hostile_values(x, non_finite(), 29), offset, block);
        if (HasFatalFailure()) return;
      }
}

// Entry (i, j) of the Sylvester matrix is the parity of the bits that i and j share.
TEST_P(Hadamard, EqualsTheSylvesterMatrix) {
  for (int64_t block : hadamard_blocks()) {
    const std::vector<float> x = gaussian_values(block, 2);
    std::vector<float> got(x.size());
    hadamard(x.data(), got.data(), block, block);
    for (size_t i = 0; i < x.size(); ++i) {
      double sum = 0;
      for (size_t j = 0; j < x.size(); ++j) sum += std::popcount(i & j) % 2 ? -double{x[j]} : double{x[j]};
      EXPECT_NEAR(got[i], sum / std::sqrt(static_cast<double>(block)), 3e-6) << block;
    }
  }
}

TEST_P(Hadamard, IsItsOwnInverseAndKeepsTheNorm) {
  const std::vector<float> x = gaussian_values(1024, 3);
  for (int64_t block : hadamard_blocks()) {
    std::vector<float> y(x.size()), back(x.size());
    hadamard(x.data(), y.data(), 1024, block);
    hadamard(y.data(), back.data(), 1024, block);
    double norm_x = 0, norm_y = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(back[i], x[i], 3e-6);
      norm_x += double{x[i]} * x[i];
      norm_y += double{y[i]} * y[i];
    }
    EXPECT_NEAR(norm_y / norm_x, 1, 1e-6);
  }
}

}  // namespace
}  // namespace detent::kernels
