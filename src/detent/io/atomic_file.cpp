#include "detent/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "detent/base/error.h"
#include "detent/io/bytes.h"

namespace detent::io {
namespace {

namespace fs = std::filesystem;
constexpr size_t kBufferBytes = size_t{1} << 18;
constexpr int kMaxTemporaries = 1000;

// A path the user got wrong is bad input, everything else the machine's fault.
[[noreturn]] void fail_write(const fs::path& path, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    fail("cannot write {}: the folder {} does not exist; create it first", path.string(), path.parent_path().string());
  }
  fail_machine("cannot write {}: {}", path.string(), std::strerror(error));
}

fs::path temporary_name(const fs::path& path, int count) {
  const std::string name = fmt::format("{}.tmp-{}", path.string(), ::getpid());
  return count == 0 ? name : fmt::format("{}-{}", name, count);
}

// Some file systems have no fsync for folders, or at all; there is nothing to wait for then.
void flush_to_disk(int fd, const fs::path& path) {
  if (::fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) fail_write(path, errno);
}

void flush_path(const fs::path& path, int flags) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!file) fail_write(path, errno);
  flush_to_disk(file.get(), path);
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void flush_tree(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_symlink()) continue;
    if (entry.is_directory()) flush_path(entry.path(), O_DIRECTORY);
    if (entry.is_regular_file()) flush_path(entry.path(), 0);
  }
  flush_path(folder, O_DIRECTORY);
}

// The place to write, a link followed. Renaming over a device (/dev/null) would destroy it.
fs::path checked_target(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!path.has_filename() || fs::is_directory(status)) fail("cannot write {}: it is a folder", path.string());
  if (!fs::exists(status)) return path;
  if (!fs::is_regular_file(status)) fail("cannot write {}: not a regular file; give another name", path.string());
  const fs::path target = fs::canonical(path, error);
  return error ? path : target;
}

// A path without the trailing slash that would make its last component empty.
fs::path without_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_temporary_name(std::string_view name) {
  const size_t mark = name.rfind(".tmp-");
  if (mark == name.npos || mark == 0) return false;
  const std::string_view tail = name.substr(mark + 5);
  const size_t dash = tail.find('-');
  return is_digits(tail.substr(0, dash)) && (dash == tail.npos || is_digits(tail.substr(dash + 1)));
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(checked_target(path)) {
  for (int count = 0; !file_; ++count) {
    temporary_ = temporary_name(path_, count);
    file_ = Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file_ && (errno != EEXIST || count == kMaxTemporaries)) fail_write(path_, errno);
  }
  struct stat old {};
  if (::stat(path_.c_str(), &old) == 0) ::fchmod(file_.get(), old.st_mode & 07777);
  buffer_.reserve(kBufferBytes);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::put(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_write(path_, written < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::flush() {
  put(buffer_);
  buffer_.clear();
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() > kBufferBytes) {
    put(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
  size_ += bytes.size();
}

void AtomicFile::write(std::string_view text) { write(as_bytes(text)); }

void AtomicFile::commit() {
  flush();
  flush_to_disk(file_.get(), path_);
  if (!file_.close()) fail_write(path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_write(path_, errno);
  temporary_.clear();
  flush_path(folder_of(path_), O_DIRECTORY);
}

void fail_folder(const fs::path& folder, const std::error_code& error) {
  const auto is = [&](std::errc what) { return error == what; };
  if (folder.empty() || is(std::errc::not_a_directory) || is(std::errc::file_exists) ||
      is(std::errc::no_such_file_or_directory) || is(std::errc::filename_too_long))
    fail("cannot create the folder '{}': {}; choose another", folder.string(), error.message());
  fail_machine("cannot create {}: {}", folder.string(), error.message());
}

void create_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_folder(folder, error);
}

void create_parent(const fs::path& path) {
  std::error_code ignored;
  const fs::path folder = folder_of(without_slash(path));
  if (!fs::exists(folder, ignored)) create_folder(folder);
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void check_replaceable(const fs::path& path, std::string_view begins, std::string_view kind) {
  if (!fs::is_regular_file(path)) return;  // for the writer to refuse, as what cannot be read
  std::ifstream file(path, std::ios::binary);
  std::string found(begins.size(), '\0');
  file.read(found.data(), static_cast<std::streamsize>(found.size()));
  found.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (!found.empty() && found != begins)
    fail("{} exists and is not {}; give another name, or remove it", path.string(), kind);
}

void check_free_for_folder(const std::filesystem::path& path) {
  if (std::filesystem::exists(path) && !(std::filesystem::is_directory(path) && std::filesystem::is_empty(path)))
    fail("{} exists already; give --out a new name, or remove it", path.string());
}

void remove_folder(const fs::path& path) {
  fs::path gone = temporary_name(path, 0);
  for (int count = 1; fs::exists(gone) && count <= kMaxTemporaries; ++count) gone = temporary_name(path, count);
  std::error_code error;
  fs::rename(path, gone, error);
  if (!error) fs::remove_all(gone, error);
  if (error) fail_machine("cannot remove {}: {}", path.string(), error.message());
}

AtomicDirectory::AtomicDirectory(const fs::path& path) : path_(without_slash(path)) {
  std::error_code error;
  const auto status = fs::status(path_, error);
  if (fs::exists(status) && !fs::is_directory(status)) fail("cannot write {}: a file is in the way", path_.string());
  for (int count = 0;; ++count) {
    staging_ = temporary_name(path_, count);
    if (::mkdir(staging_.c_str(), 0777) == 0) return;
    if (errno != EEXIST || count == kMaxTemporaries) fail_write(path_, errno);
  }
}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

void AtomicDirectory::commit() {
  try {
    flush_tree(staging_);
  } catch (const fs::filesystem_error& error) {
    fail_write(path_, error.code().value());
  }
  if (::rename(staging_.c_str(), path_.c_str()) == 0) {
    staging_.clear();
  } else if (errno != ENOTEMPTY && errno != EEXIST) {
    fail_write(path_, errno);
  } else if (::renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) {
    // The file system cannot exchange two names: between these two renames a crash leaves only the temporary names.
    const fs::path old = staging_.string() + "1";
    if (::rename(path_.c_str(), old.c_str()) != 0) fail_write(path_, errno);
    if (::rename(staging_.c_str(), path_.c_str()) != 0) fail_write(path_, errno);
    staging_ = old;
  }
  flush_path(folder_of(path_), O_DIRECTORY);
  std::error_code ignored;
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
  staging_.clear();
}

std::vector<std::string> remove_stale_temporaries(const fs::path& folder) {
  std::vector<std::string> removed;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (is_temporary_name(entry.path().filename().string())) removed.push_back(entry.path().filename().string());
  }
  for (const std::string& name : removed) {
    fs::remove_all(folder / name, error);
    if (error) fail_machine("cannot remove {}: {}", (folder / name).string(), error.message());
  }
  std::sort(removed.begin(), removed.end());
  return removed;
}

}  // namespace detent::io
