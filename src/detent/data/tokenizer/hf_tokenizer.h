// A tokenizer out of a tokenizer.json.
#pragma once
#include <memory>
#include <string>

#include "detent/data/tokenizer.h"
#include "detent/data/tokenizer/tokenizer_folder.h"

namespace detent {

// name is what make_tokenizer took, and begins the sentences of errors. Bytes that are not UTF-8 become U+FFFD before
// anything else, since the library takes text only. What detent writes for its byte tokenizer is that again.
std::unique_ptr<Tokenizer> hf_tokenizer(TokenizerFolder files, const std::string& name);

}  // namespace detent
