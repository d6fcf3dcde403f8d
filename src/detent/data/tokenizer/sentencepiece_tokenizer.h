// A tokenizer out of a tokenizer.model, by the sentencepiece library.
#pragma once
#include <memory>
#include <string>

#include "detent/data/tokenizer.h"
#include "detent/data/tokenizer/tokenizer_folder.h"

namespace detent {

// Ids are those of the library's Encode, unigram or BPE, so the dummy prefix, white space and normalization are as the
// model file says, and only user-defined pieces are found in the text. A BOS goes first unless tokenizer_config.json
// sets add_bos_token to false or the model has none; an EOS last where add_eos_token is true.
std::unique_ptr<Tokenizer> sentencepiece_tokenizer(TokenizerFolder files, const std::string& name);

}  // namespace detent
