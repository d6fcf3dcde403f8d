// The keys of a JSON object, each read once; what nobody read is an error.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

namespace detent {

// where begins every sentence, e.g. "tokenizer.json: pre_tokenizer". Fails when value is no object.
class JsonFields {
 public:
  JsonFields(const nlohmann::json& value, std::string where);

  const std::string& where() const { return where_; }
  const nlohmann::json* find(const std::string& key);  // null when missing; marks the key as known
  const nlohmann::json& at(const std::string& key);    // fails when missing
  std::string string(const std::string& key);
  std::string string(const std::string& key, const std::string& missing);
  std::optional<std::string> optional_string(const std::string& key);  // missing or null: nothing
  bool flag(const std::string& key);
  bool flag(const std::string& key, bool missing);  // also for null
  int64_t number(const std::string& key, int64_t low, int64_t high);
  void ignore(const std::string& key) { known_.insert(key); }  // no part of what the ids are
  void finish() const;                                         // fails on a key that nobody asked for

 private:
  const nlohmann::json& value_;
  std::string where_;
  std::set<std::string> known_;
};

}  // namespace detent
