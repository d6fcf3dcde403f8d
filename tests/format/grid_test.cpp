#include "detent/format/grid.h"

#include <gtest/gtest.h>

#include <cmath>

#include "detent/base/error.h"

namespace detent {
namespace {

std::vector<float> levels(const Grid& grid) {
  std::vector<float> all;
  for (int code = grid.lo(); code <= grid.hi(); ++code) all.push_back(grid.level(code));
  return all;
}

TEST(Grid, Levels) {
  EXPECT_EQ(levels({GridKind::kInt, 2}), (std::vector<float>{-2, -1, 0, 1}));
  EXPECT_EQ(levels({GridKind::kIntHigh, 2}), (std::vector<float>{-1, 0, 1, 2}));
  EXPECT_EQ(levels({GridKind::kMidrise, 2}), (std::vector<float>{-1.5f, -0.5f, 0.5f, 1.5f}));
  EXPECT_EQ(levels({GridKind::kMidrise, 1}), (std::vector<float>{-0.5f, 0.5f}));
  EXPECT_EQ(levels({GridKind::kTernary, 7}), (std::vector<float>{-1, 0, 1}));
  EXPECT_EQ(levels({GridKind::kBinary, 7}), (std::vector<float>{-1, 1}));
  EXPECT_EQ(levels({GridKind::kE2M1, 4}),
            (std::vector<float>{-6, -4, -3, -2, -1.5f, -1, -0.5f, 0, 0.5f, 1, 1.5f, 2, 3, 4, 6}));
  EXPECT_FALSE(std::signbit(Grid{GridKind::kE2M1}.level(0)));
}

TEST(Grid, SizesAndTops) {
  for (int bits = 2; bits <= 7; ++bits)
    for (const char* kind : {"int", "int_high", "midrise"}) {
      const Grid grid = make_grid(kind, bits);
      EXPECT_EQ(grid.level_count(), 1 << bits) << grid.name();
      EXPECT_EQ(grid.effective_bits(), bits) << grid.name();
      const float top = std::exp2(static_cast<float>(bits - 1)) - (grid.kind == GridKind::kMidrise ? 0.5f : 1.0f);
      EXPECT_EQ(grid.symmetric_top(), top) << grid.name();
      EXPECT_GE(grid.lo(), -128);
      EXPECT_LE(grid.hi(), 127);
    }
  EXPECT_EQ(make_grid("ternary", 2).symmetric_top(), 1);
  EXPECT_EQ(make_grid("binary", 1).symmetric_top(), 1);
  EXPECT_EQ(make_grid("e2m1", 7), make_grid("e2m1", 4));
  EXPECT_EQ(make_grid("e2m1", 4).symmetric_top(), 6);
  EXPECT_EQ(make_grid("e2m1", 4).top_step(), 2);
  EXPECT_FLOAT_EQ(make_grid("e2m1", 4).mean_step(), 12.0f / 14);
  EXPECT_EQ(make_grid("binary", 1).top_step(), 2);
  EXPECT_EQ(make_grid("midrise", 3).mean_step(), 1);
}

TEST(Grid, Names) {
  EXPECT_EQ(make_grid("int", 4).name(), "int4");
  EXPECT_EQ(make_grid("int_high", 2).name(), "int_high2");
  EXPECT_EQ(make_grid("ternary", 2).name(), "ternary");
  for (const std::string& name : grid_names()) EXPECT_EQ(grid_kind_name(parse_grid_kind(name)), name);
  EXPECT_THROW(parse_grid_kind("float"), Error);
  EXPECT_THROW(make_grid("int", 1), Error);
  EXPECT_THROW(make_grid("int", 9), Error);
  EXPECT_THROW(make_grid("int_high", 8), Error);  // its highest code would not fit int8
  EXPECT_THROW(make_grid("midrise", 0), Error);
}

}  // namespace
}  // namespace detent
