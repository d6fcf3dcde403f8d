#include "detent/qat/packed_linear.h"

#include <ATen/ATen.h>

#include "detent/qat/fake_quant_function.h"
#include "detent/qat/quantizer_rule.h"

namespace detent {

at::Tensor PackedLinear::apply(const at::Tensor& x, const at::Tensor& w) {
  if (input_) return weight_.product(input_->input_value(x));
  return weight_.product(rotate_input_ ? rotate(x) : x);
}

std::optional<ops::PackedCodes> packed_codes(const Quantized& weight) {
  if (weight.spec.rotation == Rotation::kHadamard) return std::nullopt;
  return ops::PackedCodes::make(weight.codes, weight.scales, weight.spec.grid);
}

}  // namespace detent
