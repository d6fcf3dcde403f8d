// Templates and decoders: what happens to ids.
#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer/component_list.h"
#include "detent/data/tokenizer/components.h"
#include "detent/data/tokenizer/json_fields.h"

namespace detent {

namespace {

using nlohmann::json;

// The ids of a special token that a template names.
std::vector<int32_t> template_ids(const json& special_tokens, const std::string& name, const std::string& where) {
  const auto found = special_tokens.find(name);
  if (found == special_tokens.end()) fail("{}: special_tokens has no {}", where, in_quotes(name));
  JsonFields token(*found, where + ".special_tokens");
  token.ignore("id");
  token.ignore("tokens");
  const json& list = token.at("ids");
  token.finish();
  if (!list.is_array() || list.size() > kMostComponents) fail("{}: ids of {} is no short list", where, in_quotes(name));
  std::vector<int32_t> ids;
  for (const json& id : list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      fail("{}: {} is no id of {}", where, id.dump(-1, ' ', true).substr(0, 80), in_quotes(name));
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

void add_template(JsonFields& fields, Template& result) {
  fields.ignore("pair");
  const json& pieces = fields.at("single");
  const json& special_tokens = fields.at("special_tokens");
  if (!pieces.is_array() || pieces.size() > kMostComponents) fail("{}: single is no short list", fields.where());
  if (!special_tokens.is_object()) fail("{}: special_tokens is no object", fields.where());
  Template added;
  bool text = false;
  for (const json& value : pieces) {
    JsonFields piece(value, fields.where() + ".single");
    if (const json* special = piece.find("SpecialToken")) {
      JsonFields token(*special, fields.where() + ".single.SpecialToken");
      token.ignore("type_id");
      const auto ids = template_ids(special_tokens, token.string("id"), fields.where());
      token.finish();
      auto& side = text ? added.after : added.before;
      side.insert(side.end(), ids.begin(), ids.end());
    } else {
      JsonFields sequence(piece.at("Sequence"), fields.where() + ".single.Sequence");
      sequence.ignore("type_id");
      if (sequence.string("id") != "A" || text) fail("{}: single must hold the sequence A once", fields.where());
      sequence.finish();
      text = true;
    }
    piece.finish();
  }
  if (!text) fail("{}: single does not hold the sequence A", fields.where());
  // A template goes around what those before it made.
  result.before.insert(result.before.begin(), added.before.begin(), added.before.end());
  result.after.insert(result.after.end(), added.after.begin(), added.after.end());
}

std::string one_character(JsonFields& fields, const char* key) {
  std::string text = fields.string(key);
  if (text.empty()) fail("{}: {} is empty", fields.where(), key);
  return text;
}

DecoderChain::Step build_step(const std::string& type, JsonFields& fields) {
  constexpr int64_t kMost = 1 << 20;
  if (type == "ByteLevel") {
    for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) fields.ignore(key);  // for encoding
    return decode_byte_level();
  }
  if (type == "Metaspace") {
    for (const char* key : {"str_rep", "split"}) fields.ignore(key);
    const std::string scheme = fields.string("prepend_scheme", "always");
    const bool prefix = fields.flag("add_prefix_space", true) && scheme != "never";
    return decode_metaspace(one_character(fields, "replacement"), prefix);
  }
  if (type == "Replace") {
    JsonFields pattern(fields.at("pattern"), fields.where() + ".pattern");
    const std::string text = one_character(pattern, "String");
    pattern.finish();
    return decode_replace(text, fields.string("content"));
  }
  if (type == "ByteFallback") return decode_byte_fallback();
  if (type == "Fuse") return decode_fuse();
  if (type != "Strip") return nullptr;
  const std::string content = one_character(fields, "content");
  const auto start = static_cast<size_t>(fields.number("start", 0, kMost));
  return decode_strip(content, start, static_cast<size_t>(fields.number("stop", 0, kMost)));
}

}  // namespace

Template build_template(const json& value, const std::string& source) {
  Template result;
  size_t count = 0;
  for_each_component(value, source + ": post_processor", "processors", count,
                     [&](const std::string& type, JsonFields& fields) {
                       if (type == "ByteLevel") {  // moves offsets, which nobody here asks for
                         for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) fields.ignore(key);
                         return true;
                       }
                       if (type != "TemplateProcessing") return false;
                       add_template(fields, result);
                       return true;
                     });
  return result;
}

DecoderChain build_decoder(const json& value, const std::string& source) {
  DecoderChain chain;
  size_t count = 0;
  for_each_component(value, source + ": decoder", "decoders", count, [&](const std::string& type, JsonFields& fields) {
    const DecoderChain::Step step = build_step(type, fields);
    if (!step) return false;
    chain.add(step);
    return true;
  });
  return chain;
}

}  // namespace detent
