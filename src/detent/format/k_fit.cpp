#include "detent/format/k_fit.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "detent/base/error.h"
#include "detent/format/half.h"
#include "detent/format/two_level.h"

namespace detent {

namespace {

bool is_half(float value) {
  return std::isfinite(value) &&
         std::bit_cast<uint32_t>(half_bits_to_float(float_to_half_bits(value))) == std::bit_cast<uint32_t>(value);
}

bool levels_fit(const KBlock& block, const Grid& grid, const KFit& fit) {
  for (int code = grid.lo(); code <= grid.hi(); ++code) {
    const float q = grid.level(code) / fit.factor - fit.low;
    if (q != std::floor(q) || q < 0 || q > static_cast<float>(block.high)) return false;
  }
  return true;
}

// Significant bits of the lowest level, which multiplies the super-scale: 8 has 1, 1.5 has 2.
int low_bits(const KFit& fit) {
  auto odd = static_cast<unsigned>(std::fabs(2 * fit.low));
  while (odd != 0 && odd % 2 == 0) odd /= 2;
  return std::bit_width(odd);
}

// Whether every scale of the format leaves the minimum an fp16; a level of one bit only shifts it.
bool minimum_fits(const KBlock& block, const KFit& fit, ScaleFormat format) {
  if (block.low || low_bits(fit) == 1) return true;
  const auto levels = two_level(format);
  const ScaleFormat super = levels ? levels->super : format;
  return (super == ScaleFormat::kFp16Bf16 ? 8 : 11) + low_bits(fit) <= 11;
}

bool format_fits(const KBlock& block, const KFit& fit, ScaleFormat format) {
  const bool known = format == block.scale_format || format == ScaleFormat::kFp16 || format == ScaleFormat::kFp16Bf16;
  return known && minimum_fits(block, fit, format);
}

bool grid_fits(const KBlock& block, const Grid& grid) {
  const auto fit = k_fit(block, grid);
  return fit && format_fits(block, *fit, block.scale_format);
}

// Scales of one level are as different as they like, so a block has room for one.
int group_of(const KBlock& block, ScaleFormat format) {
  return format == block.scale_format ? block.group : block.elements;
}

bool group_fits(const KBlock& block, const QuantSpec& spec) {
  return spec.granularity.kind != GranularityKind::kGroup ||
         spec.granularity.size % group_of(block, spec.scale_format) == 0;
}

// The most levels that fit; of the same kind where two have as many.
Grid nearest_grid(const KBlock& block, const Grid& wanted) {
  Grid best = make_grid("ternary", 2);
  int best_distance = std::numeric_limits<int>::max();
  for (const char* kind : {"int", "midrise", "int_high"})
    for (int bits = 2; bits <= 7; ++bits) {
      const Grid grid = make_grid(kind, bits);
      const int distance = 2 * std::abs(grid.level_count() - wanted.level_count()) + (grid.kind != wanted.kind ? 1 : 0);
      if (!grid_fits(block, grid) || distance >= best_distance) continue;
      best = grid;
      best_distance = distance;
    }
  return best;
}

}  // namespace

std::optional<KFit> k_fit(const KBlock& block, const Grid& grid) {
  if (!block.low) {
    const KFit fit{1, grid.level(grid.lo())};
    return levels_fit(block, grid, fit) ? std::optional(fit) : std::nullopt;
  }
  for (const float factor : {1.0f, 0.5f})
    if (const KFit fit{factor, *block.low}; levels_fit(block, grid, fit)) return fit;
  return std::nullopt;
}

std::string block_levels_text(const KBlock& block) {
  if (block.low)
    return fmt::format("the integers from {:g} to {:g}", *block.low, *block.low + static_cast<float>(block.high));
  return fmt::format("{} in steps of one, from a lowest level on", block.high + 1);
}

std::optional<std::string> block_refusal(const KBlock& block, const QuantSpec& spec, int64_t columns) {
  if (spec.rotation != Rotation::kNone)
    return fmt::format("rotation {} has no place in the format, which keeps weights as the matmul reads them",
                       rotation_name(spec.rotation));
  if (columns % block.elements != 0)
    return fmt::format(
        "rows of {} weights are not whole blocks of {}; train with such layers in quant.skip beside its default, "
        "embed_tokens and lm_head",
        columns, block.elements);
  const auto fit = k_fit(block, spec.grid);
  if (!fit || !grid_fits(block, spec.grid))
    return fmt::format("{} has levels from {:g} to {:g} in steps of {:g}, the block has {}", spec.grid.name(),
                       spec.grid.level(spec.grid.lo()), spec.grid.level(spec.grid.hi()), spec.grid.mean_step(),
                       block_levels_text(block));
  if (!format_fits(block, *fit, spec.scale_format))
    return fmt::format("scale_format {} does not fit: a block keeps {}", scale_format_name(spec.scale_format),
                       scale_format_name(block.scale_format));
  if (!group_fits(block, spec))
    return fmt::format("{} weights share a scale of format {} in a block, {} in a group",
                       group_of(block, spec.scale_format), scale_format_name(spec.scale_format), spec.granularity.size);
  if (!block.low && spec.scale_rule == ScaleRule::kAbsmaxSigned)
    return "its scales have no sign, which scale absmax_signed needs";
  return std::nullopt;
}

std::optional<QuantSpec> nearest_block_spec(const KBlock& block, const QuantSpec& spec, int64_t columns) {
  if (columns % block.elements != 0) return std::nullopt;
  QuantSpec near = spec;
  near.rotation = Rotation::kNone;
  if (!grid_fits(block, near.grid)) near.grid = nearest_grid(block, near.grid);
  if (!format_fits(block, *k_fit(block, near.grid), near.scale_format)) near.scale_format = block.scale_format;
  const bool two_levels = near.scale_format == block.scale_format;
  if (!group_fits(block, near) || (two_levels && two_level_problem(near)))
    near.granularity = {GranularityKind::kGroup, group_of(block, near.scale_format)};
  const bool signless = !block.low && near.scale_rule == ScaleRule::kAbsmaxSigned;
  if (signless || spec_problem(near)) near.scale_rule = fitting_rule(near.grid, ScaleRule::kAbsmax);
  return near;
}

bool keeps_super_scale(const KBlock& block, const KFit& fit, float d) {
  return is_half(d * fit.factor) && (block.low || is_half(-fit.low * d));
}

}  // namespace detent
