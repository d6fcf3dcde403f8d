// RMSNorm, rotary embedding and SwiGLU: every fast kernel equals its reference, and that the formula in double.
#include <cmath>

#include "detent/kernels/harness/inputs.h"
#include "detent/kernels/rms_norm/rms_norm.h"
#include "detent/kernels/rope/rope.h"
#include "detent/kernels/swiglu/swiglu.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same;
using test::same_output;

DETENT_KERNEL_TEST(LayerKernels);

std::vector<std::vector<float>> hostile(int64_t n, uint64_t seed) {
  const std::vector<float> x = gaussian_values(n, seed);
  return {x, with_hostile_values(x, finite_extremes(), 3), with_hostile_values(x, non_finite(), 7),
          std::vector<float>(x.size(), 0.0f)};
}

void check_rms_norm(const std::vector<float>& x, int offset) {
  const auto n = static_cast<int64_t>(x.size());
  const Guarded<float> in(x, offset), weight(gaussian_values(n, 5), 15 - offset), g(gaussian_values(n, 6), offset);
  Guarded<float> out(n, offset), expected(n, offset);
  const float inverse = rms_norm_row(in.data(), weight.data(), n, 1e-5, out.data());
  ASSERT_TRUE(same(inverse, reference::rms_norm_row(in.data(), weight.data(), n, 1e-5, expected.data())));
  ASSERT_TRUE(same_output(out, expected));
  Guarded<float> dx(n, offset), dx_ref(n, offset), dweight(x, offset), dweight_ref(x, offset);
  rms_norm_backward_row(in.data(), weight.data(), inverse, g.data(), n, dx.data(), dweight.data());
  reference::rms_norm_backward_row(in.data(), weight.data(), inverse, g.data(), n, dx_ref.data(), dweight_ref.data());
  ASSERT_TRUE(same_output(dx, dx_ref));
  ASSERT_TRUE(same_output(dweight, dweight_ref));
  Guarded<float> place(x, offset);
  rms_norm_row(place.data(), weight.data(), n, 1e-5, place.data());
  ASSERT_TRUE(same_output(place, expected)) << "in place";
}

void check_swiglu(const std::vector<float>& gate, const std::vector<float>& up, int offset) {
  const auto n = static_cast<int64_t>(gate.size());
  Guarded<float> a(gate, offset), b(up, 15 - offset), g(gaussian_values(n, 7), offset);
  Guarded<float> out(n, offset), expected(n, offset);
  swiglu(a.data(), b.data(), n, out.data());
  reference::swiglu(a.data(), b.data(), n, expected.data());
  ASSERT_TRUE(same_output(out, expected));
  Guarded<float> da(n, offset), da_ref(n, offset), db(n, offset), db_ref(n, offset);
  swiglu_backward(a.data(), b.data(), g.data(), n, da.data(), db.data());
  reference::swiglu_backward(a.data(), b.data(), g.data(), n, da_ref.data(), db_ref.data());
  ASSERT_TRUE(same_output(da, da_ref));
  ASSERT_TRUE(same_output(db, db_ref));
  swiglu_backward(a.data(), b.data(), g.data(), n, a.data(), b.data());
  ASSERT_TRUE(same_output(a, da_ref)) << "in place";
  ASSERT_TRUE(same_output(b, db_ref)) << "in place";
}

TEST_P(LayerKernels, RmsNormEqualsItsReference) {
  for (int64_t n : case_lengths())
    for (const int offset : case_offsets(n))
      for (const std::vector<float>& x : hostile(n, 1)) {
        if (n == 0) continue;
        SCOPED_TRACE(::testing::Message() << n << " offset " << offset);
        check_rms_norm(x, offset);
        if (HasFatalFailure()) return;
      }
}

TEST_P(LayerKernels, SwigluEqualsItsReference) {
  for (int64_t n : case_lengths())
    for (const int offset : case_offsets(n))
      for (const std::vector<float>& gate : hostile(n, 2))
        for (const std::vector<float>& up : hostile(n, 3)) {
          SCOPED_TRACE(::testing::Message() << n << " offset " << offset);
          check_swiglu(gate, up, offset);
          if (HasFatalFailure()) return;
        }
}

TEST_P(LayerKernels, RopeEqualsItsReference) {
  for (const auto& [heads, size] : {std::pair{1, 2}, {3, 6}, {2, 16}, {4, 24}, {5, 64}, {2, 128}, {0, 8}})
    for (float sign : {1.0f, -1.0f})
      for (const std::vector<float>& x : hostile(heads * size, 4)) {
        const Guarded<float> in(x, 3), cos(gaussian_values(size / 2, 8), 1), sin(gaussian_values(size / 2, 9), 2);
        Guarded<float> out(heads * size, 5), expected(heads * size, 5);
        rope_heads(in.data(), cos.data(), sin.data(), heads, size, sign, out.data());
        reference::rope_heads(in.data(), cos.data(), sin.data(), heads, size, sign, expected.data());
        ASSERT_TRUE(same_output(out, expected)) << heads << " heads of " << size;
      }
}

// From far below the least exponent to where the sigmoid is 1.
TEST_P(LayerKernels, SigmoidIsWithinFourUlp) {
  std::vector<float> x, one, got;
  for (float value = -90; value < 40; value += 0.0117f) x.push_back(value);
  one.assign(x.size(), 1.0f), got.resize(x.size());
  swiglu(x.data(), one.data(), static_cast<int64_t>(x.size()), got.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = double{x[i]} / (1 + std::exp(-double{x[i]}));
    EXPECT_NEAR(got[i], expected, x[i] > -86 ? std::fabs(expected) * 4 / (1 << 23) : 1e-35) << x[i];
  }
}

// The gradients against differences of the functions, computed in double.
TEST_P(LayerKernels, GradientsAreTheSlopes) {
  const int64_t n = 40;
  const std::vector<float> x = gaussian_values(n, 11), w = gaussian_values(n, 12), g = gaussian_values(n, 13);
  const auto norm = [&](const std::vector<double>& v, const std::vector<double>& weight) {
    double squares = 0, sum = 0;
    for (double each : v) squares += each * each;
    for (int64_t i = 0; i < n; ++i) sum += g[i] * v[i] * weight[i] / std::sqrt(squares / n + 1e-5);
    return sum;
  };
  std::vector<float> out(n), dx(n), dw(n, 0.0f), da(n), db(n);
  const float inverse = rms_norm_row(x.data(), w.data(), n, 1e-5, out.data());
  rms_norm_backward_row(x.data(), w.data(), inverse, g.data(), n, dx.data(), dw.data());
  swiglu_backward(x.data(), w.data(), g.data(), n, da.data(), db.data());
  const std::vector<double> x0(x.begin(), x.end()), w0(w.begin(), w.end());
  const auto gated = [](double a, double b) { return a / (1 + std::exp(-a)) * b; };
  for (int64_t i = 0; i < n; ++i) {
    const double h = 1e-5;
    std::vector<double> x1 = x0, x2 = x0, w1 = w0, w2 = w0;
    x1[i] += h, x2[i] -= h, w1[i] += h, w2[i] -= h;
    EXPECT_NEAR(dx[i], (norm(x1, w0) - norm(x2, w0)) / (2 * h), 1e-5);
    EXPECT_NEAR(dw[i], (norm(x0, w1) - norm(x0, w2)) / (2 * h), 1e-5);
    EXPECT_NEAR(da[i], g[i] * (gated(x1[i], w0[i]) - gated(x2[i], w0[i])) / (2 * h), 1e-5);
    EXPECT_NEAR(db[i], g[i] * (gated(x0[i], w1[i]) - gated(x0[i], w2[i])) / (2 * h), 1e-5);
  }
}

}  // namespace
}  // namespace detent::kernels
