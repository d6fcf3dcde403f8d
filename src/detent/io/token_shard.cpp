#include "detent/io/token_shard.h"

#include "detent/base/error.h"
#include "detent/io/bytes.h"
#include "detent/io/token_shard_format.h"

namespace detent::io {
namespace {

std::string padding(uint64_t size, uint64_t alignment) {
  return std::string((alignment - size % alignment) % alignment, 0);
}

}  // namespace

TokenShard::TokenShard(const std::filesystem::path& path, Verify verify)
    : file_(path), content_(parse_token_shard(file_.bytes(), path.string())) {
  if (verify == Verify::kYes) this->verify();
}

void TokenShard::verify() const {
  const std::string path = file_.path().string();
  if (sha256(content_.checked) != content_.digest) {
    fail("{}: its SHA-256 is not the one stored in it; the file is damaged, tokenize again", path);
  }
  for (uint64_t i = 0; i < size(); ++i) {
    if (token(i) >= content_.vocabulary) {
      fail("{}: token {} is {}, outside the vocabulary of {}", path, i, token(i), content_.vocabulary);
    }
  }
}

uint32_t TokenShard::token(uint64_t i) const {
  return content_.token_bytes == 2 ? load<uint16_t>(content_.tokens, 2 * i) : load<uint32_t>(content_.tokens, 4 * i);
}

template <class T>
void TokenShard::copy_as(uint64_t first, std::span<T> out) const {
  if (first > size() || out.size() > size() - first) {
    fail("{}: tokens {} to {} asked for, it has {}", file_.path().string(), first, first + out.size(), size());
  }
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(token(first + i));
}

void TokenShard::copy(uint64_t first, std::span<int32_t> out) const { copy_as(first, out); }
void TokenShard::copy(uint64_t first, std::span<int64_t> out) const { copy_as(first, out); }

TokenShardWriter::TokenShardWriter(const std::filesystem::path& path, uint64_t vocabulary, std::string_view fingerprint)
    : file_(path), vocabulary_(vocabulary), token_bytes_(bytes_per_token(vocabulary)) {
  if (vocabulary == 0 || vocabulary > kMaxShardVocabulary) {
    fail("cannot write {}: a vocabulary of {} is not possible", path.string(), vocabulary);
  }
  if (fingerprint.size() > kMaxShardFingerprint) fail("cannot write {}: the fingerprint is too long", path.string());
  std::string header(kShardMagic);
  append(header, kShardVersion);
  append(header, static_cast<uint32_t>(token_bytes_));
  append(header, vocabulary);
  append<uint64_t>(header, fingerprint.size());
  header += fingerprint;
  put(header + padding(header.size(), kShardPayloadAlignment));
}

void TokenShardWriter::put(std::string_view bytes) {
  hash_.update(bytes);
  file_.write(bytes);
}

void TokenShardWriter::write(std::span<const uint32_t> tokens) {
  std::string bytes;
  bytes.reserve(tokens.size() * token_bytes_);
  for (const uint32_t token : tokens) {
    if (token >= vocabulary_) {
      fail("cannot write {}: token {} is outside the vocabulary of {}", file_.path().string(), token, vocabulary_);
    }
    bytes.append(reinterpret_cast<const char*>(&token), token_bytes_);  // little-endian: the low bytes come first
  }
  put(bytes);
  tokens_ += tokens.size();
}

void TokenShardWriter::write(std::span<const int32_t> tokens) {
  // A negative id becomes one above 2^31, which no vocabulary reaches.
  write(std::span(reinterpret_cast<const uint32_t*>(tokens.data()), tokens.size()));
}

void TokenShardWriter::score(TokenRange range) {
  if (range.begin >= range.end || (!scored_.empty() && range.begin < scored_.back().end)) {
    fail("cannot write {}: scored tokens {} to {} are out of order", file_.path().string(), range.begin, range.end);
  }
  scored_.push_back(range);
}

void TokenShardWriter::end_document() { document_ends_.push_back(tokens_); }

void TokenShardWriter::finish() {
  if (!document_ends_.empty() && document_ends_.back() != tokens_) {
    fail("cannot write {}: tokens follow the last ended document", file_.path().string());
  }
  if (!scored_.empty() && scored_.back().end > tokens_) {
    fail("cannot write {}: {} tokens, of which one before {} is scored", file_.path().string(), tokens_,
         scored_.back().end);
  }
  std::string tail = padding(file_.size(), 8);
  for (const uint64_t end : document_ends_) append(tail, end);
  for (const TokenRange& range : scored_) {
    append(tail, range.begin);
    append(tail, range.end);
  }
  append(tail, tokens_);
  append<uint64_t>(tail, document_ends_.size());
  append<uint64_t>(tail, scored_.size());
  put(tail);
  const Sha256Digest digest = hash_.finish();
  file_.write(std::as_bytes(std::span(digest)));
  file_.commit();
}

}  // namespace detent::io
