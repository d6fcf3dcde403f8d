// The logarithm of a sum of exponentials, part by part: what a softmax's cross-entropy needs of logits that are never
// whole. Class: exact against the reference (same polynomial, same lanes, same tree); a sum is within 4e-7 of the exact
// one, relatively.
#pragma once
#include <cstdint>

namespace detent::kernels {

// Of some elements: the largest, and the sum of exp(x - largest). One NaN makes both NaN, a largest that is infinite
// the sum: as it makes the softmax.
struct ExpSum {
  float largest = 0;
  double sum = 0;
};
ExpSum exp_sum(const float* x, int64_t n);  // n >= 1

// log(sum of exp(x)) over all parts of a row, from first to last; count >= 1.
double log_sum_exp(const ExpSum* parts, int64_t count);

namespace reference {
ExpSum exp_sum(const float* x, int64_t n);
}  // namespace reference

}  // namespace detent::kernels
