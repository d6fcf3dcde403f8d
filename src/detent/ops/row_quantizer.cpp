#include "detent/ops/row_quantizer.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "detent/format/two_level.h"
#include "detent/kernels/fake_quant/groups.h"
#include "detent/kernels/hadamard/hadamard.h"
#include "detent/kernels/pull/pull.h"

namespace detent::ops {

kernels::Surrogate pass_through() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return {-kInfinity, kInfinity};
}

RowQuantizer::RowQuantizer(const QuantSpec& spec, int64_t columns) : RowQuantizer(spec, columns, pass_through()) {}

RowQuantizer::RowQuantizer(const QuantSpec& spec, int64_t columns, const kernels::Surrogate& surrogate)
    : spec_(spec), columns_(columns), block_(hadamard_block(columns)), surrogate_(surrogate) {
  group_ = spec.granularity.kind == GranularityKind::kGroup ? spec.granularity.size : columns;
}

const float* RowQuantizer::basis(const float* x, float* scratch) const {
  if (!rotated()) return x;
  kernels::hadamard(x, scratch, columns_, block_);
  return scratch;
}

void RowQuantizer::find_scales(const float* row, float* scales) const {
  kernels::group_scales(row, columns_, group_, spec_.grid, spec_.scale_rule, scales);
  round_row_scales({scales, static_cast<size_t>(groups())}, group_, spec_.scale_format);
}

void RowQuantizer::quantize(const float* row, const float* scales, const kernels::FakeQuantOut& out) const {
  quantize_in_basis(row, scales, out);
  if (out.value && spec_.rotation == Rotation::kHadamard) kernels::hadamard(out.value, out.value, columns_, block_);
}

void RowQuantizer::quantize_back_streamed(float* row, const float* scales, kernels::FakeQuantOut out) const {
  float* const value = std::exchange(out.value, row);
  out.stream = false;
  quantize_in_basis(row, scales, out);
  kernels::hadamard_streamed(row, value, columns_, block_);
}

void RowQuantizer::quantize_in_basis(const float* row, const float* scales, const kernels::FakeQuantOut& out) const {
  const bool whole_bytes = group_ % 8 == 0 || group_ == columns_;
  if (out.mask && !whole_bytes)
    quantize_with_shifted_masks(row, scales, out);
  else
    kernels::quantize_groups(row, columns_, group_, scales, spec_.grid, surrogate_, out);
}

// Groups that begin inside a byte of mask bits.
void RowQuantizer::quantize_with_shifted_masks(const float* row, const float* scales,
                                               const kernels::FakeQuantOut& out) const {
  std::vector<uint8_t> bits(kernels::mask_bytes(group_));
  std::fill_n(out.mask, kernels::mask_bytes(columns_), uint8_t{0});
  for (int64_t g = 0; g < groups(); ++g) {
    const int64_t at = g * group_;
    kernels::quantize_group(row + at, group_, scales[g], spec_.grid, surrogate_,
                            {out.value ? out.value + at : nullptr, out.codes ? out.codes + at : nullptr, bits.data()});
    for (int64_t i = 0; i < group_; ++i)
      if (bits[i / 8] >> i % 8 & 1) out.mask[(at + i) / 8] |= static_cast<uint8_t>(1 << (at + i) % 8);
  }
}

void RowQuantizer::pull(float* w, const float* row, const float* scales, float strength, float* scratch) const {
  kernels::pull_quantized(w, row, columns_, group_, rotated() ? block_ : 1, scales, spec_.grid, strength, scratch);
}

void RowQuantizer::dequantize(const int8_t* codes, const float* scales, float* value) const {
  for (int64_t g = 0; g < groups(); ++g)
    kernels::dequantize_group(codes + g * group_, group_, scales[g], spec_.grid, value + g * group_);
  if (spec_.rotation == Rotation::kHadamard) kernels::hadamard(value, value, columns_, block_);
}

void RowQuantizer::to_latent_basis(float* value) const {
  if (spec_.rotation == Rotation::kHadamardHalf) kernels::hadamard(value, value, columns_, block_);
}

}  // namespace detent::ops
