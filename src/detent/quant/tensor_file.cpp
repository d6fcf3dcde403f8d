#include "detent/quant/tensor_file.h"

#include <ATen/ATen.h>

#include <cstring>

#include "detent/base/error.h"
#include "detent/io/safetensors.h"

namespace detent {

namespace {
at::ScalarType scalar_type(const io::TensorView& view, const std::filesystem::path& path) {
  switch (view.dtype) {
    case io::Dtype::kF32:
      return at::kFloat;
    case io::Dtype::kF16:
      return at::kHalf;
    case io::Dtype::kBF16:
      return at::kBFloat16;
    default:
      fail("{}: tensor '{}' is {}; weights must be F32, F16 or BF16", path.string(), view.name,
           io::dtype_name(view.dtype));
  }
}
}  // namespace

TensorMap read_float_tensors(const std::filesystem::path& path) {
  const io::SafetensorsReader reader(path);
  TensorMap tensors;
  for (const io::TensorView& view : reader.tensors()) {
    at::Tensor tensor = at::empty(view.shape, scalar_type(view, path));
    if (!view.bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    tensors[view.name] = tensor.to(at::kFloat);
  }
  return tensors;
}

void write_float_tensors(const std::filesystem::path& path, const TensorMap& tensors) {
  std::vector<io::TensorView> views;
  std::vector<at::Tensor> keep;
  for (const auto& [name, tensor] : tensors) {
    keep.push_back(tensor.detach().to(at::kFloat).contiguous());
    const auto* bytes = reinterpret_cast<const std::byte*>(keep.back().const_data_ptr());
    views.push_back({name, io::Dtype::kF32, tensor.sizes().vec(), {bytes, keep.back().nbytes()}});
  }
  io::write_safetensors(path, views);
}

}  // namespace detent
