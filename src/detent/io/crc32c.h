// CRC-32C (Castagnoli; RFC 3720, appendix B.4), the checksum of TensorBoard's record files.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace detent::io {

uint32_t crc32c(std::span<const std::byte> bytes);

// As TFRecord files store it: rotated and offset, so that a checksum of data that holds checksums stays useful.
uint32_t masked_crc32c(std::span<const std::byte> bytes);

}  // namespace detent::io
