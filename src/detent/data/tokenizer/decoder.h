// From the spellings of tokens back to text.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace detent {

// The steps that a tokenizer.json lists under "decoder", over the list of spellings. Bytes stay bytes: where the
// library would put U+FFFD for what is not UTF-8, the bytes themselves come back.
class DecoderChain {
 public:
  using Step = std::function<void(std::vector<std::string>& tokens)>;
  void add(Step step) { steps_.push_back(std::move(step)); }
  size_t size() const { return steps_.size(); }
  // Without a step the library puts a space between tokens.
  std::string run(std::vector<std::string> tokens) const;

 private:
  std::vector<Step> steps_;
};

DecoderChain::Step decode_byte_level();
// Spaces for replacements; those of the first token are dropped when strip is set.
DecoderChain::Step decode_metaspace(std::string replacement, bool strip);
DecoderChain::Step decode_replace(std::string pattern, std::string content);
DecoderChain::Step decode_byte_fallback();
DecoderChain::Step decode_fuse();
// Up to that many of content from each end of each token.
DecoderChain::Step decode_strip(std::string content, size_t start, size_t stop);

}  // namespace detent
