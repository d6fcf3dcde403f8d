#include "detent/data/text_fingerprint.h"

#include <nlohmann/json.hpp>

#include "detent/io/bytes.h"
#include "detent/io/sha256.h"

namespace detent {

namespace fs = std::filesystem;

namespace {
constexpr int kLayout = 2;  // of the ids in a shard; counts up when others are written for the same text
}

std::string text_fingerprint(const std::vector<fs::path>& files, const std::vector<std::string>& options,
                             const Tokenizer& tokenizer) {
  nlohmann::json list = nlohmann::json::array();
  for (const fs::path& file : files)
    list.push_back(
        {fs::canonical(file).string(), fs::file_size(file), fs::last_write_time(file).time_since_epoch().count()});
  const nlohmann::json all{kLayout, tokenizer.fingerprint(), tokenizer.vocab_size(), options, list};
  const auto replace = nlohmann::json::error_handler_t::replace;  // a path may hold bytes that are not UTF-8
  return io::to_hex(io::sha256(io::as_bytes(all.dump(-1, ' ', false, replace))));
}

}  // namespace detent
