#include "detent/deploy/gguf_tensor.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>

#include "detent/base/error.h"
#include "detent/deploy/k_packer.h"
#include "detent/deploy/recover.h"
#include "detent/format/block_fit.h"
#include "detent/format/ggml_blocks.h"
#include "detent/import/gguf_decode.h"

namespace detent {

namespace {

// One row of float32 values into packed bytes; false when a value has no place.
using RowPacker = std::function<bool(int64_t row, std::span<std::byte> out)>;

constexpr int64_t kSinkBytes = int64_t{1} << 22;

bool pack_floats(at::ScalarType type, std::span<const float> values, std::span<std::byte> out) {
  const auto count = static_cast<int64_t>(values.size());
  const at::Tensor stored = at::from_blob(const_cast<float*>(values.data()), {count}, at::kFloat).to(type);
  const at::Tensor back = stored.to(at::kFloat);
  std::memcpy(out.data(), stored.const_data_ptr(), stored.nbytes());
  return std::memcmp(back.const_data_ptr(), values.data(), values.size_bytes()) == 0;
}

bool pack_recovered(const LevelBlock& block, std::span<const float> values, std::span<std::byte> out) {
  std::vector<int8_t> levels(values.size());
  std::vector<uint16_t> scales(values.size() / static_cast<size_t>(block.elements));
  const GridSearch search{block.levels, [&](float d) { return block.scale_bits(d).has_value(); }};
  for (size_t i = 0; i < scales.size(); ++i) {
    const size_t at = i * block.elements, count = block.elements;
    const auto d = recover_scale(values.subspan(at, count), search, std::span(levels).subspan(at, count));
    if (!d) return false;
    scales[i] = block.scale_bits(*d).value();
  }
  pack_blocks(block, scales, levels, out);
  return true;
}

bool pack_values(const io::GgmlType& type, std::span<const float> values, std::span<std::byte> out) {
  if (type.name == "F32") {
    std::memcpy(out.data(), values.data(), values.size_bytes());
    return true;
  }
  if (type.name == "F16") return pack_floats(at::kHalf, values, out);
  if (type.name == "BF16") return pack_floats(at::kBFloat16, values, out);
  if (const KBlock* block = find_k_block(type.name)) return pack_k_values(*block, values, out);
  const LevelBlock* block = find_level_block(type.name);
  return block && pack_recovered(*block, values, out);
}

// A quantized matrix row by row, its codes as the block's levels.
class CodePacker {
 public:
  CodePacker(const Quantized& quantized, const LevelBlock& block)
      : block_(block),
        factor_(block_factor(block, quantized.spec.grid).value()),
        codes_(quantized.codes.contiguous()),
        scales_(quantized.scales.contiguous()),
        columns_(codes_.size(-1)),
        group_(quantized.spec.granularity.group_length(codes_.numel() / columns_, columns_)),
        one_scale_(quantized.spec.granularity.kind == GranularityKind::kTensor) {
    const Grid& grid = quantized.spec.grid;
    for (int code = grid.lo(); code <= grid.hi(); ++code)
      levels_[static_cast<uint8_t>(code)] = static_cast<int8_t>(grid.level(code) / factor_);
  }

  bool pack(int64_t row, std::span<std::byte> out) const {
    const int8_t* codes = codes_.const_data_ptr<int8_t>() + row * columns_;
    std::vector<int8_t> levels(columns_);
    for (int64_t i = 0; i < columns_; ++i) levels[i] = levels_[static_cast<uint8_t>(codes[i])];
    std::vector<uint16_t> scales(columns_ / block_.elements);
    for (size_t i = 0; i < scales.size(); ++i) {
      const auto bits = block_.scale_bits(scale_at(row, static_cast<int64_t>(i) * block_.elements) * factor_);
      if (!bits) return false;
      scales[i] = *bits;
    }
    pack_blocks(block_, scales, levels, out);
    return true;
  }

 private:
  float scale_at(int64_t row, int64_t column) const {
    const float* scales = scales_.const_data_ptr<float>();
    return one_scale_ ? scales[0] : scales[row * (columns_ / group_) + column / group_];
  }

  const LevelBlock& block_;
  float factor_;
  at::Tensor codes_, scales_;
  int64_t columns_, group_;
  bool one_scale_;
  int8_t levels_[256] = {};
};

RowPacker make_packer(const ShippedTensor& tensor, const io::GgmlType& type, const at::Tensor& value) {
  const KBlock* k_block = find_k_block(type.name);
  if (k_block && tensor.quantized && !block_refusal(*k_block, tensor.quantized->spec, value.size(-1)))
    return [packer = KPacker(*tensor.quantized, *k_block)](int64_t row, std::span<std::byte> out) {
      return packer.pack(row, out);
    };
  const LevelBlock* block = find_level_block(type.name);
  if (block && tensor.quantized && !block_refusal(*block, tensor.quantized->spec, value.size(-1)))
    return [packer = CodePacker(*tensor.quantized, *block)](int64_t row, std::span<std::byte> out) {
      return packer.pack(row, out);
    };
  const int64_t columns = value.size(-1);
  return [&type, value, columns](int64_t row, std::span<std::byte> out) {
    return pack_values(type, {value.const_data_ptr<float>() + row * columns, static_cast<size_t>(columns)}, out);
  };
}

}  // namespace

bool holds_values(const io::GgmlType& type, const at::Tensor& value) {
  const int64_t columns = value.size(-1);
  if (!can_decode(type) || columns % type.block_elements != 0) return false;
  const at::Tensor rows = value.contiguous();
  std::vector<std::byte> out(row_bytes(type, columns));
  for (int64_t row = 0; row < value.numel() / columns; ++row)
    if (!pack_values(type, {rows.const_data_ptr<float>() + row * columns, static_cast<size_t>(columns)}, out))
      return false;
  return true;
}

void encode_tensor(const std::string& name, const ShippedTensor& tensor, const io::GgmlType& type,
                   std::span<const int64_t> order, const ByteSink& sink, int64_t first_row) {
  if (tensor.blocks && tensor.blocks->type == type.name) return sink(tensor.blocks->bytes);
  const at::Tensor value = tensor.value.contiguous();
  const int64_t columns = value.size(-1), rows = value.numel() / columns, size = row_bytes(type, columns);
  check_order(order, rows);
  const RowPacker pack = make_packer(tensor, type, value);
  const int64_t at_a_time = std::clamp<int64_t>(kSinkBytes / size, 1, rows);
  std::vector<std::byte> bytes(at_a_time * size);
  for (int64_t first = 0; first < rows; first += at_a_time) {
    const int64_t count = std::min(at_a_time, rows - first);
    std::atomic<int64_t> misfit = count;  // the first row that does not fit
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = order.empty() ? first + i : order[first + i];
        if (pack(row, std::span(bytes).subspan(i * size, size))) continue;
        for (int64_t seen = misfit; i < seen && !misfit.compare_exchange_weak(seen, i);) {
        }
      }
    });
    if (misfit < count)
      fail("[export] {}: row {} has values that {} cannot hold exactly; export it with --to gguf:f32", name,
           first_row + (order.empty() ? first + misfit : order[first + misfit]), type.name);
    sink(std::span(bytes).first(count * size));
  }
}

}  // namespace detent
