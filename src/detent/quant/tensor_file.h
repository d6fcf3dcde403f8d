// Tensors to and from safetensors files.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "detent/io/safetensors.h"

namespace detent {

using TensorMap = std::map<std::string, at::Tensor>;

// One tensor as float32, copied to the allocator's 64-byte-aligned storage (two runs agree bit for bit only if their
// buffers are aligned alike). F16 and BF16 are widened, which is exact; other types are refused by name. The pages of
// the file that held it are let go, so that reading a whole file takes the memory of its tensors and no more.
at::Tensor read_float_tensor(const io::SafetensorsReader& file, const io::TensorView& view);
// What stands for rows [first, first + count) of a matrix.
io::TensorView rows_of(const io::TensorView& view, int64_t first, int64_t count);
// Every tensor of a file or folder, in the same way.
TensorMap read_float_tensors(const std::filesystem::path& path);
// float32, contiguous, CPU.
void write_float_tensors(const std::filesystem::path& path, const TensorMap& tensors);

// Whether a contiguous float32 tensor holds no NaN and no infinity.
bool all_finite(const at::Tensor& tensor);
// Fails, naming the tensor and where it lies, unless it is.
void check_finite(const at::Tensor& tensor, const std::string& name, const std::string& source);

}  // namespace detent
