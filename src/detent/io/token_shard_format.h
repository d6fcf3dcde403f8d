// The layout that the reader and the writer of token shards share (token_shard.h).
#pragma once
#include <cstdint>
#include <string_view>

namespace detent::io {

inline constexpr std::string_view kShardMagic = "DETENTTK";
inline constexpr uint32_t kShardVersion = 2;
inline constexpr uint64_t kShardHeaderBytes = 32, kShardTrailerBytes = 24 + 32, kShardPayloadAlignment = 64;
inline constexpr uint64_t kMaxShardFingerprint = 65536, kMaxShardVocabulary = uint64_t{1} << 31;  // ids fit in int32

inline uint64_t bytes_per_token(uint64_t vocabulary) { return vocabulary <= 65536 ? 2 : 4; }

}  // namespace detent::io
