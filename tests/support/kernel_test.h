// Binds a kernel to its reference: every test runs on every instruction set of the processor.
#pragma once
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "detent/kernels/harness/dispatch.h"
#include "tests/support/guarded.h"

namespace detent::kernels {
inline void PrintTo(const DispatchTarget& target, std::ostream* out) { *out << target.name; }
}  // namespace detent::kernels

namespace detent::test {

class KernelTest : public ::testing::TestWithParam<kernels::DispatchTarget> {
 protected:
  void SetUp() override { force_ = std::make_unique<kernels::ForceTarget>(GetParam()); }
  void TearDown() override { force_.reset(); }

 private:
  std::unique_ptr<kernels::ForceTarget> force_;
};

#define DETENT_KERNEL_TEST(Suite)                                                                      \
  class Suite : public ::detent::test::KernelTest {};                                                  \
  INSTANTIATE_TEST_SUITE_P(Targets, Suite, ::testing::ValuesIn(::detent::kernels::dispatch_targets()), \
                           [](const auto& target) { return target.param.name; })

// Equal bits; all NaN count as one value, because which operand's payload survives is the compiler's choice.
inline bool same(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}
inline bool same(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) || (std::isnan(a) && std::isnan(b));
}
inline bool same(int8_t a, int8_t b) { return a == b; }
inline bool same(uint8_t a, uint8_t b) { return a == b; }

template <class T>
::testing::AssertionResult same_values(const std::vector<T>& got, const std::vector<T>& expected) {
  if (got.size() != expected.size()) return ::testing::AssertionFailure() << "sizes differ";
  if (got.empty() || std::memcmp(got.data(), expected.data(), got.size() * sizeof(T)) == 0)
    return ::testing::AssertionSuccess();
  for (size_t i = 0; i < got.size(); ++i)
    if (!same(got[i], expected[i]))
      return ::testing::AssertionFailure()
             << "element " << i << " of " << got.size() << ": got " << +got[i] << ", expected " << +expected[i];
  return ::testing::AssertionSuccess();
}

// A kernel's output: equal to the reference's and nothing written around it.
template <class T>
::testing::AssertionResult same_output(const Guarded<T>& got, const Guarded<T>& expected) {
  if (!got.intact()) return ::testing::AssertionFailure() << "wrote outside the buffer";
  return same_values(got.values(), expected.values());
}

}  // namespace detent::test
