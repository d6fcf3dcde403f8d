#include <array>
#include <optional>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/bytes.h"
#include "detent/io/token_shard.h"
#include "detent/io/token_shard_format.h"

namespace detent::io {
namespace {

void read_header(std::span<const std::byte> file, std::string_view source, TokenShardContent& content) {
  if (as_text(file.first(8)) != kShardMagic) fail("{}: not a token shard", source);
  const auto version = load<uint32_t>(file, 8);
  if (version != kShardVersion)
    fail("{}: token shard version {}, expected {}; tokenize again", source, version, kShardVersion);
  content.token_bytes = load<uint32_t>(file, 12);
  content.vocabulary = load<uint64_t>(file, 16);
  if (content.vocabulary == 0 || content.vocabulary > kMaxShardVocabulary) {
    fail("{}: a vocabulary of {} is not possible", source, content.vocabulary);
  }
  if (content.token_bytes != bytes_per_token(content.vocabulary)) {
    fail("{}: {} bytes per token do not fit a vocabulary of {}", source, content.token_bytes, content.vocabulary);
  }
  const auto fingerprint = load<uint64_t>(file, 24);
  if (fingerprint > kMaxShardFingerprint || fingerprint > file.size() - kShardHeaderBytes) {
    fail("{}: a fingerprint of {} bytes is too long", source, fingerprint);
  }
  content.fingerprint = as_text(file.subspan(kShardHeaderBytes, fingerprint));
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

void read_scored(std::span<const std::byte> ranges, std::string_view source, TokenShardContent& content) {
  const uint64_t tokens = content.tokens.size() / content.token_bytes;
  uint64_t previous = 0;
  content.scored.reserve(ranges.size() / sizeof(TokenRange));
  for (size_t i = 0; i < ranges.size(); i += sizeof(TokenRange)) {
    const TokenRange range{load<uint64_t>(ranges, i), load<uint64_t>(ranges, i + 8)};
    if (range.begin < previous || range.begin >= range.end || range.end > tokens) {
      fail("{}: scored tokens {} to {} are out of order", source, range.begin, range.end);
    }
    content.scored.push_back(range);
    previous = range.end;
  }
}

// Where the parts after the header lie, or nothing when the counts do not fit the file.
struct Layout {
  uint64_t tokens, token_bytes, documents, document_bytes, ranges, range_bytes;
};

std::optional<Layout> layout(uint64_t start, uint64_t trailer, uint32_t token_bytes,
                             const std::array<uint64_t, 3>& counts) {
  const auto tokens = checked_multiply(counts[0], token_bytes), documents = checked_multiply(counts[1], 8),
             ranges = checked_multiply(counts[2], sizeof(TokenRange));
  const auto tokens_end = tokens ? checked_add(start, *tokens) : std::nullopt;
  const auto documents_start = tokens_end ? checked_align(*tokens_end, 8) : std::nullopt;
  const auto ranges_start = documents_start && documents ? checked_add(*documents_start, *documents) : std::nullopt;
  const auto end = ranges_start && ranges ? checked_add(*ranges_start, *ranges) : std::nullopt;
  if (!end || *end != trailer) return std::nullopt;
  return Layout{start, *tokens, *documents_start, *documents, *ranges_start, *ranges};
}

}  // namespace

TokenShardContent parse_token_shard(std::span<const std::byte> file, std::string_view source) {
  if (file.size() < kShardHeaderBytes + kShardTrailerBytes) {
    fail("{}: {} bytes are too few for a token shard", source, file.size());
  }
  TokenShardContent content;
  read_header(file, source, content);
  const uint64_t trailer = file.size() - kShardTrailerBytes;
  const std::array counts{load<uint64_t>(file, trailer), load<uint64_t>(file, trailer + 8),
                          load<uint64_t>(file, trailer + 16)};
  const uint64_t start = *checked_align(kShardHeaderBytes + content.fingerprint.size(), kShardPayloadAlignment);
  const auto parts = layout(start, trailer, content.token_bytes, counts);
  if (!parts) {
    fail("{}: {} tokens, {} documents and {} scored ranges do not fit its size; the file is cut short or damaged",
         source, counts[0], counts[1], counts[2]);
  }
  content.tokens = file.subspan(parts->tokens, parts->token_bytes);
  read_document_ends(file.subspan(parts->documents, parts->document_bytes), source, content);
  read_scored(file.subspan(parts->ranges, parts->range_bytes), source, content);
  content.checked = file.first(file.size() - content.digest.size());
  content.digest = load<Sha256Digest>(file, file.size() - content.digest.size());
  return content;
}

}  // namespace detent::io
