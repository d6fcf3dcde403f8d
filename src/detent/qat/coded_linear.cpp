#include "detent/qat/coded_linear.h"

#include <ATen/ATen.h>

#include "detent/ops/product.h"
#include "detent/ops/with_backward.h"
#include "detent/qat/fake_quant_function.h"
#include "detent/qat/quantizer_rule.h"

namespace detent {

struct InputCache::Entry {
  c10::weak_intrusive_ptr<c10::TensorImpl> of;  // weak: keeps the address from being used again, not the values
  int64_t version;
  QuantSpec spec;
  kernels::Surrogate surrogate;
  int64_t segment;
  std::shared_ptr<const ops::CodedRows> rows;
  std::weak_ptr<const CodedInput> linked;

  bool fits(const ops::CodePair& pair, const kernels::Surrogate& now, const at::Tensor& x) const {
    return !of.expired() && of._unsafe_get_target() == x.unsafeGetTensorImpl() && version == x._version() &&
           spec == pair.input && surrogate == now && segment == pair.segment;
  }
};

namespace {

// A tensor of x's shape that takes no memory: gradients flow through it, values never do.
at::Tensor link_through(const QuantSpec& spec, TensorQuantizer& quantizer, const at::Tensor& x,
                        std::shared_ptr<const ops::CodedRows> rows, const at::Tensor& scales) {
  const at::Tensor shape = at::zeros({1}).expand(x.sizes());
  std::vector<at::Tensor> inputs = {x};
  if (quantizer.has_learned()) inputs.push_back(quantizer.learned());
  return ops::with_backward(shape, inputs, quantizer.backward(spec, x.detach(), scales, rows->mask));
}

}  // namespace

std::shared_ptr<const CodedInput> InputCache::coded(const ops::CodePair& pair, TensorQuantizer& quantizer,
                                                    const at::Tensor& x) {
  const kernels::Surrogate surrogate = quantizer.surrogate();
  const bool shared = !quantizer.has_learned();  // learned scales are each layer's own
  const bool links = at::GradMode::is_enabled() && quantizer.training();
  const at::Tensor scales = quantizer.stored_scales();
  std::shared_ptr<const ops::CodedRows> rows;
  if (shared && last_ && last_->fits(pair, surrogate, x)) {
    if (const auto whole = last_->linked.lock(); whole && links) return whole;
    rows = last_->rows;
  }
  if (!rows) rows = std::make_shared<ops::CodedRows>(ops::code_rows(pair, x.detach().contiguous(), scales, surrogate));
  const auto made = std::make_shared<CodedInput>(
      CodedInput{rows, links ? link_through(pair.input, quantizer, x, rows, scales) : at::Tensor()});
  if (shared)
    last_ = std::make_shared<Entry>(Entry{c10::weak_intrusive_ptr<c10::TensorImpl>(x.getIntrusivePtr()), x._version(),
                                          pair.input, surrogate, pair.segment, rows, made});
  return made;
}

at::Tensor coded_linear(const ops::CodePair& pair, TensorQuantizer& input, TensorQuantizer& weight, InputCache& cache,
                        const at::Tensor& x, const at::Tensor& w) {
  const std::shared_ptr<const CodedInput> left = cache.coded(pair, input, x);
  const std::shared_ptr<const WeightCodes> right = weight.weight_codes(pair, w);
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = w.size(0);
  const at::Tensor out = ops::int_linear(pair, *left->rows, right->coded).view(sizes);
  if (!left->link.defined()) return out;
  const ops::Backward to_weight = weight.backward(pair.weight, right->latent, right->scales, right->coded.mask);
  return ops::with_backward(out, {left->link, w, weight.learned()}, [=](const at::Tensor& gradient) {
    const at::Tensor g = gradient.reshape({-1, gradient.size(-1)});
    const at::Tensor dx = left->link.requires_grad()
                              ? ops::product(g, ops::weight_values(pair, right->coded)).view(left->link.sizes())
                              : at::Tensor();
    std::vector<at::Tensor> all = to_weight(ops::product(g.t(), ops::row_values(pair, *left->rows)));
    all.resize(2);
    return std::vector<at::Tensor>{dx, all[0], all[1]};
  });
}

}  // namespace detent
