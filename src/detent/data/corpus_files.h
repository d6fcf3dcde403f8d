// Which files a data option names, and the documents in them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace detent {

// Bytes of the files read so far (as stored, before decompression), and in all. May throw to stop.
using CorpusProgress = std::function<void(uint64_t done, uint64_t total)>;

// The files that paths stand for: a file is itself; a * in the last component matches within its folder, in sorted
// order; a folder gives its .txt and .py files, recursively, in sorted order. Fails when one stands for no file.
std::vector<std::filesystem::path> expand_paths(const std::vector<std::string>& paths);

// Whether there are files of JSON lines among them, and whether there is text that a separator may cut.
struct FileKinds {
  bool lines = false, text = false;
};
FileKinds kinds_of(const std::vector<std::filesystem::path>& files);

// Calls take for each document that is not empty, in order: the lines' `field` of .jsonl, the pieces between
// `separator` of .txt (empty: the file is one document), a .py file as a whole. A long document may come in parts, so
// memory is bounded by the largest one that the file's format cuts off. Fails naming the file (and line) when one is
// malformed or a .txt or .jsonl file holds no document.
void for_each_part(const std::vector<std::filesystem::path>& files, const std::string& field,
                   const std::string& separator, const CorpusProgress& progress,
                   const std::function<void(std::string_view bytes, bool ends_document)>& take);

// The same, documents in one piece.
void for_each_document(const std::vector<std::filesystem::path>& files, const std::string& field,
                       const std::string& separator, const CorpusProgress& progress,
                       const std::function<void(std::string_view document)>& take);

// Calls take for each line of .jsonl files that is not blank, in order, with "file:line" to name it by. Fails on a file
// of another kind, one without lines, and a line of more than max_bytes.
void for_each_line(const std::vector<std::filesystem::path>& files, uint64_t max_bytes, const CorpusProgress& progress,
                   const std::function<void(std::string_view line, const std::string& where)>& take);

}  // namespace detent
