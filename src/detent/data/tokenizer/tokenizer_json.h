// The file tokenizer.json of Hugging Face's library, read but for the parts whose kind is a matter of their own.
#pragma once
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "detent/data/tokenizer/added_tokens.h"
#include "detent/data/tokenizer/bpe.h"

namespace detent {

struct TokenizerJson {
  BpeParts bpe;  // but for byte_level, which the pre-tokenizer decides
  std::vector<AddedToken> added_tokens;
  nlohmann::json normalizer, pre_tokenizer, post_processor, decoder;  // null where there is none
};

// Vocabulary and merges go straight into tables, so memory stays within some times the text. Fails naming source on
// anything that is malformed, unknown or not supported (a model other than BPE, dropout, subword prefixes and
// suffixes), and where ids would not be those of the library: ids or tokens given twice, added tokens with other ids
// than the library counts. Truncation and padding belong to a call, not to the tokenizer, and are not read.
TokenizerJson read_tokenizer_json(std::string_view text, std::string_view source);

}  // namespace detent
