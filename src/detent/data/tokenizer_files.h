// The tokenizer files of a Hugging Face model directory.
#pragma once
#include <string>

#include "detent/data/tokenizer.h"
#include "detent/data/tokenizer/tokenizer_json.h"

namespace detent {

// tokenizer.json, tokenizer_config.json and special_tokens_map.json for a tokenizer whose tokens are single bytes and
// the end of text: in Hugging Face's terms byte-level BPE without merges.
void save_byte_level(const Tokenizer& tokenizer, const std::string& folder);
// Whether a tokenizer.json, which transformers may have rewritten, is what save_byte_level wrote for this tokenizer.
bool is_byte_level(const TokenizerJson& file, const Tokenizer& tokenizer);

}  // namespace detent
