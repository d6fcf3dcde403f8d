#include "detent/base/machine.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace detent {

namespace {
double page_bytes() { return static_cast<double>(sysconf(_SC_PAGESIZE)); }
}  // namespace

double memory_bytes() {
  const double machine = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * page_bytes();
  std::ifstream in("/sys/fs/cgroup/memory.max");  // "max", or a number of bytes
  double limit = 0;
  return in >> limit && limit > 0 ? std::min(machine, limit) : machine;
}

double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  double size = 0, resident = 0;
  return in >> size >> resident ? resident * page_bytes() : 0;
}

}  // namespace detent
