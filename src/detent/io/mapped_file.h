// A file mapped read-only into memory.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>

namespace detent::io {

// Fails (bad input) when path is missing, unreadable or not a regular file. An empty file has an empty span. The bytes
// are those of the file: a writer that cuts the file short while it is mapped makes access fault, which is why
// everything in detent replaces files (AtomicFile) and never rewrites them.
class MappedFile {
 public:
  explicit MappedFile(std::filesystem::path path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }
  // Takes whole pages inside part, which must lie in bytes(), out of this process's memory; reading brings them back.
  void release(std::span<const std::byte> part) const;

 private:
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

}  // namespace detent::io
