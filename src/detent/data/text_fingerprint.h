// What decides the ids of text files: names a shard of them.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "detent/data/tokenizer.h"

namespace detent {

// SHA-256, in hexadecimal, of the tokenizer, of the files' paths, sizes and times, and of options.
std::string text_fingerprint(const std::vector<std::filesystem::path>& files, const std::vector<std::string>& options,
                             const Tokenizer& tokenizer);

}  // namespace detent
