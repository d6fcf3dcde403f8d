// The parts of a tokenizer.json whose kind is named by "type", built from it.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "detent/data/tokenizer/decoder.h"
#include "detent/data/tokenizer/normalizer.h"
#include "detent/data/tokenizer/pre_tokenizer.h"

namespace detent {

// Each fails, naming source and the part, on a type or a key that is unknown or not supported. null: no part.

NormalizerChain build_normalizers(const nlohmann::json& value, const std::string& source);

struct PreTokenizers {
  PreTokenizerChain chain;
  bool byte_level = false;  // words are bytes from here on
  std::string split;        // the name of the known way of cutting (known_patterns()), or empty
};
PreTokenizers build_pre_tokenizers(const nlohmann::json& value, const std::string& source);

// What stands around a single text.
struct Template {
  std::vector<int32_t> before, after;
};
Template build_template(const nlohmann::json& value, const std::string& source);

DecoderChain build_decoder(const nlohmann::json& value, const std::string& source);

}  // namespace detent
