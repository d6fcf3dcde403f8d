#include "detent/import/gguf_codes.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>

#include "detent/format/block_fit.h"
#include "detent/import/gguf_decode.h"

namespace detent {

namespace {

// In place. False where a level is none of the grid's.
bool levels_to_codes(const LevelSet& levels, const Grid& grid, std::span<int8_t> row) {
  const int lowest = static_cast<int>(grid.level(grid.lo())), stride = static_cast<int>(grid.stride());
  bool all = true;
  for (int8_t& level : row) {
    all &= levels.has(level);
    level = static_cast<int8_t>((level - lowest) / stride + grid.lo());
  }
  return all;
}

}  // namespace

std::optional<Quantized> decode_codes(std::span<const std::byte> bytes, const io::GgmlType& type, at::IntArrayRef shape,
                                      std::span<const int64_t> order) {
  const LevelBlock* block = find_level_block(type.name);
  if (!block || shape.size() != 2) return std::nullopt;
  const std::optional<Grid> grid = grid_of(*block);
  if (!grid) return std::nullopt;
  const int64_t rows = shape[0], columns = shape[1], groups = columns / block->elements;
  const int64_t size = row_bytes(type, columns);
  check_order(order, rows);
  Quantized all{at::empty(shape, at::kChar), at::empty({rows, groups}, at::kFloat), {}};
  all.spec = {.grid = *grid, .granularity = {GranularityKind::kGroup, block->elements}};
  auto* codes = all.codes.mutable_data_ptr<int8_t>();
  auto* scales = all.scales.mutable_data_ptr<float>();
  std::atomic<bool> fit = true;
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = order.empty() ? i : order[i];
      const std::span<int8_t> to(codes + row * columns, static_cast<size_t>(columns));
      unpack_levels(*block, bytes.subspan(i * size, size), {scales + row * groups, static_cast<size_t>(groups)}, to);
      if (!levels_to_codes(block->levels, *grid, to)) fit = false;
    }
  });
  return fit ? std::optional(all) : std::nullopt;
}

}  // namespace detent
