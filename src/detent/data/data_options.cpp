#include "detent/data/data_options.h"

#include "detent/base/error.h"

namespace detent {

Packing packing_of(const DataOptions& options) {
  const std::string packing = options.packing.value_or(options.format == "text" ? "stream" : "documents");
  return packing == "stream" ? Packing::kStream : Packing::kDocuments;
}

DataOptions with_chat_format(DataOptions options, const std::filesystem::path& tokenizer_folder) {
  if (options.format != "messages" || options.chat_format) return options;
  RecognisedChat found{{}, "the tokenizer has no files of its own"};
  if (!tokenizer_folder.empty()) found = recognise_chat_format(tokenizer_folder);
  if (!found.format)
    fail("the format messages needs a chat format, and {}; set it (data.chat_format, --chat-format) to one of {}",
         found.reason, fmt::join(kChatFormats, ", "));
  options.chat_format = found.format;
  return options;
}

}  // namespace detent
