// The block `data:` of a config.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "detent/base/options.h"
#include "detent/data/chat_format.h"
#include "detent/data/packing.h"

namespace detent {

struct DataOptions {
  std::vector<std::string> train, valid;
  std::string tokenizer = "bytes";
  int64_t sequence_length = 256;
  std::string field = "text";
  std::string separator;
  std::string format = "text";
  std::optional<std::string> chat_format, packing;

  template <class V>
  void visit(V& v) {
    v.field("train", train,
            "files to train on: .txt, .jsonl, each also .zst; a * in the file name; folders of .txt and .py; or one "
            "folder of detent tokenize");
    v.field("valid", valid, "files for the validation loss, in the same forms");
    v.field(
        "tokenizer", tokenizer,
        "bytes, or the path of a tokenizer.json, a tokenizer.model or a model; default: that of model.from, or bytes");
    v.field("sequence_length", sequence_length, "tokens of a training window", Range{1, 1 << 20});
    v.field("field", field, "the key of a jsonl line that holds the text");
    v.field("format", format,
            "what a jsonl line holds: text, messages (chats), prompt_completion; the loss is on answers",
            Choices{"text", "messages", "prompt_completion"});
    v.field("chat_format", chat_format, "how messages become tokens; default: the tokenizer's own, where it is known",
            kChatFormats);
    v.field("packing", packing,
            "stream: text cut into windows; documents: whole ones side by side, attention inside each; default: stream "
            "for text, documents for instructions",
            Choices{"stream", "documents"});
    v.field("separator", separator, "text between the documents of a text file; empty: a file is one document");
  }
};

// As given, or the default of the format.
Packing packing_of(const DataOptions& options);
// With chat_format filled in where messages need one: that of the tokenizer's own chat template, if it is known for
// certain. tokenizer_folder: where its files lie; empty: it has none. Fails saying what to set.
DataOptions with_chat_format(DataOptions options, const std::filesystem::path& tokenizer_folder);

}  // namespace detent
