#include "detent/data/corpus_files.h"

#include <algorithm>
#include <system_error>

#include "detent/base/error.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/io/text_source.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

// Whether name is pattern with each * replaced by any bytes.
bool matches(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t begin = star; begin <= name.size(); ++begin)
    if (matches(rest, name.substr(begin))) return true;
  return false;
}

template <class Iterator, class Wanted>
std::vector<fs::path> list(const fs::path& folder, const Wanted& wanted) {
  std::vector<fs::path> files;
  std::error_code error;
  for (Iterator entry(folder, error); !error && entry != Iterator(); entry.increment(error))
    if (entry->is_regular_file(error) && wanted(entry->path())) files.push_back(entry->path());
  if (error) fail_machine("cannot list {}: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end());
  return files;
}

bool is_python(const fs::path& path) { return path.extension() == ".py"; }

std::vector<fs::path> files_below(const fs::path& folder) {
  const auto wanted = [](const fs::path& path) { return path.extension() == ".txt" || is_python(path); };
  std::vector<fs::path> files = list<fs::recursive_directory_iterator>(folder, wanted);
  if (files.empty()) fail("{}: no .txt or .py file in this folder or below; name other files", folder.string());
  return files;
}

std::vector<fs::path> matching_files(const fs::path& pattern) {
  const fs::path folder = pattern.has_parent_path() ? pattern.parent_path() : fs::path(".");
  const std::string name = pattern.filename().string();
  if (folder.string().find('*') != std::string::npos)
    fail("{}: a * may stand in the file name only; list the folders", pattern.string());
  if (!fs::is_directory(folder)) fail("{}: the folder {} does not exist", pattern.string(), folder.string());
  const auto wanted = [&](const fs::path& path) { return matches(name, path.filename().string()); };
  std::vector<fs::path> files = list<fs::directory_iterator>(folder, wanted);
  if (files.empty()) fail("{}: no file matches; check the path", pattern.string());
  return files;
}

std::vector<fs::path> expand(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return files_below(path);
  if (fs::is_regular_file(path, ignored)) return {path};
  if (fs::exists(path, ignored)) fail("{} is not a regular file; save the text in one", path.string());
  if (path.string().find('*') != std::string::npos) return matching_files(path);
  fail("{} does not exist; check the path", path.string());
}

}  // namespace

std::vector<fs::path> expand_paths(const std::vector<std::string>& paths) {
  std::vector<fs::path> files;
  for (const std::string& path : paths) {
    const std::vector<fs::path> expanded = expand(path);
    files.insert(files.end(), expanded.begin(), expanded.end());
  }
  if (files.empty()) fail("no data file is named; list some in data.train");
  return files;
}

FileKinds kinds_of(const std::vector<fs::path>& files) {
  FileKinds kinds;
  for (const fs::path& file : files)
    if (!is_python(file)) (io::is_jsonl(file.string()) ? kinds.lines : kinds.text) = true;
  return kinds;
}

namespace {

// Calls read for each file with what it is to report to, and passes the sum over files on to progress.
void for_each_file(const std::vector<fs::path>& files, const CorpusProgress& progress,
                   const std::function<void(const fs::path& file, const CorpusProgress& report)>& read) {
  uint64_t total = 0, done = 0;
  for (const fs::path& file : files) total += fs::file_size(file);
  const auto report = [&](uint64_t position, uint64_t) {
    if (progress) progress(done + position, total);
  };
  for (const fs::path& file : files) {
    read(file, report);
    done += fs::file_size(file);
    report(0, 0);
  }
}

}  // namespace

void for_each_part(const std::vector<fs::path>& files, const std::string& field, const std::string& separator,
                   const CorpusProgress& progress, const std::function<void(std::string_view, bool)>& take) {
  for_each_file(files, progress, [&](const fs::path& file, const CorpusProgress& report) {
    if (is_python(file)) {
      const io::MappedFile text(file);
      if (!text.bytes().empty()) take(io::as_text(text.bytes()), true);
      return;
    }
    io::TextSource source(file, {.field = field, .separator = separator, .progress = report});
    bool any = false, in_document = false;
    while (const auto part = source.next_part()) {
      in_document = in_document || !part->bytes.empty();
      any = any || in_document;
      if (in_document) take(part->bytes, part->ends_document);
      if (part->ends_document) in_document = false;
    }
    if (!any) fail("{} holds no text; take it out of the data", file.string());
  });
}

void for_each_document(const std::vector<fs::path>& files, const std::string& field, const std::string& separator,
                       const CorpusProgress& progress, const std::function<void(std::string_view document)>& take) {
  std::string document;
  for_each_part(files, field, separator, progress, [&](std::string_view bytes, bool ends_document) {
    if (ends_document && document.empty()) return take(bytes);
    document += bytes;
    if (!ends_document) return;
    take(document);
    document.clear();
  });
}

void for_each_line(const std::vector<fs::path>& files, uint64_t max_bytes, const CorpusProgress& progress,
                   const std::function<void(std::string_view line, const std::string& where)>& take) {
  for_each_file(files, progress, [&](const fs::path& file, const CorpusProgress& report) {
    io::TextSource source(file, {.field = {}, .separator = {}, .max_document_bytes = max_bytes, .progress = report});
    bool any = false;
    while (const auto line = source.next_line()) {
      take(line->text, fmt::format("{}:{}", file.string(), line->number));
      any = true;
    }
    if (!any) fail("{} holds no line; take it out of the data", file.string());
  });
}

}  // namespace detent
