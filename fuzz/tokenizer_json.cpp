// Any bytes as a tokenizer.json, which then encodes some text: every id is one of the vocabulary and can be decoded.
#include "detent/data/tokenizer/hf_tokenizer.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace detent;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const auto tokenizer = hf_tokenizer(TokenizerFolder(bytes), "fuzz");
    constexpr std::string_view kText = " ab'S 12\n\n\u00e9e\u0301\u2581<e>\xFF";
    const std::vector<int32_t> ids = tokenizer->encode(kText);
    for (const int32_t id : ids) {
      fuzz::check(id >= 0 && id < tokenizer->vocab_size());
      tokenizer->piece(id);
    }
    tokenizer->decode(ids);
    if (const size_t cut = tokenizer->find_cut(kText, 1); cut != kText.npos) {
      std::vector<int32_t> halves = tokenizer->encode(kText.substr(0, cut));
      const std::vector<int32_t> rest = tokenizer->encode_next(kText.substr(cut));
      halves.insert(halves.end(), rest.begin(), rest.end());
      fuzz::check(halves == ids);
    }
    fuzz::check(static_cast<int64_t>(tokenizer->vocabulary().tokens.size()) == tokenizer->vocab_size());
  });
}
