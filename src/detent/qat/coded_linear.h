// A linear layer whose input and weight are both codes: integer products forward, the surrogates' gradients backward.
// What it keeps for the backward pass are codes and mask bits, not values.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>

#include "detent/ops/coded.h"

namespace detent {

class TensorQuantizer;

// An input in codes, with the place in the graph through which its gradient flows (undefined without one).
struct CodedInput {
  std::shared_ptr<const ops::CodedRows> rows;
  at::Tensor link;
};

// Layers that are given the same tensor (q, k, v; gate, up) share its codes and, in training, one backward pass through
// the quantizer. One cache a model; it holds on to the codes of the last input only, and to no graph.
class InputCache {
 public:
  std::shared_ptr<const CodedInput> coded(const ops::CodePair& pair, TensorQuantizer& quantizer, const at::Tensor& x);

 private:
  struct Entry;
  std::shared_ptr<Entry> last_;
};

// x [..., in], w [out, in] -> [..., out].
at::Tensor coded_linear(const ops::CodePair& pair, TensorQuantizer& input, TensorQuantizer& weight, InputCache& cache,
                        const at::Tensor& x, const at::Tensor& w);

}  // namespace detent
