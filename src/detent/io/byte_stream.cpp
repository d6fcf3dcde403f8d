#include "detent/io/byte_stream.h"

#include <zstd.h>

#include <algorithm>

#include "detent/base/error.h"
#include "detent/io/bytes.h"

namespace detent::io {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{1} << 18;

}  // namespace

ByteStream::ByteStream(std::span<const std::byte> file, std::string name, bool zstd)
    : file_(file), name_(std::move(name)), zstd_(zstd ? ZSTD_createDCtx() : nullptr, ZSTD_freeDCtx) {
  if (zstd && !zstd_) fail_machine("cannot read {}: out of memory", name_);
  if (zstd) output_.resize(kPieceBytes);
}

ByteStream::~ByteStream() = default;
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;

std::string_view ByteStream::next() {
  if (zstd_) return next_zstd();
  const auto piece = file_.subspan(position_, std::min(kPieceBytes, file_.size() - position_));
  position_ += piece.size();
  return as_text(piece);
}

std::string_view ByteStream::next_zstd() {
  while (in_frame_ || position_ < file_.size()) {
    ZSTD_inBuffer in{file_.data(), file_.size(), position_};
    ZSTD_outBuffer out{output_.data(), output_.size(), 0};
    const size_t result = ZSTD_decompressStream(zstd_.get(), &out, &in);
    if (ZSTD_isError(result)) {
      fail("{}: damaged zstd data near byte {}: {}", name_, in.pos, ZSTD_getErrorName(result));
    }
    position_ = in.pos;
    in_frame_ = result != 0;
    if (out.pos > 0) return {output_.data(), out.pos};
    if (in_frame_ && position_ == file_.size()) {
      fail("{}: the zstd data ends in the middle of a frame; the file is cut short, fetch it again", name_);
    }
  }
  return {};
}

}  // namespace detent::io
