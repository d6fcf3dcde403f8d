// Any bytes as a safetensors file: an accepted one has tensors that tile its end.
#include "detent/io/safetensors.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace detent;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const io::SafetensorsContent content = io::parse_safetensors(bytes, "fuzz");
    size_t total = 0;
    for (const io::TensorView& tensor : content.tensors) {
      fuzz::check(io::tensor_bytes(tensor.dtype, tensor.shape) == tensor.bytes.size());
      total += tensor.bytes.size();
      if (!tensor.bytes.empty()) fuzz::check(&tensor.bytes.back() <= &bytes.back());
    }
    fuzz::check(total <= bytes.size());
  });
}
