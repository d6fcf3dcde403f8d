// The output layer and its loss in one: logits stay in the cache, a block of the vocabulary at a time.
#pragma once
#include <ATen/core/Tensor.h>

namespace detent::ops {

// Cross-entropy in nats of each row: states [rows, in], weight [vocab, in], targets int64 [rows], each in [0, vocab),
// to float [rows], without a graph. The logits are those of linear(states, weight), bit for bit. From 16 rows on the
// loss is the same on any number of threads and beside any other rows; where linear() has no product of ours (fewer
// rows, other devices, no fused multiply-add), logits of `rows_at_a_time` rows are made whole.
at::Tensor output_losses(const at::Tensor& states, const at::Tensor& weight, const at::Tensor& targets,
                         int64_t rows_at_a_time = 512);

}  // namespace detent::ops
