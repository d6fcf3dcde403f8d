// Rotary position embedding (arXiv 2104.09864) in Hugging Face's layout: halves of the head are rotated against each
// other. Frequencies are computed in float32 in the order of transformers' modeling_rope_utils.py, whose formulas these
// are; a frequency that differs in its last bit is off by whole radians at long positions.
#pragma once
#include <ATen/core/Tensor.h>

#include "detent/architectures/decoder_config.h"

namespace detent::nn {

// By which angles the positions of one forward are rotated (ops::rope): float32 [T, head_size / 2], or
// [B, T, head_size / 2] where rows differ. Made on the CPU, whatever the model is on, so that all devices rotate by the
// same angles.
struct Rotation {
  at::Tensor cos, sin;
  Rotation on(at::Device device) const { return {cos.to(device), sin.to(device)}; }
};

class Rope {
 public:
  explicit Rope(const DecoderConfig& config);

  // Of the last `count` positions of a context of first + count.
  Rotation of_context(int64_t first, int64_t count);
  // Of rows of several documents, each rotated as it would be alone; lengths int64 [B, T] on the CPU: of the document
  // that a position belongs to. Positions count through a row, because only their differences show.
  Rotation of_documents(const at::Tensor& lengths);
  // Whether a context of this length is rotated by other angles than its beginning alone would be, as it is under
  // dynamic scaling beyond max_position_embeddings: keys that were rotated before cannot be used again then.
  bool depends_on(int64_t length) const;
  // Of a context of this length: float32 [head_size / 2].
  at::Tensor frequencies(int64_t length) const;

 private:
  int64_t head_size_, trained_length_;
  double theta_;
  RopeScaling scaling_;
  Rotation table_;  // of as many positions as were asked for, where angles do not depend on the length
};

}  // namespace detent::nn
