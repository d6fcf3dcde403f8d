// The bytes of a file piece by piece, decompressed on the way when they are zstd frames.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct ZSTD_DCtx_s;

namespace detent::io {

class ByteStream {
 public:
  // file stays alive and in place; name appears in errors.
  ByteStream(std::span<const std::byte> file, std::string name, bool zstd);
  ~ByteStream();
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;

  // The next piece, valid until the next call; empty at the end. Fails (bad input) on damaged or unfinished zstd data.
  std::string_view next();
  uint64_t position() const { return position_; }  // bytes of the file taken, before decompression
  uint64_t size() const { return file_.size(); }

 private:
  std::string_view next_zstd();

  std::span<const std::byte> file_;
  std::string name_;
  uint64_t position_ = 0;
  std::unique_ptr<ZSTD_DCtx_s, size_t (*)(ZSTD_DCtx_s*)> zstd_;  // null for plain files
  bool in_frame_ = true;                                         // a file holds at least one frame
  std::vector<char> output_;
};

}  // namespace detent::io
