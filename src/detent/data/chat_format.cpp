#include "detent/data/chat_format.h"

#include "detent/base/error.h"
#include "detent/data/whitespace.h"

namespace detent {

struct ChatFormat::Template {
  const char* name;
  const char* begin;                               // special token before the first turn; null: none
  const char *turn_start, *header_end, *turn_end;  // special tokens; header_end null: the header ends with its text
  const char* header_text;                         // between role (or header_end) and content
  const char* after;                               // text after turn_end
  bool strips;                                     // white space around content is removed
};

const ChatFormat::Template& ChatFormat::find(const std::string& name) {
  static const Template templates[] = {
      {"llama3", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "\n\n", "", true},
      {"chatml", nullptr, "<|im_start|>", nullptr, "<|im_end|>", "\n", "\n", false}};
  for (const Template& known : templates)
    if (name == known.name) return known;
  fail("data.chat_format: '{}' is not supported; known: {}", name, fmt::join(kChatFormats, ", "));
}

ChatFormat::ChatFormat(const std::string& name, const Tokenizer& tokenizer)
    : template_(&find(name)), tokenizer_(&tokenizer) {
  if (template_->begin) begin_ = special(template_->begin);
  if (template_->header_end) header_end_ = special(template_->header_end);
  turn_start_ = special(template_->turn_start);
  turn_end_ = special(template_->turn_end);
}

int32_t ChatFormat::special(const char* token) const {
  if (const auto id = tokenizer_->token_id(token)) return *id;
  fail("data.chat_format: {} needs the token {}, which the tokenizer '{}' does not have; use a chat model's tokenizer",
       template_->name, token, tokenizer_->name());
}

size_t common_ids(std::span<const int32_t> before, std::span<const int32_t> ids) {
  return static_cast<size_t>(std::mismatch(before.begin(), before.end(), ids.begin(), ids.end()).first -
                             before.begin());
}

EncodedDocument ChatFormat::encode(std::span<const Message> messages) const {
  EncodedDocument document;
  if (begin_) document.ids.push_back(*begin_);
  for (const Message& message : messages) append(document, message);
  return document;
}

void ChatFormat::append(EncodedDocument& document, const Message& message) const {
  std::vector<int32_t>& ids = document.ids;
  const auto add = [&](const std::vector<int32_t>& more) { ids.insert(ids.end(), more.begin(), more.end()); };
  std::string header = template_->header_text;
  ids.push_back(turn_start_);
  if (header_end_) {
    add(tokenizer_->encode_as_text(message.role));
    ids.push_back(*header_end_);
  } else {
    header = message.role + header;
  }
  // One piece of text to the tokenizer, as it is to the template: a token may hold the end of one and the start of the
  // other, and is then part of the answer.
  const std::string_view content = template_->strips ? strip(message.content) : message.content;
  const std::vector<int32_t> text = tokenizer_->encode_as_text(header + std::string(content));
  const uint64_t answer = ids.size() + common_ids(tokenizer_->encode_as_text(header), text);
  add(text);
  ids.push_back(turn_end_);
  if (message.role == "assistant") document.scored.push_back({answer, ids.size()});
  add(tokenizer_->encode_as_text(template_->after));
}

}  // namespace detent
