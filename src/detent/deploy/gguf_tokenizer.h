// The tokenizer inside a GGUF file.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detent/data/tokenizer.h"
#include "detent/io/gguf.h"

namespace detent {

// The keys for a tokenizer; null gives the keys of a file without vocabulary. Fails when the tokenizer has more tokens
// than the model, or is one that GGUF export does not know.
std::vector<io::GgufKeyValue> tokenizer_metadata(const Tokenizer* tokenizer, int64_t vocab_size);
// The tokenizer of a file. Fails when it is not one that detent wrote.
std::unique_ptr<Tokenizer> tokenizer_from_gguf(const io::GgufReader& file, const std::string& source);

}  // namespace detent
