// Token ids on disk, mapped and checksummed. detent's own format, version 2, little-endian:
//   char[8] "DETENTTK" | u32 version | u32 bytes per token (2 when the vocabulary has at most 65536 ids, else 4)
//   u64 vocabulary size | u64 bytes of fingerprint | fingerprint | zeros up to a multiple of 64
//   the tokens | zeros up to a multiple of 8
//   u64[documents] the index after each document's last token, not falling; none: the shard is one document
//   u64[2 * ranges] begin and end of each run of tokens whose loss counts, rising; none: every token's loss counts
//   u64 tokens | u64 documents | u64 ranges | SHA-256 of everything before it
// The counts come last so that a writer can stream.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "detent/io/atomic_file.h"
#include "detent/io/mapped_file.h"
#include "detent/io/sha256.h"

namespace detent::io {

// Tokens begin .. end - 1.
struct TokenRange {
  uint64_t begin = 0, end = 0;
  bool operator==(const TokenRange&) const = default;
};

// A shard held in memory; the spans point into it.
struct TokenShardContent {
  uint64_t vocabulary = 0;
  uint32_t token_bytes = 0;  // 2 or 4
  std::string fingerprint;   // names tokenizer and source text, for the caller to compare
  std::span<const std::byte> tokens;
  std::vector<uint64_t> document_ends;
  std::vector<TokenRange> scored;
  std::span<const std::byte> checked;  // what the digest covers
  Sha256Digest digest{};
};

// Checks the layout, not the digest. Fails (bad input) on any break of the format.
TokenShardContent parse_token_shard(std::span<const std::byte> file, std::string_view source);

enum class Verify { kNo, kYes };

class TokenShard {
 public:
  explicit TokenShard(const std::filesystem::path& path, Verify verify = Verify::kYes);

  // Reads the whole file: fails (bad input) when its SHA-256 differs or an id lies outside the vocabulary.
  void verify() const;

  uint64_t size() const { return content_.tokens.size() / content_.token_bytes; }  // in tokens
  uint64_t vocabulary() const { return content_.vocabulary; }
  const std::string& fingerprint() const { return content_.fingerprint; }
  const std::vector<uint64_t>& document_ends() const { return content_.document_ends; }
  // The tokens whose loss counts; empty: all of them.
  const std::vector<TokenRange>& scored() const { return content_.scored; }
  // Token i, i < size(); on a verified shard it lies inside the vocabulary.
  uint32_t token(uint64_t i) const;
  // Tokens first .. first + out.size(). Fails when they are not all there.
  void copy(uint64_t first, std::span<int32_t> out) const;
  void copy(uint64_t first, std::span<int64_t> out) const;

 private:
  template <class T>
  void copy_as(uint64_t first, std::span<T> out) const;

  MappedFile file_;
  TokenShardContent content_;
};

class TokenShardWriter {
 public:
  TokenShardWriter(const std::filesystem::path& path, uint64_t vocabulary, std::string_view fingerprint);

  // Appends; fails on an id outside the vocabulary.
  void write(std::span<const uint32_t> tokens);
  void write(std::span<const int32_t> tokens);
  // The loss of these tokens counts, and of no others but those named so. Ranges rise and do not overlap.
  void score(TokenRange range);
  // The document that the last tokens belong to is complete.
  void end_document();
  // Fails when documents were ended and tokens follow the last of them, or a scored range lies beyond the tokens.
  void finish();
  uint64_t size() const { return tokens_; }

 private:
  void put(std::string_view bytes);

  AtomicFile file_;
  Sha256 hash_;
  uint64_t vocabulary_, token_bytes_, tokens_ = 0;
  std::vector<uint64_t> document_ends_;
  std::vector<TokenRange> scored_;
};

}  // namespace detent::io
