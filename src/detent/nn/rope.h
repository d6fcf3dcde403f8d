// Rotary position embedding (arXiv 2104.09864) in Hugging Face's layout: halves of the head are rotated against each
// other. Frequencies are computed in float32 in the order of transformers' modeling_rope_utils.py, whose formulas these
// are; a frequency that differs in its last bit is off by whole radians at long positions.
#pragma once
#include <ATen/core/Tensor.h>

#include "detent/architectures/decoder_config.h"

namespace detent::nn {

class Rope {
 public:
  explicit Rope(const DecoderConfig& config);

  // x [B, heads, T, head_size] at positions first .. first + T - 1. `length` is the length of the longest document,
  // which matters to dynamic scaling alone: beyond max_position_embeddings its frequencies depend on it.
  at::Tensor apply(const at::Tensor& x, int64_t first, int64_t length);
  // Whether a context of this length is rotated by other angles than its beginning alone would be: keys that were
  // rotated before cannot be used again then.
  bool depends_on(int64_t length) const;
  // Of a context of this length: float32 [head_size / 2].
  at::Tensor frequencies(int64_t length) const;

 private:
  void extend(int64_t positions, int64_t length);
  int64_t head_size_, trained_length_;
  double theta_;
  RopeScaling scaling_;
  int64_t table_length_ = 0;  // the length whose frequencies the tables hold, under dynamic scaling
  at::Tensor cos_, sin_;      // [positions, head_size / 2]
};

}  // namespace detent::nn
