// One process at a time in a run folder.
#pragma once
#include <filesystem>

#include "detent/io/descriptor.h"

namespace detent::io {

// Holds an exclusive flock on folder/.lock, which names the holder's process id, until destroyed; the system releases
// it when the process dies, however it dies. Fails (bad input) naming the holder when another has it. The file stays:
// removing it would let two processes hold locks on two files of the same name.
class DirLock {
 public:
  explicit DirLock(const std::filesystem::path& folder);

 private:
  Descriptor file_;
};

}  // namespace detent::io
