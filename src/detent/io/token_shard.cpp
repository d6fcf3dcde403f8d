#include "detent/io/token_shard.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/bytes.h"

namespace detent::io {
namespace {

constexpr std::string_view kMagic = "DETENTTK";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kHeaderBytes = 32, kTrailerBytes = 16 + 32, kPayloadAlignment = 64;
constexpr uint64_t kMaxFingerprint = 65536, kMaxVocabulary = uint64_t{1} << 31;  // ids fit in int32

uint64_t bytes_per_token(uint64_t vocabulary) { return vocabulary <= 65536 ? 2 : 4; }

std::string padding(uint64_t size, uint64_t alignment) {
  return std::string((alignment - size % alignment) % alignment, 0);
}

void read_header(std::span<const std::byte> file, std::string_view source, TokenShardContent& content) {
  if (as_text(file.first(8)) != kMagic) fail("{}: not a token shard", source);
  const auto version = load<uint32_t>(file, 8);
  if (version != kVersion) fail("{}: token shard version {}, expected {}; tokenize again", source, version, kVersion);
  content.token_bytes = load<uint32_t>(file, 12);
  content.vocabulary = load<uint64_t>(file, 16);
  if (content.vocabulary == 0 || content.vocabulary > kMaxVocabulary) {
    fail("{}: a vocabulary of {} is not possible", source, content.vocabulary);
  }
  if (content.token_bytes != bytes_per_token(content.vocabulary)) {
    fail("{}: {} bytes per token do not fit a vocabulary of {}", source, content.token_bytes, content.vocabulary);
  }
  const auto fingerprint = load<uint64_t>(file, 24);
  if (fingerprint > kMaxFingerprint || fingerprint > file.size() - kHeaderBytes) {
    fail("{}: a fingerprint of {} bytes is too long", source, fingerprint);
  }
  content.fingerprint = as_text(file.subspan(kHeaderBytes, fingerprint));
}

void read_document_ends(std::span<const std::byte> ends, std::string_view source, TokenShardContent& content) {
  const uint64_t tokens = content.tokens.size() / content.token_bytes;
  uint64_t previous = 0;
  content.document_ends.reserve(ends.size() / 8);
  for (size_t i = 0; i < ends.size(); i += 8) {
    const auto end = load<uint64_t>(ends, i);
    if (end < previous || end > tokens) fail("{}: document {} ends at token {}, out of order", source, i / 8, end);
    content.document_ends.push_back(previous = end);
  }
  if (!content.document_ends.empty() && previous != tokens) {
    fail("{}: {} tokens after the last document", source, tokens - previous);
  }
}

}  // namespace

TokenShardContent parse_token_shard(std::span<const std::byte> file, std::string_view source) {
  if (file.size() < kHeaderBytes + kTrailerBytes) {
    fail("{}: {} bytes are too few for a token shard", source, file.size());
  }
  TokenShardContent content;
  read_header(file, source, content);
  const uint64_t trailer = file.size() - kTrailerBytes;
  const auto tokens = load<uint64_t>(file, trailer), documents = load<uint64_t>(file, trailer + 8);
  const uint64_t start = *checked_align(kHeaderBytes + content.fingerprint.size(), kPayloadAlignment);
  const auto token_bytes = checked_multiply(tokens, content.token_bytes);
  const auto end = token_bytes ? checked_add(start, *token_bytes) : std::nullopt;
  const auto documents_start = end ? checked_align(*end, 8) : std::nullopt;
  const auto document_bytes = checked_multiply(documents, 8);
  const auto expected =
      documents_start && document_bytes ? checked_add(*documents_start, *document_bytes) : std::nullopt;
  if (!expected || *expected != trailer) {
    fail("{}: {} tokens and {} documents do not fit its size; the file is cut short or damaged", source, tokens,
         documents);
  }
  content.tokens = file.subspan(start, *token_bytes);
  read_document_ends(file.subspan(*documents_start, *document_bytes), source, content);
  content.checked = file.first(file.size() - content.digest.size());
  content.digest = load<Sha256Digest>(file, file.size() - content.digest.size());
  return content;
}

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
  if (vocabulary == 0 || vocabulary > kMaxVocabulary) {
    fail("cannot write {}: a vocabulary of {} is not possible", path.string(), vocabulary);
  }
  if (fingerprint.size() > kMaxFingerprint) fail("cannot write {}: the fingerprint is too long", path.string());
  std::string header(kMagic);
  append(header, kVersion);
  append(header, static_cast<uint32_t>(token_bytes_));
  append(header, vocabulary);
  append<uint64_t>(header, fingerprint.size());
  header += fingerprint;
  put(header + padding(header.size(), kPayloadAlignment));
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

void TokenShardWriter::end_document() { document_ends_.push_back(tokens_); }

void TokenShardWriter::finish() {
  if (!document_ends_.empty() && document_ends_.back() != tokens_) {
    fail("cannot write {}: tokens follow the last ended document", file_.path().string());
  }
  std::string tail = padding(file_.size(), 8);
  for (const uint64_t end : document_ends_) append(tail, end);
  append(tail, tokens_);
  append<uint64_t>(tail, document_ends_.size());
  put(tail);
  const Sha256Digest digest = hash_.finish();
  file_.write(std::as_bytes(std::span(digest)));
  file_.commit();
}

}  // namespace detent::io
