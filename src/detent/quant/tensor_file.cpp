#include "detent/quant/tensor_file.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>
#include <cstring>

#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

namespace {

constexpr int64_t kGrain = int64_t{1} << 16;  // elements a thread takes at a time
constexpr int64_t kLanes = 16;                // as many at a time as the compiler turns into vectors
constexpr int64_t kPiece = int64_t{1} << 22;  // elements read before the memory of the file is let go

at::ScalarType scalar_type(const io::TensorView& view, const std::filesystem::path& path) {
  switch (view.dtype) {
    case io::Dtype::kF32:
      return at::kFloat;
    case io::Dtype::kF16:
      return at::kHalf;
    case io::Dtype::kBF16:
      return at::kBFloat16;
    default:
      fail("{}: tensor {} is {}; weights must be F32, F16 or BF16", path.string(), in_quotes(view.name),
           io::dtype_name(view.dtype));
  }
}

// The elements in place, or copied out where they begin at an odd byte (after a tensor of odd length).
at::Tensor stored(std::span<const std::byte> bytes, int64_t count, at::ScalarType type) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % at::elementSize(type) == 0)
    return at::from_blob(const_cast<std::byte*>(bytes.data()), {count}, type);
  at::Tensor copy = at::empty({count}, type);
  std::memcpy(copy.mutable_data_ptr(), bytes.data(), bytes.size());
  return copy;
}

}  // namespace

io::TensorView rows_of(const io::TensorView& view, int64_t first, int64_t count) {
  io::TensorView rows = view;
  const size_t size = view.bytes.size() / static_cast<size_t>(view.shape.at(0));
  rows.bytes = view.bytes.subspan(static_cast<size_t>(first) * size, static_cast<size_t>(count) * size);
  rows.shape[0] = count;
  return rows;
}

at::Tensor read_float_tensor(const io::SafetensorsReader& file, const io::TensorView& view) {
  const at::ScalarType type = scalar_type(view, file.path());
  at::Tensor tensor = at::empty(view.shape, at::kFloat);
  const at::Tensor flat = tensor.view(-1);
  const auto size = static_cast<int64_t>(at::elementSize(type));
  for (int64_t begin = 0; begin < flat.numel(); begin += kPiece) {
    const int64_t count = std::min(kPiece, flat.numel() - begin);
    const auto part = view.bytes.subspan(static_cast<size_t>(begin * size), static_cast<size_t>(count * size));
    flat.narrow(0, begin, count).copy_(stored(part, count, type));
    file.release(part);
  }
  return tensor;
}

TensorMap read_float_tensors(const std::filesystem::path& path) {
  const io::SafetensorsReader file(path);
  TensorMap tensors;
  for (const io::TensorView& view : file.tensors()) tensors[view.name] = read_float_tensor(file, view);
  return tensors;
}

void write_float_tensors(const std::filesystem::path& path, const TensorMap& tensors) {
  std::vector<io::TensorView> views;
  std::vector<at::Tensor> keep;
  for (const auto& [name, tensor] : tensors) {
    keep.push_back(tensor.detach().to(at::kCPU, at::kFloat).contiguous());
    const auto* bytes = reinterpret_cast<const std::byte*>(keep.back().const_data_ptr());
    views.push_back({name, io::Dtype::kF32, tensor.sizes().vec(), {bytes, keep.back().nbytes()}});
  }
  io::write_safetensors(path, views);
}

bool all_finite(const at::Tensor& tensor) {
  const auto* values = static_cast<const uint32_t*>(tensor.const_data_ptr());
  std::atomic<bool> finite = true;
  at::parallel_for(0, tensor.numel(), kGrain, [&](int64_t begin, int64_t end) {
    // An exponent of all ones: adding one to it carries into the sign bit, and no other exponent does.
    const auto carry = [&](int64_t i) { return (values[i] & 0x7fffffffu) + 0x00800000u; };
    uint32_t carried[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) carried[lane] |= carry(i + lane);
    for (; i < end; ++i) carried[0] |= carry(i);
    for (const uint32_t lane : carried)
      if (lane & 0x80000000u) finite = false;
  });
  return finite;
}

void check_finite(const at::Tensor& tensor, const std::string& name, const std::string& source) {
  if (!all_finite(tensor)) fail("{}: tensor '{}' holds values that are not finite", source, name);
}

}  // namespace detent
