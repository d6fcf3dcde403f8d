// The block `data:` of a config.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "detent/base/options.h"

namespace detent {

struct DataOptions {
  std::vector<std::string> train, valid;
  std::string tokenizer = "bytes";
  int64_t sequence_length = 256;
  std::string field = "text";
  std::string separator;

  template <class V>
  void visit(V& v) {
    v.field("train", train,
            "files to train on: .txt, .jsonl, each also .zst; a * in the file name; folders of .txt and .py");
    v.field("valid", valid, "files for the validation loss, in the same forms");
    v.field("tokenizer", tokenizer, "bytes");
    v.field("sequence_length", sequence_length, "tokens of a training window", Range{1, 1 << 20});
    v.field("field", field, "the key of a jsonl line that holds the text");
    v.field("separator", separator, "text between the documents of a text file; empty: a file is one document");
  }
};

}  // namespace detent
