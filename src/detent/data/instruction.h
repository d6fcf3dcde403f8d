// Instruction data: jsonl lines of which only the answers are learned.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "detent/data/chat_format.h"
#include "detent/data/tokenizer.h"

namespace detent {

enum class DataFormat { kText, kMessages, kPromptCompletion };
DataFormat parse_data_format(const std::string& name);  // text, messages or prompt_completion

// The messages of a line {"messages": [{"role", "content"}, ...]}; other keys of the line are passed over, other keys
// of a message refused. Fails, naming `where`, on a role other than system, user and assistant, on content that is no
// text, on a conversation without an answer and on a blank one.
std::vector<Message> parse_messages(std::string_view line, const std::string& where);

struct PromptCompletion {
  std::string prompt, completion;
};
// Of a line {"prompt", "completion"}. The prompt may be empty, the completion not.
PromptCompletion parse_prompt_completion(std::string_view line, const std::string& where);

// Lines of instruction data as documents. Without a chat format a prompt and its completion are joined as they stand,
// after a BOS where the tokenizer has one and before the end of text, which belongs to the completion; with one they
// are a user's and an assistant's turn. Messages need a chat format.
class InstructionEncoder {
 public:
  InstructionEncoder(DataFormat format, const std::optional<std::string>& chat_format, const Tokenizer& tokenizer);
  EncodedDocument encode(std::string_view line, const std::string& where) const;

 private:
  EncodedDocument join(const PromptCompletion& pair) const;

  DataFormat format_;
  const Tokenizer& tokenizer_;
  std::optional<ChatFormat> chat_;
};

}  // namespace detent
