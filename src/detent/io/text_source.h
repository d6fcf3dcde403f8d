// Documents of a text file, one at a time, without holding the file: .txt, .jsonl, and either compressed as .zst.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "detent/io/byte_stream.h"
#include "detent/io/mapped_file.h"

namespace detent::io {

struct TextOptions {
  std::string field = "text";  // which string of a .jsonl object is the document
  std::string separator;       // what stands between documents of a .txt file; empty: the file is one document
  uint64_t max_document_bytes = uint64_t{256} << 20;            // for .jsonl lines and for documents between separators
  std::function<void(uint64_t read, uint64_t total)> progress;  // in bytes of the file, compressed as it is
};

// Whether a file of this name holds JSON lines, not text. The names end in .txt (or .raw), .jsonl (or .ndjson), then
// perhaps .zst; any other name fails.
bool is_jsonl(std::string_view name);

// Text is bytes: a .txt document is passed on as it stands, UTF-8 or not; JSON requires UTF-8. Every error
// names the file, and the line where there are lines. Pieces between separators that hold no byte are no documents;
// blank lines of .jsonl neither.
class TextSource {
 public:
  explicit TextSource(const std::filesystem::path& path, TextOptions options = {});
  // The same for a file held in memory, which stays alive; the name tells the format.
  TextSource(std::span<const std::byte> file, std::string name, TextOptions options = {});

  // The next document; nothing at the end of the file.
  std::optional<std::string> next();
  // The next line of a .jsonl file that is not blank, as it stands, with its number from 1. Fails on a text file.
  struct Line {
    std::string text;
    uint64_t number = 0;
  };
  std::optional<Line> next_line();
  // The same in parts, which a file of one document comes in as it is read; not to be mixed with next(). The bytes live
  // until the next call. A document that holds no byte has no part.
  struct Part {
    std::string_view bytes;
    bool ends_document;
  };
  std::optional<Part> next_part();
  uint64_t bytes_read() const { return stream_.position(); }
  uint64_t bytes_total() const { return stream_.size(); }

 private:
  std::optional<std::string_view> next_piece();
  bool refill();
  uint64_t limit() const;
  std::string take(std::string_view piece);
  std::string document_of(std::string_view line) const;

  std::optional<MappedFile> mapped_;
  std::string name_;
  TextOptions options_;
  bool compressed_, jsonl_;
  std::string delimiter_;
  ByteStream stream_;
  std::string buffer_;
  size_t begin_ = 0;    // first byte of buffer_ not yet handed out
  size_t scanned_ = 0;  // no delimiter starts between begin_ and here
  bool ended_ = false;
  uint64_t line_ = 0;
  std::string document_;      // what next_part() gave last
  bool in_document_ = false;  // the file's one document has begun
};

}  // namespace detent::io
