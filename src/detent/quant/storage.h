// What unquantized tensors (embedding, head, norms, skipped layers) are stored as. The training forward uses exactly
// the stored values, so that a whole file is bit-equal to what was trained.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace detent {

enum class Storage { kF32, kF16, kBf16, kQ8_0 };
const std::vector<std::string>& storage_names();  // f32 f16 bf16 q8_0
Storage parse_storage(const std::string& name);
std::string storage_name(Storage storage);
// The value that survives being stored, as float32. q8_0: fp16 scale absmax/127 per 32 elements of the last dimension;
// tensors whose last dimension is not a multiple of 32 and 1-D tensors (norms, biases) are stored as f32 under q8_0.
at::Tensor stored_value(const at::Tensor& x, Storage storage);

}  // namespace detent
