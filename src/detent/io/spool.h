// Bytes put aside on disk until their place in a file comes: an unnamed file that goes when this does.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "detent/io/descriptor.h"

namespace detent::io {

class Spool {
 public:
  struct Place {
    uint64_t offset = 0;
    size_t size = 0;
  };
  explicit Spool(const std::filesystem::path& folder);
  Place put(std::span<const std::byte> bytes);
  std::vector<std::byte> get(const Place& place) const;

 private:
  std::filesystem::path folder_;
  Descriptor file_;
  uint64_t size_ = 0;
};

}  // namespace detent::io
