#include "detent/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "detent/base/error.h"
#include "detent/io/descriptor.h"

namespace detent::io {

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
  // Without O_NONBLOCK, opening a pipe nobody writes to would wait for ever.
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) fail("cannot open {}: {}", path_.string(), std::strerror(errno));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail_machine("cannot examine {}: {}", path_.string(), std::strerror(errno));
  if (S_ISDIR(status.st_mode)) fail("cannot read {}: it is a folder, a file is needed", path_.string());
  if (!S_ISREG(status.st_mode)) fail("cannot read {}: not a regular file; copy it to disk first", path_.string());
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) fail_machine("cannot map {} into memory: {}", path_.string(), std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void MappedFile::release(std::span<const std::byte> part) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));  // where the mapping begins, too
  const auto from = static_cast<size_t>(part.data() - bytes_.data());
  const size_t begin = (from + page - 1) / page * page, end = (from + part.size()) / page * page;
  std::byte* const start = const_cast<std::byte*>(bytes_.data()) + begin;
  if (begin < end) ::madvise(start, end - begin, MADV_DONTNEED);  // advice: it may be ignored
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace detent::io
