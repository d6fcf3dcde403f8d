#include "detent/ops/fake_quant.h"

#include <ATen/ATen.h>

#include <vector>

#include "detent/base/aligned.h"
#include "detent/base/error.h"
#include "detent/format/two_level.h"
#include "detent/kernels/hadamard/hadamard.h"
#include "detent/kernels/noise/noise.h"
#include "detent/kernels/stream.h"
#include "detent/ops/composite.h"
#include "detent/ops/device.h"
#include "detent/ops/share.h"

namespace detent::ops {

namespace {

// Rows handed to a thread hold at least this many elements: below, waking the pool costs more than the work.
constexpr int64_t kGrain = 16384;

bool streams(const at::Tensor& output) { return static_cast<int64_t>(output.nbytes()) >= kernels::kStreamedBytes; }

void rotate_row(const float* in, float* out, int64_t n, int64_t block, bool stream) {
  stream ? kernels::hadamard_streamed(in, out, n, block) : kernels::hadamard(in, out, n, block);
}

bool per_tensor(const QuantSpec& spec) { return spec.granularity.kind == GranularityKind::kTensor; }

// Statistics of a whole tensor: rows are summed up one after the other, so the thread count does not matter.
GroupStats tensor_stats(const float* x, const Rows& shape, const RowQuantizer& row_quantizer) {
  std::vector<GroupStats> rows(shape.rows);
  for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    AlignedVector<float> scratch(shape.columns);
    for (int64_t r = first; r < last; ++r)
      rows[r] = kernels::group_stats(row_quantizer.basis(x + r * shape.columns, scratch.data()), shape.columns);
  });
  GroupStats all = rows[0];
  for (size_t r = 1; r < rows.size(); ++r) {
    if (rows[r].absmax > all.absmax) all.extreme = rows[r].extreme;
    all.absmax = std::max(all.absmax, rows[r].absmax);
    all.sum_abs += rows[r].sum_abs;
    all.sum_squares += rows[r].sum_squares;
    all.finite = all.finite && rows[r].finite;
  }
  return all;
}

at::Tensor tensor_scale(const at::Tensor& x, const Rows& shape, const RowQuantizer& row_quantizer) {
  const QuantSpec& spec = row_quantizer.spec();
  const GroupStats stats = tensor_stats(x.const_data_ptr<float>(), shape, row_quantizer);
  const float scale = scale_from_stats(stats, static_cast<double>(x.numel()), spec.grid, spec.scale_rule);
  return at::full({1, 1}, round_scale(scale, spec.scale_format), at::kFloat);
}

}  // namespace

void for_rows(int64_t rows, int64_t columns, const std::function<void(int64_t, int64_t)>& body) {
  share(rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, columns)), body);
}

Rows rows_of(const at::Tensor& x) {
  const int64_t columns = x.dim() == 0 ? 1 : x.size(-1);
  return {columns == 0 ? 0 : x.numel() / columns, columns};
}

void check_float_rows(const at::Tensor& x, const char* op) {
  if (x.scalar_type() != at::kFloat || !x.is_contiguous() || !has_kernels(x))
    fail("[{}] expects a contiguous float32 CPU tensor, got {} {} on {}", op, c10::toString(x.scalar_type()),
         x.is_contiguous() ? "contiguous" : "strided", x.device().str());
}

at::Tensor learned_scales(const at::Tensor& parameters, const QuantSpec& spec) {
  if (!has_kernels(parameters)) return composite::learned_scales(parameters, spec);
  const at::Tensor raw = parameters.contiguous();
  at::Tensor scales = at::empty_like(raw);
  const float* in = raw.const_data_ptr<float>();
  float* out = scales.mutable_data_ptr<float>();
  for (int64_t i = 0; i < raw.numel(); ++i) out[i] = learned_scale(in[i], spec);
  if (!two_level(spec.scale_format)) return scales;
  const auto groups = static_cast<size_t>(raw.size(-1));
  for (int64_t row = 0; row < raw.size(0); ++row)
    round_row_scales({out + row * raw.size(-1), groups}, spec.granularity.size, spec.scale_format);
  return scales;
}

FakeQuantResult fake_quant(const at::Tensor& x, const at::Tensor& scales, const QuantSpec& spec,
                           const kernels::Surrogate& surrogate, FakeQuantWants wants) {
  if (!has_kernels(x)) return composite::fake_quant(x, scales, spec, surrogate, wants);
  check_float_rows(x, "fake_quant");
  const Rows shape = rows_of(x);
  check_shape(spec, shape.rows, shape.columns, "the input of fake_quant");
  const RowQuantizer row_quantizer(spec, shape.columns, surrogate);
  const bool given = scales.defined();
  FakeQuantResult result;
  if (given)
    result.scales = scales;
  else if (per_tensor(spec))
    result.scales = tensor_scale(x, shape, row_quantizer);
  else
    result.scales = at::empty({shape.rows, row_quantizer.groups()}, at::kFloat);
  const int64_t groups = per_tensor(spec) ? 1 : row_quantizer.groups();
  if (result.scales.numel() != (per_tensor(spec) ? 1 : shape.rows * groups))
    fail("[fake_quant] got {} scales, expected {} for {}", result.scales.numel(), shape.rows * groups, spec.name());
  if (wants.value) result.value = at::empty_like(x);
  if (wants.codes) result.codes = at::empty(x.sizes(), at::kChar);
  if (wants.mask) result.mask = at::empty({shape.rows, kernels::mask_bytes(shape.columns)}, at::kByte);
  const bool stream = wants.value && streams(result.value), back = spec.rotation == Rotation::kHadamard;
  const float* in = x.const_data_ptr<float>();
  float* scale = result.scales.data_ptr<float>();
  float* value = wants.value ? result.value.mutable_data_ptr<float>() : nullptr;
  int8_t* codes = wants.codes ? result.codes.mutable_data_ptr<int8_t>() : nullptr;
  uint8_t* mask = wants.mask ? result.mask.mutable_data_ptr<uint8_t>() : nullptr;
  for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    AlignedVector<float> scratch(row_quantizer.rotated() ? shape.columns : 0);
    for (int64_t r = first; r < last; ++r) {
      const int64_t at = r * shape.columns;
      float* row_scales = per_tensor(spec) ? scale : scale + r * groups;
      const float* row = row_quantizer.basis(in + at, scratch.data());
      if (!given && !per_tensor(spec)) row_quantizer.find_scales(row, row_scales);
      const kernels::FakeQuantOut out{value ? value + at : nullptr, codes ? codes + at : nullptr,
                                      mask ? mask + r * kernels::mask_bytes(shape.columns) : nullptr, stream};
      if (stream && back)
        row_quantizer.quantize_back_streamed(scratch.data(), row_scales, out);
      else
        row_quantizer.quantize(row, row_scales, out);
    }
    if (stream) kernels::end_streaming();
  });
  return result;
}

at::Tensor dynamic_scales(const at::Tensor& x, const QuantSpec& spec) {
  return fake_quant(x, {}, spec, pass_through(), {.value = false}).scales;
}

at::Tensor dequantize_codes(const at::Tensor& codes, const at::Tensor& scales, const QuantSpec& spec) {
  if (!has_kernels(codes)) return composite::dequantize_codes(codes, scales, spec);
  const Rows shape = rows_of(codes);
  const RowQuantizer row_quantizer(spec, shape.columns);
  at::Tensor value = at::empty(codes.sizes(), at::kFloat);
  const int8_t* in = codes.const_data_ptr<int8_t>();
  const float* scale = scales.const_data_ptr<float>();
  float* out = value.mutable_data_ptr<float>();
  for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      row_quantizer.dequantize(in + r * shape.columns, per_tensor(spec) ? scale : scale + r * row_quantizer.groups(),
                               out + r * shape.columns);
  });
  return value;
}

at::Tensor masked_backward(const at::Tensor& g, const at::Tensor& mask, const QuantSpec& spec) {
  if (!has_kernels(g)) return composite::masked_backward(g, mask, spec);
  const at::Tensor gradient = g.contiguous();
  check_float_rows(gradient, "fake_quant backward");
  const Rows shape = rows_of(gradient);
  const RowQuantizer row_quantizer(spec, shape.columns);
  at::Tensor dx = at::empty_like(gradient);
  const float* in = gradient.const_data_ptr<float>();
  const uint8_t* pass = mask.const_data_ptr<uint8_t>();
  float* out = dx.mutable_data_ptr<float>();
  const bool rotated = row_quantizer.rotated(), stream = rotated && streams(dx);
  for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    AlignedVector<float> scratch(rotated ? shape.columns : 0);
    for (int64_t r = first; r < last; ++r) {
      const int64_t at = r * shape.columns;
      const float* row = in + at;
      if (spec.rotation == Rotation::kHadamard) row = row_quantizer.basis(row, scratch.data());
      float* masked = rotated ? scratch.data() : out + at;
      kernels::apply_mask(row, pass + r * kernels::mask_bytes(shape.columns), shape.columns, masked);
      if (rotated) rotate_row(masked, out + at, shape.columns, row_quantizer.block(), stream);
    }
    if (stream) kernels::end_streaming();
  });
  return dx;
}

LearnedGradient learned_backward(const at::Tensor& x, const at::Tensor& g, const at::Tensor& scales,
                                 const QuantSpec& spec, const kernels::Surrogate& surrogate) {
  if (!has_kernels(x)) return composite::learned_backward(x, g, scales, spec, surrogate);
  const at::Tensor gradient = g.contiguous();
  check_float_rows(gradient, "learned scale backward");
  const Rows shape = rows_of(x);
  const RowQuantizer row_quantizer(spec, shape.columns, surrogate);
  const int64_t groups = row_quantizer.groups(), group = row_quantizer.group();
  at::Tensor dx = at::empty_like(gradient);
  std::vector<double> dscale(shape.rows * groups);
  const float *in = x.const_data_ptr<float>(), *dy = gradient.const_data_ptr<float>();
  const float* scale = scales.const_data_ptr<float>();
  float* out = dx.mutable_data_ptr<float>();
  for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    AlignedVector<float> scratch(row_quantizer.rotated() ? shape.columns : 0);
    for (int64_t r = first; r < last; ++r) {
      const int64_t at = r * shape.columns;
      const float* row = row_quantizer.basis(in + at, scratch.data());
      const float* dy_row = spec.rotation == Rotation::kHadamard ? row_quantizer.basis(dy + at, out + at) : dy + at;
      for (int64_t k = 0; k < groups; ++k)
        dscale[r * groups + k] = kernels::learned_backward_group(row + k * group, dy_row + k * group, group,
                                                                 per_tensor(spec) ? scale[0] : scale[r * groups + k],
                                                                 spec.grid, surrogate, out + at + k * group);
      if (row_quantizer.rotated()) kernels::hadamard(out + at, out + at, shape.columns, row_quantizer.block());
    }
  });
  at::Tensor sums = at::from_blob(dscale.data(), {shape.rows, groups}, at::kDouble);
  if (per_tensor(spec)) {  // rows added up in order: the thread count does not matter
    double total = 0;
    for (double part : dscale) total += part;
    return {dx, at::full({1, 1}, total, at::kFloat)};
  }
  return {dx, sums.to(at::kFloat)};
}

at::Tensor hadamard(const at::Tensor& x) {
  if (!has_kernels(x)) return composite::hadamard(x);
  check_float_rows(x, "hadamard");
  const Rows shape = rows_of(x);
  at::Tensor out = at::empty_like(x);
  const int64_t block = hadamard_block(shape.columns);
  const bool stream = streams(out);
  const float* from = x.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    rotate_row(from + first * shape.columns, to + first * shape.columns, (last - first) * shape.columns, block, stream);
    if (stream) kernels::end_streaming();
  });
  return out;
}

at::Tensor add_gaussian(const at::Tensor& x, float sigma, const RandomStream& stream) {
  if (!has_kernels(x)) return composite::add_gaussian(x, sigma, stream);
  check_float_rows(x, "add_gaussian");
  at::Tensor out = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  share(x.numel(), kGrain, [&](int64_t first, int64_t last) {
    kernels::add_gaussian(from + first, to + first, last - first, sigma, stream, static_cast<uint64_t>(first));
  });
  return out;
}

}  // namespace detent::ops
