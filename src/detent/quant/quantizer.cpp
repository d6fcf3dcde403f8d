#include "detent/quant/quantizer.h"

#include <ATen/ATen.h>

#include "detent/base/error.h"
#include "detent/ops/fake_quant.h"

namespace detent {

namespace {
at::Tensor stored_scales(const QuantSpec& spec, const at::Tensor& learned) {
  if (spec.scale_rule != ScaleRule::kLearned) return {};
  if (!learned.defined()) fail("[quantize] spec {} needs its learned scales", spec.name());
  return ops::learned_scales(learned.detach(), spec);
}
}  // namespace

Quantized quantize(const at::Tensor& x, const QuantSpec& spec, const at::Tensor& learned) {
  const ops::FakeQuantResult result = ops::fake_quant(x.detach(), stored_scales(spec, learned), spec,
                                                      ops::pass_through(), {.value = false, .codes = true});
  return {result.codes, result.scales, spec};
}

at::Tensor dequantize(const Quantized& quantized) {
  return ops::dequantize_codes(quantized.codes, quantized.scales, quantized.spec);
}

at::Tensor quantized_value(const at::Tensor& x, const QuantSpec& spec, const at::Tensor& learned) {
  return ops::fake_quant(x.detach(), stored_scales(spec, learned), spec, ops::pass_through(), {}).value;
}

std::vector<int64_t> scale_shape(at::IntArrayRef shape, const QuantSpec& spec) {
  const int64_t columns = shape.back(), rows = c10::multiply_integers(shape) / columns;
  if (spec.granularity.kind == GranularityKind::kTensor) return {1, 1};
  return {rows, columns / spec.granularity.group_length(rows, columns)};
}

at::Tensor initial_scale(const at::Tensor& x, const QuantSpec& spec, ScaleRule rule) {
  QuantSpec dynamic = spec;
  dynamic.scale_rule = rule;
  dynamic.scale_format = ScaleFormat::kFp32;
  return ops::dynamic_scales(x.detach(), dynamic).mul_(spec.learned_unit);
}

}  // namespace detent
