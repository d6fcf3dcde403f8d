#include "detent/io/dir_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "detent/base/error.h"

namespace detent::io {
namespace {

std::string holder(int fd) {
  char text[32] = "";
  const ssize_t size = ::pread(fd, text, sizeof(text) - 1, 0);
  std::string pid;
  for (ssize_t i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i) pid += text[i];
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

DirLock::DirLock(const std::filesystem::path& folder) {
  const std::string path = (folder / ".lock").string();
  file_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file_ && errno == ENOENT) fail("cannot lock {}: the folder does not exist", folder.string());
  if (!file_) fail_machine("cannot open {}: {}", path, std::strerror(errno));
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) fail_machine("cannot lock {}: {}", path, std::strerror(errno));
    fail("{} is in use by {}; wait for it to end or choose another folder", folder.string(), holder(file_.get()));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file_.get(), 0) != 0 || ::pwrite(file_.get(), pid.data(), pid.size(), 0) < 0) {
    fail_machine("cannot write {}: {}", path, std::strerror(errno));
  }
}

}  // namespace detent::io
