// Conversations as the token ids that chat models were trained on.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "detent/data/tokenizer.h"
#include "detent/data/tokens.h"

namespace detent {

struct Message {
  std::string role, content;  // role: system, user or assistant
};

// A document as ids, and the runs of ids whose loss counts (none: all of them).
struct EncodedDocument {
  std::vector<int32_t> ids;
  std::vector<TokenRange> scored;
};

inline const std::vector<std::string> kChatFormats = {"llama3", "chatml"};

// llama3: <|begin_of_text|>, then each turn as
//   <|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>   with white space around content removed
// (Llama 3 model card, "Prompt format"; github.com/meta-llama/llama3, llama/tokenizer.py, ChatFormat).
// chatml: each turn as <|im_start|>role\ncontent<|im_end|>\n (OpenAI, "Chat Markup Language", 2023), nothing before.
// No system message is made up. The ids are those of transformers' apply_chat_template with that template.
class ChatFormat {
 public:
  // The tokenizer must outlive it. Fails on an unknown name and naming a special token that the tokenizer lacks.
  ChatFormat(const std::string& name, const Tokenizer& tokenizer);

  // Scored are the answers: content and end-of-turn token of each assistant message. Content is text: what spells a
  // special token in it does not become one.
  EncodedDocument encode(std::span<const Message> messages) const;

 private:
  struct Template;
  static const Template& find(const std::string& name);
  int32_t special(const char* token) const;
  void append(EncodedDocument& document, const Message& message) const;

  const Template* template_;
  const Tokenizer* tokenizer_;
  std::optional<int32_t> begin_, header_end_;
  int32_t turn_start_, turn_end_;
};

// Which of ids are those of text behind `before`, when ids encode both as one piece: the index of the first id that is
// not `before`'s alone.
size_t common_ids(std::span<const int32_t> before, std::span<const int32_t> ids);

// The chat format of the Hugging Face tokenizer in a folder, when its chat template is, but for white space around it,
// a known spelling of llama3 or chatml: then nothing else about the template is left to guess. Else `reason` says why.
struct RecognisedChat {
  std::optional<std::string> format;
  std::string reason;
};
RecognisedChat recognise_chat_format(const std::filesystem::path& folder);

}  // namespace detent
