#include "detent/io/spool.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "detent/base/error.h"

namespace detent::io {

namespace {

// Until all of it is moved by pread or pwrite, which may stop short.
void move_all(size_t size, const std::filesystem::path& folder, const std::function<ssize_t(size_t done)>& move) {
  for (size_t done = 0; done < size;) {
    const ssize_t moved = move(done);
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0)
      fail_machine("cannot put bytes aside in {}: {}", folder.string(), std::strerror(moved < 0 ? errno : EIO));
    done += static_cast<size_t>(moved);
  }
}

}  // namespace

Spool::Spool(const std::filesystem::path& folder) : folder_(folder) {
  const std::filesystem::path path = folder / "spool";
  file_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_) fail_machine("cannot write {}: {}", path.string(), std::strerror(errno));
  ::unlink(path.c_str());
}

Spool::Place Spool::put(std::span<const std::byte> bytes) {
  const Place place{size_, bytes.size()};
  move_all(bytes.size(), folder_, [&](size_t done) {
    return ::pwrite(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(size_ + done));
  });
  size_ += bytes.size();
  return place;
}

std::vector<std::byte> Spool::get(const Place& place) const {
  std::vector<std::byte> bytes(place.size);
  move_all(bytes.size(), folder_, [&](size_t done) {
    return ::pread(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(place.offset + done));
  });
  return bytes;
}

}  // namespace detent::io
