// Any bytes as a text file of each kind; the first byte picks the kind.
#include "detent/io/text_source.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace detent;
  constexpr const char* kNames[] = {"fuzz.txt", "fuzz.jsonl", "fuzz.txt.zst", "fuzz.jsonl.zst"};
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    io::TextOptions options;
    options.separator = "--";
    options.max_document_bytes = 1 << 16;
    const char* name = kNames[static_cast<size_t>(bytes[0]) % 4];
    io::TextSource source(bytes.subspan(1), name, options);
    while (const auto document = source.next()) fuzz::check(document->size() <= options.max_document_bytes);
    fuzz::check(source.bytes_read() == source.bytes_total());
  });
}
