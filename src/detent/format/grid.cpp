#include "detent/format/grid.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "detent/base/error.h"

namespace detent {

namespace {
struct KindRow {
  GridKind kind;
  const char* name;
  int min_bits, max_bits;
};
constexpr KindRow kKinds[] = {{GridKind::kInt, "int", 2, 8},         {GridKind::kIntHigh, "int_high", 2, 7},
                              {GridKind::kMidrise, "midrise", 1, 8}, {GridKind::kTernary, "ternary", 1, 8},
                              {GridKind::kBinary, "binary", 1, 8},   {GridKind::kE2M1, "e2m1", 1, 8}};

// Of the grids whose number of levels bits do not choose; 0 for the others.
int fixed_bits(GridKind kind) {
  if (kind == GridKind::kTernary) return 2;
  if (kind == GridKind::kE2M1) return 4;
  return kind == GridKind::kBinary ? 1 : 0;
}

// Steps of a half up to 2, of 1 up to 4, of 2 beyond: the largest of three lines.
float e2m1_level(int code) {
  const auto magnitude = static_cast<float>(std::abs(code));
  return std::copysign(std::max({magnitude / 2, magnitude - 2, 2 * magnitude - 8}), static_cast<float>(code));
}
}  // namespace

int Grid::lo() const {
  switch (kind) {
    case GridKind::kTernary:
      return -1;
    case GridKind::kBinary:
      return -1;
    case GridKind::kIntHigh:
      return -(1 << (bits - 1)) + 1;
    case GridKind::kE2M1:
      return -7;
    default:
      return -(1 << (bits - 1));
  }
}

int Grid::hi() const {
  switch (kind) {
    case GridKind::kTernary:
      return 1;
    case GridKind::kBinary:
      return 0;
    case GridKind::kIntHigh:
      return 1 << (bits - 1);
    case GridKind::kE2M1:
      return 7;
    default:
      return (1 << (bits - 1)) - 1;
  }
}

float Grid::offset() const { return kind == GridKind::kMidrise || kind == GridKind::kBinary ? 0.5f : 0.0f; }

float Grid::stride() const { return kind == GridKind::kBinary ? 2.0f : 1.0f; }

float Grid::level(int code) const {
  return uniform() ? stride() * (static_cast<float>(code) + offset()) : e2m1_level(code);
}

float Grid::symmetric_top() const { return std::fmin(std::fabs(level(lo())), std::fabs(level(hi()))); }

double Grid::effective_bits() const { return std::log2(level_count()); }

std::string Grid::name() const {
  return fixed_bits(kind) > 0 ? grid_kind_name(kind) : fmt::format("{}{}", grid_kind_name(kind), bits);
}

const std::vector<std::string>& grid_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const KindRow& row : kKinds) all.emplace_back(row.name);
    return all;
  }();
  return names;
}

GridKind parse_grid_kind(const std::string& name) {
  for (const KindRow& row : kKinds)
    if (name == row.name) return row.kind;
  fail("[grid] unknown grid '{}'; known: {}", name, fmt::join(grid_names(), ", "));
}

std::string grid_kind_name(GridKind kind) { return kKinds[static_cast<int>(kind)].name; }

Grid make_grid(const std::string& kind_name, int bits) {
  const KindRow& row = kKinds[static_cast<int>(parse_grid_kind(kind_name))];
  if (bits < row.min_bits || bits > row.max_bits)
    fail("[grid] {} has {} to {} bits: got {}", kind_name, row.min_bits, row.max_bits, bits);
  return {row.kind, fixed_bits(row.kind) > 0 ? fixed_bits(row.kind) : bits};
}

}  // namespace detent
