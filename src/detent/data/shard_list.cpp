#include "detent/data/shard_list.h"

#include <nlohmann/json.hpp>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/atomic_file.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"

namespace detent {

namespace {

using nlohmann::json;
constexpr int kVersion = 1;

uint64_t count_at(const json& value, const char* key) {
  if (!value.at(key).is_number_unsigned())
    throw json::other_error::create(501, fmt::format("{} is no count", key), &value);
  return value.at(key).get<uint64_t>();
}

ShardEntry entry_from(const json& value) {
  ShardEntry entry{value.at("file").get<std::string>(),
                   value.at("fingerprint").get<std::string>(),
                   {count_at(value, "documents"), count_at(value, "tokens"), count_at(value, "bytes")}};
  const std::filesystem::path name = entry.name;
  if (name.filename() != name || entry.name.empty()) throw json::other_error::create(501, "a file outside", nullptr);
  return entry;
}

}  // namespace

std::optional<ShardList> read_shard_list(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kShardListName;
  if (!std::filesystem::exists(path)) return std::nullopt;
  const io::MappedFile file(path);
  const json value = parse_json(io::as_text(file.bytes()), path.string());
  try {
    if (value.at("version") != kVersion) fail("{}: version {} is not known", path.string(), value.at("version").dump());
    ShardList list{value.at("fingerprint").get<std::string>(),
                   value.at("tokenizer").get<std::string>(),
                   value.at("ends").get<bool>(),
                   {}};
    for (const json& shard : value.at("shards")) list.shards.push_back(entry_from(shard));
    return list;
  } catch (const json::exception& error) {
    fail("{}: not a list of token shards: {}", path.string(), json_problem(error));
  }
}

void write_shard_list(const std::filesystem::path& folder, const ShardList& list) {
  nlohmann::ordered_json value = {{"version", kVersion},
                                  {"fingerprint", list.fingerprint},
                                  {"tokenizer", list.tokenizer},
                                  {"ends", list.ends},
                                  {"shards", nlohmann::ordered_json::array()}};
  for (const ShardEntry& shard : list.shards)
    value["shards"].push_back({{"file", shard.name},
                               {"fingerprint", shard.fingerprint},
                               {"documents", shard.text.documents},
                               {"tokens", shard.text.tokens},
                               {"bytes", shard.text.bytes}});
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  io::write_file_atomically(folder / kShardListName, value.dump(2, ' ', false, replace) + "\n");
}

}  // namespace detent
