#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer/component_list.h"
#include "detent/data/tokenizer/components.h"
#include "detent/data/tokenizer/json_fields.h"
#include "detent/data/tokenizer/known_patterns.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

// What one word stands for among several.
template <class T, size_t n>
T choose(const JsonFields& fields, const char* key, const std::string& given,
         const std::pair<const char*, T> (&choices)[n]) {
  for (const auto& [name, value] : choices)
    if (given == name) return value;
  fail("{}: {} {} is not known", fields.where(), key, in_quotes(given));
}

SplitBehavior behavior_of(const JsonFields& fields, const std::string& name) {
  static constexpr std::pair<const char*, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  return choose(fields, "behavior", name, kNames);
}

class Builder {
 public:
  PreTokenizers result;

  bool add(const std::string& type, JsonFields& fields) {
    if (result.byte_level) fail("{}: a pre-tokenizer behind ByteLevel is not supported", fields.where());
    if (type == "ByteLevel") return byte_level(fields);
    if (type == "Split") return add_split(fields);
    if (type == "Digits") return digits(fields);
    if (type == "Metaspace") return add_metaspace(fields);
    if (type == "Whitespace") return words(kWhitespacePattern, fields, true);
    if (type == "WhitespaceSplit") return words(R"(\s)", fields, false);
    return false;
  }

 private:
  void add_part(std::unique_ptr<PreTokenizer> part) { result.chain.add(std::move(part)); }

  void add_pattern(std::string_view pattern, SplitBehavior behavior, bool invert, const JsonFields& fields) {
    for (const KnownPattern& known : known_patterns())
      if (known.text == pattern && behavior == SplitBehavior::kIsolated)
        result.split = digits_ && known.name == "gpt2" ? "smollm" : known.name;
    add_part(split(find_pattern(pattern, fields.where()), behavior, invert));
  }

  bool byte_level(JsonFields& fields) {
    fields.ignore("trim_offsets");
    if (fields.flag("add_prefix_space", true)) add_part(space_before());
    if (fields.flag("use_regex", true)) add_pattern(kGpt2Pattern, SplitBehavior::kIsolated, false, fields);
    return result.byte_level = true;
  }

  bool add_split(JsonFields& fields) {
    const SplitBehavior behavior = behavior_of(fields, fields.string("behavior"));
    const bool invert = fields.flag("invert");
    JsonFields pattern(fields.at("pattern"), fields.where() + ".pattern");
    if (const auto text = pattern.optional_string("String")) {
      if (text->empty()) fail("{} is empty", pattern.where());
      add_part(split(find_string(*text), behavior, invert));
    } else {
      add_pattern(pattern.string("Regex"), behavior, invert, pattern);
    }
    pattern.finish();
    return true;
  }

  bool digits(JsonFields& fields) {
    const bool each = fields.flag("individual_digits");
    digits_ = true;
    add_part(split(find_digits(), each ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, false));
    return true;
  }

  bool add_metaspace(JsonFields& fields) {
    static constexpr std::pair<const char*, Prepend> kSchemes[] = {
        {"always", Prepend::kAlways}, {"first", Prepend::kFirst}, {"never", Prepend::kNever}};
    fields.ignore("str_rep");
    const std::string replacement = fields.string("replacement");
    size_t end = 0;
    const char32_t code = replacement.empty() ? 0 : next_code_point(replacement, end);
    if (replacement.empty() || end != replacement.size()) fail("{}: replacement is not one character", fields.where());
    Prepend scheme = choose(fields, "prepend_scheme", fields.string("prepend_scheme", "always"), kSchemes);
    const nlohmann::json* given = fields.find("prepend_scheme");
    if (!fields.flag("add_prefix_space", true)) {  // as files before 2024 spell it
      if (given && scheme != Prepend::kNever)
        fail("{}: add_prefix_space is false, but prepend_scheme is {}", fields.where(), given->dump());
      scheme = Prepend::kNever;
    }
    add_part(metaspace(code, scheme, fields.flag("split", true)));
    return true;
  }

  bool words(std::string_view pattern, JsonFields& fields, bool invert) {
    add_part(split(find_regex(pattern, fields.where()), SplitBehavior::kRemoved, invert));
    return true;
  }

  bool digits_ = false;
};

}  // namespace

PreTokenizers build_pre_tokenizers(const nlohmann::json& value, const std::string& source) {
  Builder builder;
  size_t count = 0;
  for_each_component(value, source + ": pre_tokenizer", "pretokenizers", count,
                     [&](const std::string& type, JsonFields& fields) { return builder.add(type, fields); });
  return std::move(builder.result);
}

}  // namespace detent
