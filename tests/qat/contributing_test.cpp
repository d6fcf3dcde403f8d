// The example of CONTRIBUTING.md ("Add a method"), compiled from its text (tests/CMakeLists.txt).
#include <gtest/gtest.h>

#include "detent/base/error.h"
#include "detent/base/node.h"
#include "detent/qat/method.h"

namespace detent {

extern const MethodEntry method_of_contributing;

namespace {

QuantSpec int4_row(ScaleRule rule) {
  QuantSpec spec;
  spec.grid = make_grid("int", 4);
  spec.scale_rule = rule;
  return spec;
}

// int4 is -8 to 7: the interval is the grid's ends and as many levels beyond as the option says.
TEST(Contributing, ExampleMethodDoesWhatItsTextSays) {
  const auto method = method_of_contributing.make(parse_yaml("{beyond: 3}", "config.yaml"));
  const QuantSpec spec = int4_row(ScaleRule::kAbsmax);
  const kernels::Surrogate interval = method->surrogate(spec);
  EXPECT_EQ(interval.u_lo, -8 - 3);
  EXPECT_EQ(interval.u_hi, 7 + 3);
  EXPECT_NO_THROW(method->check(spec));
  EXPECT_THROW(method->check(int4_row(ScaleRule::kLearned)), detent::Error);
  EXPECT_ANY_THROW(method_of_contributing.make(parse_yaml("{beyond: -1}", "config.yaml")));
  EXPECT_ANY_THROW(method_of_contributing.make(parse_yaml("{beyon: 1}", "config.yaml")));
}

}  // namespace
}  // namespace detent
