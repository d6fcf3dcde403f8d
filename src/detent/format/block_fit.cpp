#include "detent/format/block_fit.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <tuple>
#include <vector>

#include "detent/base/error.h"

namespace detent {

namespace {

bool levels_fit(const LevelBlock& block, const Grid& grid, float factor) {
  for (int code = grid.lo(); code <= grid.hi(); ++code) {
    const float level = grid.level(code) / factor;
    if (level != std::floor(level) || !block.levels.has(static_cast<int>(level))) return false;
  }
  return true;
}

bool group_fits(const LevelBlock& block, const Granularity& granularity) {
  return granularity.kind != GranularityKind::kGroup || granularity.size % block.elements == 0;
}

bool format_fits(const LevelBlock& block, ScaleFormat format) {
  if (block.scale_format == ScaleFormat::kE8M0) return format == ScaleFormat::kE8M0;
  return format == ScaleFormat::kFp16 || format == ScaleFormat::kFp16Bf16;
}

std::string levels_text(const Grid& grid) {
  return fmt::format("{:g} to {:g}", grid.level(grid.lo()), grid.level(grid.hi()));
}

std::string grid_refusal(const LevelBlock& block, const Grid& grid) {
  if (levels_fit(block, grid, -1))
    return fmt::format(
        "{} reaches from {}, the block from {} to {}: it would fit under a negative scale only, which "
        "turns every zero weight into -0",
        grid.name(), levels_text(grid), block.levels.low, block.levels.high);
  return fmt::format("{} has levels from {} in steps of {:g}, the block has {}", grid.name(), levels_text(grid),
                     grid.mean_step(), block_levels_text(block));
}

std::vector<Grid> all_grids() {
  std::vector<Grid> grids = {make_grid("ternary", 2), make_grid("binary", 1), make_grid("midrise", 1),
                             make_grid("e2m1", 4)};
  for (int bits = 2; bits <= 7; ++bits)
    for (const char* kind : {"int", "int_high", "midrise"}) grids.push_back(make_grid(kind, bits));
  return grids;
}

// As many levels as possible as the grid asked for, then the same kind.
Grid nearest_grid(const LevelBlock& block, const Grid& wanted) {
  Grid best = wanted;
  auto best_distance = std::make_tuple(std::numeric_limits<int>::max(), true);
  for (const Grid& grid : all_grids()) {
    const auto distance =
        std::make_tuple(std::abs(grid.level_count() - wanted.level_count()), grid.kind != wanted.kind);
    if (!block_factor(block, grid) || distance >= best_distance) continue;
    best = grid;
    best_distance = distance;
  }
  return best;
}

}  // namespace

std::string block_levels_text(const LevelBlock& block) {
  const LevelSet& set = block.levels;
  if (set.kind == LevelSet::kOdd) return fmt::format("{} and {}", set.low, set.high);
  if (set.kind == LevelSet::kTwiceE2M1) return "0 and +-1, 2, 3, 4, 6, 8, 12";
  return fmt::format("the integers from {} to {}", set.low, set.high);
}

std::optional<float> block_factor(const LevelBlock& block, const Grid& grid) {
  for (const float factor : {1.0f, 0.5f})
    if (levels_fit(block, grid, factor)) return factor;
  return std::nullopt;
}

std::optional<Grid> grid_of(const LevelBlock& block) {
  int count = 0;
  for (int level = block.levels.low; level <= block.levels.high; ++level) count += block.levels.has(level);
  std::vector<Grid> grids = all_grids();
  grids.push_back(make_grid("int", 8));
  for (const Grid& grid : grids)
    if (grid.level_count() == count && levels_fit(block, grid, 1)) return grid;
  return std::nullopt;
}

std::optional<std::string> block_refusal(const LevelBlock& block, const QuantSpec& spec, int64_t columns) {
  if (spec.rotation != Rotation::kNone)
    return fmt::format("rotation {} has no place in the format, which keeps weights as the matmul reads them",
                       rotation_name(spec.rotation));
  if (columns % block.elements != 0)
    return fmt::format(
        "rows of {} weights are not whole blocks of {}; train with such layers in quant.skip beside its default, "
        "embed_tokens and lm_head",
        columns, block.elements);
  if (!block_factor(block, spec.grid)) return grid_refusal(block, spec.grid);
  if (!group_fits(block, spec.granularity))
    return fmt::format("{} weights share a scale in a block, {} in a group", block.elements, spec.granularity.size);
  if (!format_fits(block, spec.scale_format))
    return fmt::format("scale_format {} does not fit: a block's scale is {}", scale_format_name(spec.scale_format),
                       block.scale_format == ScaleFormat::kE8M0 ? "a power of two, e8m0" : "an fp16");
  return std::nullopt;
}

std::optional<QuantSpec> nearest_block_spec(const LevelBlock& block, const QuantSpec& spec, int64_t columns) {
  if (columns % block.elements != 0) return std::nullopt;
  QuantSpec near = spec;
  near.rotation = Rotation::kNone;
  if (!block_factor(block, near.grid)) near.grid = nearest_grid(block, near.grid);
  if (!format_fits(block, near.scale_format)) near.scale_format = block.scale_format;
  if (spec_problem(near)) near.scale_rule = fitting_rule(near.grid, ScaleRule::kAbsmax);
  if (spec_problem(near)) {  // e8m0 goes with one grid and one rule
    near.grid = nearest_grid(block, make_grid("e2m1", 4));
    near.scale_rule = ScaleRule::kAbsmaxFull;
  }
  if (!group_fits(block, near.granularity)) near.granularity = {GranularityKind::kGroup, block.elements};
  return near;
}

}  // namespace detent
