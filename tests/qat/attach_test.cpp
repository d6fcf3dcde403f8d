// What hangs on the hooks of a layer multiplies with exactly the values that would be shipped.
#include "detent/qat/attach.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/bits.h"
#include "tests/support/subjects.h"

namespace detent {
namespace {

using test::gaussian;
using test::same_bits;

struct Layer {
  nn::Linear linear{gaussian({8, 32}, 1), nullptr, {}};
  at::Tensor run(const QuantOptions& options, const at::Tensor& x) {
    linear.rule = nullptr;
    attach(options, {{"a.weight", nn::Role::kProjection, &linear.weight, &linear.rule, nullptr}});
    return linear.forward(x);
  }
};

TensorQuantOptions eight_bits(const std::string& group, const std::string& rotation = "none") {
  TensorQuantOptions options;
  options.bits = 8;
  options.group = group;
  options.rotation = rotation;
  return options;
}

TEST(Attach, UnquantizedWeightsAreTheStoredValueEvenUnderQuantizedInputs) {
  Layer layer;
  const at::Tensor x = gaussian({3, 32}, 2, 1), stored = stored_value(layer.linear.weight, Storage::kBf16);
  ASSERT_FALSE(same_bits(stored, layer.linear.weight));
  QuantOptions options;
  options.unquantized = "bf16";
  EXPECT_TRUE(same_bits(layer.run(options, x), at::linear(x, stored)));
  options.activations = eight_bits("token");
  const at::Tensor input = quantized_value(x, to_spec(*options.activations, "quant.activations"));
  EXPECT_TRUE(same_bits(layer.run(options, x), at::linear(input, stored)));
}

// Rotating both operands, or the weight and back, leaves the product where it was up to rounding and quantization.
TEST(Attach, RotationsKeepTheProduct) {
  Layer layer;
  const at::Tensor x = gaussian({3, 32}, 3, 1), exact = at::linear(x, layer.linear.weight);
  for (const char* rotation : {"none", "hadamard", "hadamard_half"})
    for (const bool inputs : {false, true}) {
      QuantOptions options;
      options.weights = eight_bits("row", rotation);
      if (inputs) options.activations = eight_bits("token", rotation);
      EXPECT_LE(test::relative_error(layer.run(options, x), exact), 0.02) << rotation << inputs;
    }
}

}  // namespace
}  // namespace detent
