// Any bytes as a GGUF file: an accepted one has tensors of whole blocks inside it.
#include "detent/io/gguf.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace detent;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const io::GgufContent content = io::parse_gguf(bytes, "fuzz");
    for (const io::GgufTensor& tensor : content.tensors) {
      fuzz::check(io::ggml_bytes(*tensor.type, tensor.ne) == tensor.bytes.size());
      fuzz::check(!tensor.bytes.empty() && &tensor.bytes.back() <= &bytes.back());
    }
    for (const auto& [key, value] : content.values) fuzz::check(!key.empty() && !io::gguf_type_name(value).empty());
  });
}
