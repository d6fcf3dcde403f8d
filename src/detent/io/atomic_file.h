// Files and folders that appear complete or not at all: written under a temporary name beside the target, flushed to
// disk, renamed over it, and the rename flushed too. A crash at any moment leaves the old content or the new.
// Temporary names are NAME.tmp-PID or NAME.tmp-PID-COUNT.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "detent/io/descriptor.h"

namespace detent::io {

// A file that replaces path at commit(). Destroyed without commit() it removes its temporary; the old file stays.
// Fails (bad input) when the folder is missing or path is not a regular file; every fault of the machine (disk full,
// read-only, no permission) is fail_machine naming path. A symbolic link is followed: its target is replaced.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  uint64_t size() const { return size_; }  // bytes written so far
  const std::filesystem::path& path() const { return path_; }
  void commit();

 private:
  void flush();
  void put(std::span<const std::byte> bytes);

  std::filesystem::path path_, temporary_;
  Descriptor file_;
  std::vector<std::byte> buffer_;  // small writes are gathered here
  uint64_t size_ = 0;
};

// Creates the folder that path lies in, and those above it, where it is missing. Fails where it cannot be a folder; a
// fault of the machine where it may not be made.
void create_parent(const std::filesystem::path& path);
// The same for the folder itself.
void create_folder(const std::filesystem::path& folder);
// How create_folder fails.
[[noreturn]] void fail_folder(const std::filesystem::path& folder, const std::error_code& error);
void write_file_atomically(const std::filesystem::path& path, std::string_view content);
// Fails (bad input) when there is a file that is not empty and does not begin so: it is another one, named by mistake.
// kind: "a GGUF file"
void check_replaceable(const std::filesystem::path& path, std::string_view begins, std::string_view kind);
// Fails (bad input) when path is anything but free or an empty folder, which a folder put there would remove.
void check_free_for_folder(const std::filesystem::path& path);
// Removes a folder under a temporary name, so that a crash never leaves a part of it under its own.
void remove_folder(const std::filesystem::path& path);

// A folder built under staging(), which is NAME.tmp-PID beside path, and renamed to path at commit(), after every file
// in it has been flushed. An existing folder at path is exchanged for it in one step and then removed.
class AtomicDirectory {
 public:
  explicit AtomicDirectory(const std::filesystem::path& path);
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;
  ~AtomicDirectory();

  const std::filesystem::path& staging() const { return staging_; }
  void commit();

 private:
  std::filesystem::path path_, staging_;
};

// Removes what crashed writers left in folder: every *.tmp-PID and *.tmp-PID-COUNT. Call it while holding the folder's
// DirLock and before writing there. Returns the names removed; a folder that is missing has none.
std::vector<std::string> remove_stale_temporaries(const std::filesystem::path& folder);

}  // namespace detent::io
