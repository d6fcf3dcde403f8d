#include <filesystem>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/chat_format.h"
#include "detent/data/whitespace.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"

namespace detent {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The Jinja templates that write exactly a format's turns, as published with Llama 3 Instruct (2024) and by the
// libraries that set up ChatML: a head, the turns, and what starts an answer, which training does not see.
struct Spelling {
  const char* format;
  const char* marker;  // a token that only this format has
  const char* bos;     // what the template's bos_token must be; null: it has none
  std::vector<std::string> heads;
  std::string turns, answer;
};

const std::vector<Spelling>& spellings() {
  static const std::vector<Spelling> known = {
      {"llama3",
       "<|start_header_id|>",
       "<|begin_of_text|>",
       {""},
       "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
       "message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 "
       "%}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}",
       "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"},
      {"chatml",
       "<|im_start|>",
       nullptr,
       {"", "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"},
       "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
       "'\\n'}}{% endfor %}",
       "{{ '<|im_start|>assistant\\n' }}"}};
  return known;
}

bool is_spelled(const Spelling& known, std::string_view text) {
  const std::string when_asked = "{% if add_generation_prompt %}" + known.answer + "{% endif %}";
  for (const std::string& tail : {std::string(), known.answer, when_asked}) {
    const std::string ending = known.turns + tail;
    for (const std::string& head : known.heads)
      if (text.starts_with(head) && text.substr(head.size()) == ending) return true;
  }
  return false;
}

std::string read_text(const fs::path& path) { return std::string(io::as_text(io::MappedFile(path).bytes())); }

std::string text_or_content(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  const auto content = value.is_object() ? value.find("content") : value.end();
  return content != value.end() && content->is_string() ? content->get<std::string>() : "";
}

// One template, or several by name, of which "default" is meant.
std::string template_of(const json& config) {
  const auto found = config.find("chat_template");
  if (found == config.end()) return "";
  if (!found->is_array()) return text_or_content(*found);
  for (const json& named : *found)
    if (named.is_object() && named.contains("name") && named["name"] == "default" && named.contains("template"))
      return text_or_content(named["template"]);
  return "";
}

}  // namespace

RecognisedChat recognise_chat_format(const fs::path& folder) {
  const fs::path config_path = folder / "tokenizer_config.json", jinja = folder / "chat_template.jinja";
  json config = json::object();
  if (fs::exists(config_path)) config = parse_json(read_text(config_path), config_path.string());
  if (!config.is_object()) config = json::object();
  const std::string text = fs::exists(jinja) ? read_text(jinja) : template_of(config);
  if (text.empty()) return {{}, fmt::format("{} has no chat template", folder.string())};
  const std::string bos = config.contains("bos_token") ? text_or_content(config["bos_token"]) : "";
  for (const Spelling& known : spellings()) {
    if (is_spelled(known, strip(text)) && (!known.bos || bos == known.bos)) return {known.format, ""};
    if (text.find(known.marker) != std::string::npos)
      return {{},
              fmt::format("the chat template of {} has {}'s turns but is not known to write just these",
                          folder.string(), known.format)};
  }
  return {{}, fmt::format("the chat template of {} is not known", folder.string())};
}

}  // namespace detent
