// The tokenizer inside a GGUF file.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detent/data/tokenizer.h"
#include "detent/import/tokenizer_json.h"
#include "detent/io/gguf.h"

namespace detent {

// The keys for a tokenizer; null gives the keys of a file without vocabulary. Fails when the tokenizer has more tokens
// than the model, or is one that llama.cpp does not know.
std::vector<io::GgufKeyValue> tokenizer_metadata(const Tokenizer* tokenizer, int64_t vocab_size);

// What a file says about its tokenizer; nothing when it has none. Fails, naming file and key, on one of a kind that is
// not handled.
std::optional<TokenizerParts> read_gguf_tokenizer(const io::GgufReader& file, const std::string& source);
// The tokenizer of a file, which must have one.
std::unique_ptr<Tokenizer> tokenizer_from_gguf(const io::GgufReader& file, const std::string& source);

}  // namespace detent
