#include "detent/data/instruction.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/json_line.h"
#include "detent/data/whitespace.h"

namespace detent {

namespace {

using nlohmann::json;

Message parse_message(const json& turn, const std::string& where) {
  Message message{text_of(turn, "role", where), text_of(turn, "content", where)};
  for (const auto& [key, value] : turn.items())
    if (key != "role" && key != "content")
      fail("{}: the key {} of a message is not supported; a message has a role and content", where, in_quotes(key));
  if (message.role != "system" && message.role != "user" && message.role != "assistant")
    fail("{}: the role {} is not supported; known: system, user, assistant", where, in_quotes(message.role));
  if (message.role == "assistant" && strip(message.content).empty())
    fail("{}: an assistant message is empty; there is nothing to learn from it, so take the line out", where);
  return message;
}

}  // namespace

DataFormat parse_data_format(const std::string& name) {
  if (name == "text") return DataFormat::kText;
  if (name == "messages") return DataFormat::kMessages;
  if (name == "prompt_completion") return DataFormat::kPromptCompletion;
  fail("data.format: '{}' is not supported; known: text, messages, prompt_completion", name);
}

std::vector<Message> parse_messages(std::string_view line, const std::string& where) {
  const json object = parse_json(line, where);
  const json& turns = array_of(object, "messages", where);
  std::vector<Message> messages;
  for (size_t i = 0; i < turns.size(); ++i)
    messages.push_back(parse_message(turns[i], fmt::format("{}: messages[{}]", where, i)));
  const auto is_answer = [](const Message& message) { return message.role == "assistant"; };
  if (std::none_of(messages.begin(), messages.end(), is_answer))
    fail("{}: no assistant message; only answers are learned, so take the line out", where);
  return messages;
}

PromptCompletion parse_prompt_completion(std::string_view line, const std::string& where) {
  const json object = parse_json(line, where);
  PromptCompletion pair{text_of(object, "prompt", where), text_of(object, "completion", where)};
  if (pair.completion.empty())
    fail("{}: the completion is empty; there is nothing to learn from it, so take the line out", where);
  return pair;
}

InstructionEncoder::InstructionEncoder(DataFormat format, const std::optional<std::string>& chat_format,
                                       const Tokenizer& tokenizer)
    : format_(format), tokenizer_(tokenizer) {
  if (chat_format) chat_.emplace(*chat_format, tokenizer);
  if (format == DataFormat::kMessages && !chat_)
    fail("data.format: messages needs data.chat_format; known: {}", fmt::join(kChatFormats, ", "));
}

EncodedDocument InstructionEncoder::encode(std::string_view line, const std::string& where) const {
  if (format_ == DataFormat::kMessages) return chat_->encode(parse_messages(line, where));
  const PromptCompletion pair = parse_prompt_completion(line, where);
  if (!chat_) return join(pair);
  if (strip(pair.completion).empty())
    fail("{}: the completion is blank; there is nothing to learn from it, so take the line out", where);
  return chat_->encode(std::vector<Message>{{"user", pair.prompt}, {"assistant", pair.completion}});
}

EncodedDocument InstructionEncoder::join(const PromptCompletion& pair) const {
  EncodedDocument document;
  if (const auto bos = tokenizer_.bos()) document.ids.push_back(*bos);
  const std::vector<int32_t> text = tokenizer_.encode_as_text(pair.prompt + pair.completion);
  const uint64_t answer = document.ids.size() + common_ids(tokenizer_.encode_as_text(pair.prompt), text);
  document.ids.insert(document.ids.end(), text.begin(), text.end());
  document.ids.push_back(tokenizer_.end_of_text());
  document.scored.push_back({answer, document.ids.size()});
  return document;
}

}  // namespace detent
