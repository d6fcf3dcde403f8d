// The logarithm of a sum of exponentials, part by part: what a softmax's cross-entropy needs of logits that are never
// whole. Class: exact against the reference (same polynomial, same lanes, same tree). A term is within
// 2^-24 (4 + |x - largest|) of the exact one, relatively: x - largest is rounded to float.
#pragma once
#include <cstdint>
#include <limits>

namespace detent::kernels {

// Of some elements: the largest, and the sum of exp(x - largest). One NaN makes both NaN and one +Inf the sum, as it
// makes the softmax; elements that are all -Inf have the sum 0 and may lie beside others.
struct ExpSum {
  float largest = 0;
  double sum = 0;
};
ExpSum exp_sum(const float* x, int64_t n);  // n >= 1

// What is left where x - largest is not a number.
inline ExpSum without_terms(float largest) {
  const bool nothing = largest == -std::numeric_limits<float>::infinity();
  return {largest, nothing ? 0 : std::numeric_limits<double>::quiet_NaN()};
}

// log(sum of exp(x)) over all parts of a row, from first to last; count >= 1. NaN where all are -Inf.
double log_sum_exp(const ExpSum* parts, int64_t count);

namespace reference {
ExpSum exp_sum(const float* x, int64_t n);
}  // namespace reference

}  // namespace detent::kernels
