// Comparison of float32 tensors bit by bit and in units in the last place.
#pragma once
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>

namespace detent::test {

// Any NaN equals any NaN; +0 and -0 differ.
inline bool same_bits(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

inline testing::AssertionResult same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined() || a.numel() != b.numel())
    return testing::AssertionFailure() << "tensors of different sizes, or none";
  const at::Tensor left = a.detach().contiguous(), right = b.detach().contiguous();
  const float *x = left.const_data_ptr<float>(), *y = right.const_data_ptr<float>();
  for (int64_t i = 0; i < left.numel(); ++i)
    if (!same_bits(x[i], y[i]))
      return testing::AssertionFailure() << "element " << i << " of " << left.numel() << ": " << x[i] << " and " << y[i]
                                         << " differ by " << x[i] - y[i];
  return testing::AssertionSuccess();
}

// Steps from one float to the other along the ordered floats; NaN is infinitely far from everything but NaN.
inline int64_t ulps(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0 : INT64_MAX;
  const auto ordered = [](float x) {
    const auto bits = std::bit_cast<int32_t>(x);
    return bits < 0 ? int64_t{INT32_MIN} - bits : int64_t{bits};
  };
  return std::abs(ordered(a) - ordered(b));
}

inline int64_t worst_ulps(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() != b.numel()) return INT64_MAX;
  const at::Tensor left = a.contiguous(), right = b.contiguous();
  int64_t worst = 0;
  for (int64_t i = 0; i < left.numel(); ++i)
    worst = std::max(worst, ulps(left.const_data_ptr<float>()[i], right.const_data_ptr<float>()[i]));
  return worst;
}

// Largest difference in units of the largest magnitude of `expected`; NaN anywhere gives infinity.
inline double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  if (!actual.defined() || actual.numel() != expected.numel()) return INFINITY;
  const at::Tensor e = expected.to(at::kDouble).flatten();
  const double difference = (actual.detach().to(at::kDouble).flatten() - e).abs().max().item<double>();
  const double size = e.abs().max().item<double>();
  if (std::isnan(difference)) return INFINITY;
  return difference == 0 ? 0 : difference / size;
}

}  // namespace detent::test
