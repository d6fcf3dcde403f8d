// Text to token ids and back.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detent/data/vocabulary.h"

namespace detent {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of text without any that a template adds: Hugging Face's encode(text, add_special_tokens=False). Text that
  // spells an added token ("<|eot_id|>") becomes that token; for bytes alone text stays text. Threads may share a
  // tokenizer.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  // The same, but text that spells a special token stays text: what a user wrote cannot end their turn. Hugging Face's
  // encode with encode_special_tokens = true.
  virtual std::vector<int32_t> encode_as_text(std::string_view text) const { return encode(text); }
  // With what the tokenizer's template adds, e.g. a BOS: Hugging Face's encode(text).
  virtual std::vector<int32_t> encode_with_special(std::string_view text) const { return encode(text); }
  // The ids of a text that goes on where another ended: nothing that belongs to a beginning is put in front.
  virtual std::vector<int32_t> encode_next(std::string_view text) const { return encode(text); }
  // A place at from or behind where a long text may be cut: encode(text before it) and encode_next(the rest) together
  // are encode(text). npos when text shows none; more text may.
  virtual size_t find_cut(std::string_view text, size_t from) const { return std::string_view::npos; }
  // The bytes of ids; special tokens have none. Any cut of ids is allowed, so a cut inside a character gives invalid
  // UTF-8. Fails on an id outside the vocabulary.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
  // What id adds to a text that has begun: decode() of one id, but with the space that decode() drops at the start.
  virtual std::string piece(int32_t id) const { return decode({&id, 1}); }

  virtual int64_t vocab_size() const = 0;  // the largest id and one; special tokens included
  // The token with exactly this spelling in the vocabulary or among the added tokens.
  virtual std::optional<int32_t> token_id(std::string_view token) const = 0;
  virtual bool is_special(int32_t id) const = 0;   // decode() gives it no bytes
  virtual std::optional<int32_t> bos() const = 0;  // what the template puts first; none when it puts nothing
  virtual std::optional<int32_t> eos() const = 0;  // ends a text, in the model's own words
  int32_t end_of_text() const;  // eos(), which follows every document of a token shard; fails without
  virtual Vocabulary vocabulary() const = 0;

  virtual std::string name() const = 0;         // what make_tokenizer takes
  virtual std::string fingerprint() const = 0;  // equal for equal ids of every text: goes into the name of a shard
  // Writes Hugging Face tokenizer files into an existing folder: transformers.AutoTokenizer opens it. What was read
  // from files is copied as it stands.
  virtual void save(const std::string& folder) const = 0;
};

inline constexpr std::string_view kEndOfText = "<|endoftext|>";

// GPT-2 writes each byte as one printable character: itself if Latin-1 prints it, else one from U+0100 on (a space is
// "Ġ"). From Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), section 2.2, as published in
// vocab.json. UTF-8 of that character.
std::string gpt2_spelling(uint8_t byte);

// Ids 0..255 are the bytes, 256 is the end of text; no BOS.
std::unique_ptr<Tokenizer> byte_tokenizer();
// "bytes", a tokenizer.json or tokenizer.model (told by the file's extension), or a folder as load_tokenizer takes it.
// Fails naming the file on anything malformed or not supported.
std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name_or_path);
// The tokenizer of a model directory or checkpoint: its tokenizer.json, or else its tokenizer.model.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& model_folder);

}  // namespace detent
