// A sequence of token ids, wherever it is kept: documents one after the other, and whose loss counts.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "detent/io/token_shard.h"

namespace detent {

using io::TokenRange;

class Tokens {
 public:
  virtual ~Tokens() = default;
  virtual int64_t size() const = 0;
  // Copies ids first .. first + out.size(); the caller keeps that range inside.
  virtual void read(int64_t first, std::span<int32_t> out) const = 0;
  // The index after each document's last id, not falling; empty: all is one document.
  virtual std::span<const uint64_t> document_ends() const = 0;
  // Ids whose loss counts, in rising order; empty: every id's does.
  virtual std::span<const TokenRange> scored() const = 0;

  std::vector<int32_t> read(int64_t first, int64_t count) const;
  int64_t documents() const;
  TokenRange document(int64_t index) const;
  // The parts of ids first .. first + count - 1 whose loss counts, counted from first, and how many ids that is.
  std::vector<TokenRange> scored_in(int64_t first, int64_t count) const;
  int64_t count_scored(int64_t first, int64_t count) const;
};

class TokensInMemory : public Tokens {
 public:
  explicit TokensInMemory(std::vector<int32_t> ids, std::vector<uint64_t> document_ends = {},
                          std::vector<TokenRange> scored = {})
      : ids_(std::move(ids)), document_ends_(std::move(document_ends)), scored_(std::move(scored)) {}
  using Tokens::read;
  int64_t size() const override { return static_cast<int64_t>(ids_.size()); }
  void read(int64_t first, std::span<int32_t> out) const override {
    std::copy_n(ids_.begin() + first, out.size(), out.begin());
  }
  std::span<const uint64_t> document_ends() const override { return document_ends_; }
  std::span<const TokenRange> scored() const override { return scored_; }

 private:
  std::vector<int32_t> ids_;
  std::vector<uint64_t> document_ends_;
  std::vector<TokenRange> scored_;
};

}  // namespace detent
