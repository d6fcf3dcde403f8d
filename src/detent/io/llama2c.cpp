#include "detent/io/llama2c.h"

#include <optional>

#include "detent/base/error.h"
#include "detent/io/bytes.h"

namespace detent::io {
namespace {

constexpr uint32_t kMagic = 0x616b3432;  // "ak42"
constexpr size_t kInts = 7, kHeaderV0 = kInts * 4, kHeaderV1 = 256, kFlagAt = 8 + kHeaderV0;
constexpr int64_t kMost = int64_t{1} << 24;  // keeps a product of two sizes far from overflow

enum class Size { kVocab, kDim, kKv, kHidden, kTable };
struct Row {
  const char* name;
  bool per_layer;
  Size rows, columns;  // a vector has only columns
  bool is_matrix;
};
constexpr Row kEmbedding = {"token_embedding_table", false, Size::kVocab, Size::kDim, true};
constexpr Row kAttentionNorm = {"rms_att_weight", true, Size::kDim, Size::kDim, false};
constexpr Row kWq = {"wq", true, Size::kDim, Size::kDim, true}, kWk = {"wk", true, Size::kKv, Size::kDim, true},
              kWv = {"wv", true, Size::kKv, Size::kDim, true}, kWo = {"wo", true, Size::kDim, Size::kDim, true};
constexpr Row kFeedForwardNorm = {"rms_ffn_weight", true, Size::kDim, Size::kDim, false};
constexpr Row kW1 = {"w1", true, Size::kHidden, Size::kDim, true}, kW2 = {"w2", true, Size::kDim, Size::kHidden, true},
              kW3 = {"w3", true, Size::kHidden, Size::kDim, true};
constexpr Row kFinalNorm = {"rms_final_weight", false, Size::kDim, Size::kDim, false};
constexpr Row kTables = {nullptr, false, Size::kTable, Size::kTable,
                         false};  // cosines and sines of the rotary embedding
constexpr Row kHead = {"wcls", false, Size::kVocab, Size::kDim, true};

// In the order of the file; the head comes last and only where it is not shared.
constexpr Row kOrderV0[] = {kEmbedding, kAttentionNorm, kWq,     kWk,  kWv, kWo, kFeedForwardNorm, kW1, kW2,
                            kW3,        kFinalNorm,     kTables, kHead};
constexpr Row kOrderV1[] = {kAttentionNorm, kFeedForwardNorm, kFinalNorm, kEmbedding, kWq, kWk, kWv, kWo, kW1, kW2, kW3,
                            kHead};

struct Header {
  Llama2cShape shape;
  std::span<const Row> order;
  size_t bytes;
};

int64_t size_of(Size size, const Llama2cShape& shape) {
  switch (size) {
    case Size::kVocab:
      return shape.vocab_size;
    case Size::kDim:
      return shape.dim;
    case Size::kKv:
      return shape.dim / shape.n_heads * shape.n_kv_heads;
    case Size::kHidden:
      return shape.hidden_dim;
    case Size::kTable:
      return shape.max_seq_len * (shape.dim / shape.n_heads);
  }
  return 0;
}

uint64_t tensor_bytes(const Row& row, const Llama2cShape& shape) {
  const auto columns = static_cast<uint64_t>(size_of(row.columns, shape));
  return 4 * columns * (row.is_matrix ? static_cast<uint64_t>(size_of(row.rows, shape)) : 1);
}

bool is_present(const Row& row, const Llama2cShape& shape) {
  return row.name == nullptr || std::string_view(row.name) != kHead.name || !shape.shared_classifier;
}

// Nothing when the sizes cannot be those of a model.
std::optional<Llama2cShape> read_shape(std::span<const std::byte> ints) {
  int64_t v[kInts];
  for (size_t i = 0; i < kInts; ++i) v[i] = load<int32_t>(ints, 4 * i);
  Llama2cShape shape{v[0], v[1], v[2], v[3], v[4], v[5] < 0 ? -v[5] : v[5], v[6], v[5] > 0};
  for (const int64_t size : {shape.dim, shape.hidden_dim, shape.n_layers, shape.n_heads, shape.n_kv_heads,
                             shape.vocab_size, shape.max_seq_len})
    if (size < 1 || size > kMost) return std::nullopt;
  if (shape.dim % shape.n_heads != 0 || shape.n_heads % shape.n_kv_heads != 0 || shape.dim / shape.n_heads % 2 != 0)
    return std::nullopt;
  return shape;
}

// Nothing when the sum overflows.
std::optional<uint64_t> file_bytes(const Header& header) {
  uint64_t sum = header.bytes;
  for (const Row& row : header.order) {
    if (!is_present(row, header.shape)) continue;
    const uint64_t times = row.per_layer ? static_cast<uint64_t>(header.shape.n_layers) : 1;
    const auto bytes = checked_multiply(tensor_bytes(row, header.shape), times);
    const auto next = bytes ? checked_add(sum, *bytes) : std::nullopt;
    if (!next) return std::nullopt;
    sum = *next;
  }
  return sum;
}

bool has_magic(std::span<const std::byte> file) { return file.size() >= 4 && load<uint32_t>(file) == kMagic; }

Header read_v1(std::span<const std::byte> file, std::string_view source) {
  if (file.size() < kHeaderV1) fail("{}: a llama2.c file of {} bytes is shorter than its header", source, file.size());
  const auto version = load<int32_t>(file, 4);
  if (version == 2)
    fail("{}: a llama2.c file of version 2 (int8), of which two incompatible layouts exist; export version 1 instead",
         source);
  if (version != 1) fail("{}: a llama2.c file of version {}; versions 0 and 1 are read", source, version);
  auto shape = read_shape(file.subspan(8));
  const auto flag = load<uint8_t>(file, kFlagAt);
  if (!shape || flag > 1 || load<int32_t>(file, 8 + 4 * 5) < 0)
    fail("{}: the header of this llama2.c file holds sizes that fit no model; it is damaged", source);
  shape->shared_classifier = flag == 1;
  return {*shape, kOrderV1, kHeaderV1};
}

std::optional<Header> read_v0(std::span<const std::byte> file) {
  if (file.size() < kHeaderV0) return std::nullopt;
  const auto shape = read_shape(file);
  if (!shape) return std::nullopt;
  return Header{*shape, kOrderV0, kHeaderV0};
}

Header read_header(std::span<const std::byte> file, std::string_view source) {
  if (has_magic(file)) return read_v1(file, source);
  const auto header = read_v0(file);
  if (!header) fail("{}: not a checkpoint of llama2.c: its first seven integers fit no model", source);
  return *header;
}

}  // namespace

bool looks_like_llama2c(std::span<const std::byte> file) {
  if (has_magic(file)) return true;
  const auto header = read_v0(file);
  return header && file_bytes(*header) == file.size();
}

Llama2cContent parse_llama2c(std::span<const std::byte> file, std::string_view source) {
  const Header header = read_header(file, source);
  if (file_bytes(header) != file.size())
    fail("{}: the sizes in its header ask for {} bytes, the file has {}; it is cut short or no llama2.c checkpoint",
         source, file_bytes(header).value_or(UINT64_MAX), file.size());
  Llama2cContent content{header.shape, {}};
  size_t at = header.bytes;
  for (const Row& row : header.order) {
    if (!is_present(row, header.shape)) continue;
    const uint64_t bytes = tensor_bytes(row, header.shape);
    for (int64_t layer = row.per_layer ? 0 : -1; layer < (row.per_layer ? header.shape.n_layers : 0); ++layer) {
      std::vector<int64_t> shape = {size_of(row.columns, header.shape)};
      if (row.is_matrix) shape.insert(shape.begin(), size_of(row.rows, header.shape));
      if (row.name) content.tensors.push_back({row.name, layer, std::move(shape), file.subspan(at, bytes)});
      at += bytes;
    }
  }
  return content;
}

}  // namespace detent::io
