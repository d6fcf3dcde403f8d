// One row through rotation, statistics, scale, grid and back, while it is in cache. Everything that quantizes - the
// training forward, export, CAGE's target, WinQ's reset - runs through here, which is why they agree bit for bit.
#pragma once
#include <cstdint>

#include "detent/format/spec.h"
#include "detent/kernels/fake_quant/fake_quant.h"

namespace detent::ops {

class RowQuantizer {
 public:
  RowQuantizer(const QuantSpec& spec, int64_t columns);
  RowQuantizer(const QuantSpec& spec, int64_t columns, const kernels::Surrogate& surrogate);

  int64_t columns() const { return columns_; }
  int64_t groups() const { return columns_ / group_; }  // per row; tensor granularity counts one
  // The row in the basis that is quantized: x itself, or its rotation written to scratch (columns floats).
  const float* basis(const float* x, float* scratch) const;
  // Scales of a row in that basis, by the spec's rule, rounded to its format. Not for tensor granularity or learned.
  void find_scales(const float* row, float* scales) const;
  // Quantizes a row in that basis with the given scales; out.value comes back in the basis the model multiplies in
  // (unrotated for kHadamard, still rotated for kHadamardHalf). out.stream: not for kHadamard, which reads it again.
  void quantize(const float* row, const float* scales, const kernels::FakeQuantOut& out) const;
  // The same where values are wanted and rotated back, past the caches; `row` is overwritten.
  void quantize_back_streamed(float* row, const float* scales, kernels::FakeQuantOut out) const;
  // The pull of a row of the latent weight towards its value in its own basis; row: the same in the basis that is
  // quantized. scratch: columns floats, another memory than row.
  void pull(float* w, const float* row, const float* scales, float strength, float* scratch) const;
  void dequantize(const int8_t* codes, const float* scales, float* value) const;
  // Turns a value row of the model's basis into the latent weight's basis (only kHadamardHalf differs).
  void to_latent_basis(float* value) const;

  const QuantSpec& spec() const { return spec_; }
  const kernels::Surrogate& surrogate() const { return surrogate_; }
  bool rotated() const { return spec_.rotation != Rotation::kNone; }
  int64_t block() const { return block_; }
  int64_t group() const { return group_; }

 private:
  void quantize_in_basis(const float* row, const float* scales, const kernels::FakeQuantOut& out) const;
  void quantize_with_shifted_masks(const float* row, const float* scales, const kernels::FakeQuantOut& out) const;
  QuantSpec spec_;
  int64_t columns_, group_, block_;
  kernels::Surrogate surrogate_;
};

// Gradient passes everywhere: the plain straight-through estimator.
kernels::Surrogate pass_through();

}  // namespace detent::ops
