// A linear layer of a finished model whose weight is kept as packed codes alone.
#pragma once
#include <memory>

#include "detent/nn/rule.h"
#include "detent/ops/code_product.h"
#include "detent/quant/quantizer.h"

namespace detent {

class TensorQuantizer;

// y = Q_input(x) W^T with the values W of the codes; a null input passes through, with half rotation x is rotated
// first. The parameter it is given is not looked at. Without gradients.
class PackedLinear : public nn::LinearRule {
 public:
  PackedLinear(ops::PackedCodes weight, std::shared_ptr<TensorQuantizer> input, bool rotate_input)
      : weight_(std::move(weight)), input_(std::move(input)), rotate_input_(rotate_input) {}
  at::Tensor apply(const at::Tensor& x, const at::Tensor& w) override;

 private:
  ops::PackedCodes weight_;
  std::shared_ptr<TensorQuantizer> input_;
  bool rotate_input_;
};

// A weight's codes for such a layer; nothing where they are not what the product multiplies (rotated back) or have no
// kernel.
std::optional<ops::PackedCodes> packed_codes(const Quantized& weight);

}  // namespace detent
