#include "detent/deploy/grid_detect.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "detent/deploy/recover.h"
#include "detent/quant/quantizer.h"

namespace detent {

namespace {

constexpr int64_t kSample = 64;  // groups looked at before the whole tensor is

// The levels of one group, in units of the largest scale that gives them all.
struct GroupShape {
  int low = 0, high = 0;
  uint32_t magnitudes = 0;  // bit m: a level of this magnitude; the last for all beyond
  bool odd = true;
  bool has_zero = false;     // whose sign tells the scale's
  bool mixed_zeros = false;  // zeros of both signs tell nothing
};

bool has_mixed_zeros(std::span<const float> values) {
  bool positive = false, negative = false;
  for (const float value : values) {
    positive |= value == 0 && !std::signbit(value);
    negative |= value == 0 && std::signbit(value);
  }
  return positive && negative;
}

std::optional<GroupShape> shape_of(std::span<const float> values) {
  GroupShape shape;
  shape.mixed_zeros = has_mixed_zeros(values);
  const auto scale = recover_scale(values, {{-255, 255}, nullptr, shape.mixed_zeros});
  if (!scale) return std::nullopt;
  if (*scale == 0) return shape;
  for (const float value : values) {
    const int level = static_cast<int>(std::nearbyint(value / *scale));
    shape.low = std::min(shape.low, level);
    shape.high = std::max(shape.high, level);
    shape.odd &= level % 2 != 0;
    shape.magnitudes |= uint32_t{1} << std::min(std::abs(level), 31);
    shape.has_zero |= level == 0 && !shape.mixed_zeros;
  }
  return shape;
}

// Integer levels: halves count double.
LevelSet levels_of(const Grid& grid) {
  if (!grid.uniform()) return {-12, 12, LevelSet::kTwiceE2M1};
  const float unit = grid.kind == GridKind::kMidrise ? 2 : 1;
  return {static_cast<int>(unit * grid.level(grid.lo())), static_cast<int>(unit * grid.level(grid.hi())),
          grid.offset() != 0 ? LevelSet::kOdd : LevelSet::kAll};
}

// Some multiple of every level is a level of E2M1.
bool fits_e2m1(const GroupShape& shape, const LevelSet& set) {
  for (const int factor : {1, 2, 3, 4, 6, 8, 12}) {
    bool all = true;
    for (int m = 0; m < 32; ++m) all &= (shape.magnitudes >> m & 1) == 0 || set.has(factor * m);
    if (all) return true;
  }
  return false;
}

bool fits(const GroupShape& shape, const Grid& grid) {
  const LevelSet range = levels_of(grid);
  if (range.kind == LevelSet::kTwiceE2M1) return fits_e2m1(shape, range);
  if (range.kind == LevelSet::kOdd && !shape.odd) return false;
  if (shape.low >= range.low && shape.high <= range.high) return true;
  return !shape.has_zero && -shape.high >= range.low && -shape.low <= range.high;  // under a negative scale
}

// Fewest levels first.
const std::vector<Grid>& candidates() {
  static const std::vector<Grid> grids = [] {
    std::vector<Grid> all = {make_grid("binary", 1), make_grid("ternary", 2)};
    for (int bits = 2; bits <= 8; ++bits)
      for (const char* kind : {"int", "int_high", "midrise"})
        if (bits < 8 || kind != std::string("int_high")) all.push_back(make_grid(kind, bits));
    const auto fewer_levels = [](const Grid& a, const Grid& b) { return a.level_count() < b.level_count(); };
    const Grid e2m1 = make_grid("e2m1", 4);
    all.insert(std::upper_bound(all.begin(), all.end(), e2m1, fewer_levels), e2m1);
    return all;
  }();
  return grids;
}

struct Count {
  std::vector<int64_t> on_grid = std::vector<int64_t>(candidates().size());
  int64_t groups = 0, mixed_zeros = 0;

  void add(std::span<const float> values) {
    ++groups;
    const auto shape = shape_of(values);
    if (!shape) return;
    mixed_zeros += shape->mixed_zeros;
    for (size_t i = 0; i < on_grid.size(); ++i) on_grid[i] += fits(*shape, candidates()[i]);
  }
  size_t best() const { return std::max_element(on_grid.begin(), on_grid.end()) - on_grid.begin(); }
  double fraction() const { return static_cast<double>(on_grid[best()]) / static_cast<double>(groups); }
};

Count count_groups(const at::Tensor& values, int64_t group, int64_t stride) {
  Count count;
  for (int64_t first = 0; first < values.numel(); first += group * stride)
    count.add({values.const_data_ptr<float>() + first, static_cast<size_t>(group)});
  return count;
}

std::vector<Granularity> granularities(int64_t columns) {
  std::vector<Granularity> all = {{GranularityKind::kRow, 0}};
  for (const int64_t size : {256, 128, 64, 32})
    if (size < columns && columns % size == 0) all.push_back({GranularityKind::kGroup, size});
  return all;
}

// Narrowest format first: its scales are also those of a wider one.
void find_rule(const at::Tensor& values, DetectedGrid& found) {
  for (const ScaleFormat format : {ScaleFormat::kE8M0, ScaleFormat::kFp16Bf16, ScaleFormat::kFp16, ScaleFormat::kFp32})
    for (const ScaleRule rule :
         {ScaleRule::kAbsmaxSigned, ScaleRule::kAbsmax, ScaleRule::kAbsmaxFull, ScaleRule::kRms, ScaleRule::kMean}) {
      const QuantSpec spec{found.grid, found.granularity, rule, format};
      if (spec_problem(spec) || !at::equal(quantized_value(values, spec), values)) continue;
      found.scale_rule = rule;
      found.scale_format = format;
      return;
    }
}

bool has_half_scales(const at::Tensor& values, int64_t group, const Grid& grid) {
  const GridSearch search{levels_of(grid), is_half, true};
  for (int64_t first = 0; first < values.numel(); first += group)
    if (!recover_scale({values.const_data_ptr<float>() + first, static_cast<size_t>(group)}, search)) return false;
  return true;
}

}  // namespace

std::optional<DetectedGrid> detect_grid(const at::Tensor& matrix) {
  if (matrix.dim() < 2 || matrix.numel() == 0) return std::nullopt;
  const at::Tensor values = matrix.contiguous();
  const int64_t columns = values.size(-1), rows = values.numel() / columns;
  std::optional<DetectedGrid> best;
  for (const Granularity& granularity : granularities(columns)) {
    const int64_t group = granularity.group_length(rows, columns), groups = values.numel() / group;
    if (count_groups(values, group, std::max<int64_t>(1, groups / kSample)).fraction() < 0.5) continue;
    const Count count = count_groups(values, group, 1);
    if (count.fraction() < 0.5 || (best && count.fraction() <= best->exact_fraction)) continue;
    best = {candidates()[count.best()], granularity,  count.fraction(),
            ScaleFormat::kFp32,         std::nullopt, count.mixed_zeros > 0};
    if (best->exact_fraction == 1) break;
  }
  if (!best || best->exact_fraction < 1) return best;
  if (has_half_scales(values, best->granularity.group_length(rows, columns), best->grid))
    best->scale_format = ScaleFormat::kFp16;
  find_rule(values, *best);
  return best;
}

}  // namespace detent
