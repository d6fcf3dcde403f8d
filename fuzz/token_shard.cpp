// Any bytes as a token shard: an accepted one has its tokens inside it and its documents in order.
#include "detent/io/token_shard.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace detent;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const io::TokenShardContent content = io::parse_token_shard(bytes, "fuzz");
    fuzz::check(content.tokens.size() % content.token_bytes == 0);
    if (!content.tokens.empty()) fuzz::check(&content.tokens.back() < &bytes.back());
    fuzz::check(content.checked.size() + content.digest.size() == bytes.size());
    for (const uint64_t end : content.document_ends) {
      fuzz::check(end <= content.tokens.size() / content.token_bytes);
    }
  });
}
