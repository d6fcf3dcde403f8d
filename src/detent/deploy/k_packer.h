// Rows of a matrix as blocks of a ggml type with two-level scales.
#pragma once
#include <cstddef>
#include <span>

#include "detent/format/ggml_blocks.h"
#include "detent/format/k_fit.h"
#include "detent/quant/quantizer.h"

namespace detent {

// From the codes of a matrix whose spec the block holds (block_refusal).
class KPacker {
 public:
  KPacker(const Quantized& quantized, const KBlock& block);
  bool pack(int64_t row, std::span<std::byte> out) const;  // false when a scale has no place

 private:
  const KBlock& block_;
  QuantSpec spec_;
  KFit fit_;
  at::Tensor codes_, scales_;
  int64_t columns_;
};

// From a row's values alone; false when they are not found to lie on one of the block's grids.
bool pack_k_values(const KBlock& block, std::span<const float> values, std::span<std::byte> out);

}  // namespace detent
