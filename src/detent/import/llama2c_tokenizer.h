// llama2.c's tokenizer.bin as a tokenizer of Hugging Face's.
#pragma once
#include <filesystem>

#include "detent/import/tokenizer_json.h"

namespace detent {

// Fails, naming the file, unless it has vocab_size tokens laid out as run.c takes for granted: unknown, BOS and EOS
// first, then the 256 bytes.
TokenizerParts read_llama2c_tokenizer(const std::filesystem::path& path, int64_t vocab_size);

}  // namespace detent
