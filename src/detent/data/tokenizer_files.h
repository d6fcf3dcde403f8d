// The tokenizer files of a Hugging Face model directory.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "detent/data/tokenizer.h"

namespace detent {

// tokenizer.json, tokenizer_config.json and special_tokens_map.json for a tokenizer whose tokens are single bytes and
// the end of text: in Hugging Face's terms byte-level BPE without merges.
void save_byte_level(const Tokenizer& tokenizer, const std::string& folder);
// Whether tokenizer.json, which transformers may have rewritten, gives the ids of this tokenizer.
bool is_byte_level(const nlohmann::json& file, const Tokenizer& tokenizer);

}  // namespace detent
