// Any bytes as a checkpoint of llama2.c: an accepted one has whole tensors inside it.
#include "detent/io/llama2c.h"

#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace detent;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const bool looks = io::looks_like_llama2c(bytes);
    const io::Llama2cContent content = io::parse_llama2c(bytes, "fuzz");
    fuzz::check(looks);
    for (const io::Llama2cTensor& tensor : content.tensors) {
      size_t count = 1;
      for (const int64_t n : tensor.shape) count *= static_cast<size_t>(n);
      fuzz::check(tensor.bytes.size() == 4 * count && &tensor.bytes.back() <= &bytes.back());
    }
  });
}
