// A token shard file as Tokens.
#pragma once
#include <filesystem>

#include "detent/data/tokens.h"
#include "detent/io/token_shard.h"

namespace detent {

class ShardTokens : public Tokens {
 public:
  explicit ShardTokens(const std::filesystem::path& path) : shard_(path) {}  // checks its SHA-256
  using Tokens::read;
  int64_t size() const override { return static_cast<int64_t>(shard_.size()); }
  void read(int64_t first, std::span<int32_t> out) const override { shard_.copy(static_cast<uint64_t>(first), out); }
  std::span<const uint64_t> document_ends() const override { return shard_.document_ends(); }
  std::span<const TokenRange> scored() const override { return shard_.scored(); }
  const io::TokenShard& shard() const { return shard_; }

 private:
  io::TokenShard shard_;
};

}  // namespace detent
