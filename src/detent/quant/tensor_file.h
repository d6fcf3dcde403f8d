// Tensors to and from safetensors files.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace detent {

using TensorMap = std::map<std::string, at::Tensor>;

// Every tensor as float32, copied to the allocator's aligned storage (two runs agree bit for bit only if their buffers
// are aligned alike). F16 and BF16 are widened, which is exact; other types are refused by name.
TensorMap read_float_tensors(const std::filesystem::path& path);
// float32, contiguous, CPU.
void write_float_tensors(const std::filesystem::path& path, const TensorMap& tensors);

}  // namespace detent
