// llama2.c's tokenizer.bin as a tokenizer of Hugging Face's.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "detent/data/tokenizer.h"
#include "detent/import/tokenizer_json.h"

namespace detent {

// run.c's. Its models put a BOS between texts and learn no EOS, so generation ends at either.
inline constexpr int32_t kLlama2cBos = 1, kLlama2cEos = 2;

// Fails, naming the file, unless it has vocab_size tokens laid out as run.c takes for granted: unknown, BOS and EOS
// first, then the 256 bytes.
TokenizerParts read_llama2c_tokenizer(const std::filesystem::path& path, int64_t vocab_size);

// Where a checkpoint's own lies by llama2.c's habit: tokenizer.bin beside it, or tok512.bin for a vocabulary of 512.
std::optional<std::filesystem::path> llama2c_tokenizer_beside(const std::filesystem::path& checkpoint);
// Fails, saying what to do, when there is none.
std::unique_ptr<Tokenizer> tokenizer_beside_llama2c(const std::filesystem::path& checkpoint);

}  // namespace detent
