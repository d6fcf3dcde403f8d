// Any bytes as a token shard: an accepted one has its tokens inside it, its documents and scored ranges in order.
#include "detent/io/token_shard.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace detent;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const io::TokenShardContent content = io::parse_token_shard(bytes, "fuzz");
    fuzz::check(content.tokens.size() % content.token_bytes == 0);
    if (!content.tokens.empty()) fuzz::check(&content.tokens.back() < &bytes.back());
    fuzz::check(content.checked.size() + content.digest.size() == bytes.size());
    const uint64_t tokens = content.tokens.size() / content.token_bytes;
    for (const uint64_t end : content.document_ends) fuzz::check(end <= tokens);
    for (const io::TokenRange& range : content.scored) fuzz::check(range.begin < range.end && range.end <= tokens);
  });
}
