// Text to token ids and back.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace detent {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of text as it stands: no special token is added, and text that spells one is text.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  // The bytes of ids; special tokens have none. Any cut of ids is allowed, so a cut inside a character gives invalid
  // UTF-8. Fails on an id outside the vocabulary.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;

  virtual int64_t vocab_size() const = 0;   // special tokens included
  virtual int32_t end_of_text() const = 0;  // follows every document of a token shard
  virtual std::optional<int32_t> bos() const = 0;
  virtual std::string name() const = 0;  // what make_tokenizer takes
  // One a token, in the printable spelling of GPT-2 (gpt2_spelling); special tokens as they are written.
  virtual std::vector<std::string> token_strings() const = 0;
  // Writes Hugging Face tokenizer files into an existing folder: transformers.AutoTokenizer opens it.
  virtual void save(const std::string& folder) const = 0;
};

inline constexpr std::string_view kEndOfText = "<|endoftext|>";

// GPT-2 writes each byte as one printable character: itself if Latin-1 prints it, else one from U+0100 on (a space is
// "Ġ"). From Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), section 2.2, as published in
// vocab.json. UTF-8 of that character.
std::string gpt2_spelling(uint8_t byte);

// Ids 0..255 are the bytes, 256 is the end of text; no BOS.
std::unique_ptr<Tokenizer> byte_tokenizer();
// "bytes". Fails on anything else.
std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name_or_path);
// The tokenizer of a folder that save() wrote into: a model directory or a checkpoint.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& model_folder);

}  // namespace detent
