#include "detent/base/error.h"
#include "detent/data/tokenizer/component_list.h"
#include "detent/data/tokenizer/components.h"
#include "detent/data/tokenizer/json_fields.h"

namespace detent {

namespace {

std::unique_ptr<Normalizer> build_replace(JsonFields& fields) {
  const std::string content = fields.string("content");
  JsonFields pattern(fields.at("pattern"), fields.where() + ".pattern");
  std::unique_ptr<Normalizer> made;
  if (const auto text = pattern.optional_string("String")) {
    if (text->empty()) fail("{} is empty", pattern.where());
    made = replace(*text, content);
  } else {
    made = replace_matches(pattern.string("Regex"), content, pattern.where());
  }
  pattern.finish();
  return made;
}

std::unique_ptr<Normalizer> build_normalizer(const std::string& type, JsonFields& fields) {
  if (type == "NFC") return unicode_form(NormalForm::kNfc);
  if (type == "NFD") return unicode_form(NormalForm::kNfd);
  if (type == "NFKC") return unicode_form(NormalForm::kNfkc);
  if (type == "NFKD") return unicode_form(NormalForm::kNfkd);
  if (type == "Lowercase") return lowercase();
  if (type == "Prepend") return prepend(fields.string("prepend"));
  if (type == "Strip") {
    const bool left = fields.flag("strip_left");
    return strip(left, fields.flag("strip_right"));
  }
  return type == "Replace" ? build_replace(fields) : nullptr;
}

}  // namespace

NormalizerChain build_normalizers(const nlohmann::json& value, const std::string& source) {
  NormalizerChain chain;
  size_t count = 0;
  for_each_component(value, source + ": normalizer", "normalizers", count,
                     [&](const std::string& type, JsonFields& fields) {
                       auto made = build_normalizer(type, fields);
                       if (!made) return false;
                       chain.add(std::move(made));
                       return true;
                     });
  return chain;
}

}  // namespace detent
