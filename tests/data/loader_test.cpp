#include "detent/data/loader.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "detent/data/shuffle.h"
#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int32_t kPad = 9999;

// Ids first, first + 1, ...: an id tells where it came from, and the right target of id i is i + 1.
std::shared_ptr<const Tokens> ramp(int32_t first, int64_t size) {
  std::vector<int32_t> ids(size);
  std::iota(ids.begin(), ids.end(), first);
  return std::make_shared<TokensInMemory>(std::move(ids));
}

Loader two_shards(uint64_t seed = 5) { return Loader({ramp(0, 18), ramp(100, 9)}, {4, seed, kPad}); }

bool operator==(const Batch& a, const Batch& b) {
  return a.inputs == b.inputs && a.targets == b.targets && a.rows == b.rows && a.columns == b.columns &&
         a.scored == b.scored;
}

TEST(Loader, TargetsAreTheInputsShiftedByOne) {
  Loader loader({ramp(0, 9)}, {4, 0, kPad});
  ASSERT_EQ(loader.windows(), 2);
  const Batch batch = loader.next(2);
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.columns, 4);
  EXPECT_EQ(batch.scored, 8);
  for (size_t i = 0; i < batch.inputs.size(); ++i) EXPECT_EQ(batch.targets[i], batch.inputs[i] + 1);
}

TEST(Loader, PaddingIsNotScoredAndTheMaskBelongsToTheTarget) {
  Loader loader({ramp(10, 4)}, {5, 0, kPad});
  const Batch batch = loader.next(1);
  EXPECT_THAT(batch.inputs, ElementsAre(10, 11, 12, kPad, kPad));
  EXPECT_THAT(batch.targets, ElementsAre(11, 12, 13, kNotScored, kNotScored));
  EXPECT_EQ(batch.scored, 3);
}

// Lengths around multiples of the window: every id but a shard's first is a target once an epoch.
TEST(Loader, NothingIsDroppedOrRepeated) {
  for (int64_t size = 2; size <= 26; ++size) {
    Loader loader({ramp(0, size), ramp(1000, 6)}, {4, 1, kPad});
    std::map<int64_t, int> seen;
    const Batch epoch = loader.next(loader.windows());
    for (const int64_t target : epoch.targets) ++seen[target];
    seen.erase(kNotScored);
    EXPECT_EQ(static_cast<int64_t>(seen.size()), size - 1 + 5);
    EXPECT_EQ(seen.count(0) + seen.count(1000), 0u);
    for (const auto& [id, count] : seen) EXPECT_EQ(count, 1) << id;
    EXPECT_EQ(epoch.scored, loader.tokens());
    EXPECT_EQ(loader.cursor(), (Cursor{1, 0}));
  }
}

TEST(Loader, WindowsComeInTheOrderOfThePermutation) {
  Loader loader({ramp(0, 41)}, {4, 77, kPad});
  ASSERT_EQ(loader.windows(), 10);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    const Permutation order(77, epoch, 10);
    for (int64_t i = 0; i < 10; ++i) EXPECT_EQ(loader.next(1).inputs[0], order(i) * 4);
  }
}

// The stream from every cursor, over the second shard and into the third epoch, is the rest of the one stream.
TEST(Loader, ResumesAnywhere) {
  for (const int64_t batch_size : {1, 3, 7}) {
    Loader whole = two_shards();
    ASSERT_EQ(whole.windows(), 7);
    std::vector<Batch> stream;
    std::vector<Cursor> cursors;
    for (int64_t drawn = 0; drawn < 3 * whole.windows(); drawn += batch_size) {
      cursors.push_back(whole.cursor());
      stream.push_back(whole.next(batch_size));
    }
    for (size_t start = 0; start < stream.size(); ++start) {
      Loader resumed = two_shards();
      resumed.seek(cursors[start]);
      for (size_t i = start; i < stream.size(); ++i) ASSERT_TRUE(resumed.next(batch_size) == stream[i]) << start;
      EXPECT_EQ(resumed.cursor(), whole.cursor());
    }
  }
}

// Row r of the stream depends on how many rows came before, not on the size of the batches.
TEST(Loader, BatchSizeDoesNotChangeTheStream) {
  Loader ones = two_shards();
  Loader fives = two_shards();
  for (int i = 0; i < 4; ++i) {
    const Batch five = fives.next(5);
    for (int64_t row = 0; row < 5; ++row) {
      const Batch one = ones.next(1);
      EXPECT_TRUE(std::equal(one.inputs.begin(), one.inputs.end(), five.inputs.begin() + row * 4));
      EXPECT_TRUE(std::equal(one.targets.begin(), one.targets.end(), five.targets.begin() + row * 4));
    }
  }
}

TEST(Loader, AtDoesNotMove) {
  Loader loader = two_shards();
  const Batch ahead = loader.at({1, 3}, 2);
  EXPECT_EQ(loader.cursor(), (Cursor{0, 0}));
  loader.seek({1, 3});
  EXPECT_TRUE(loader.next(2) == ahead);
}

TEST(Loader, CursorAtTheEndOfAnEpochIsTheStartOfTheNext) {
  Loader loader = two_shards();
  loader.seek({0, 7});
  EXPECT_EQ(loader.cursor(), (Cursor{1, 0}));
  EXPECT_EQ(loader.after({0, 6}, 15), (Cursor{3, 0}));
}

TEST(Loader, RefusesWhatCannotBe) {
  EXPECT_THAT(error_of([] { Loader({}, {}); }), HasSubstr("fewer than two tokens"));
  EXPECT_THAT(error_of([] { Loader({ramp(0, 1), ramp(0, 0)}, {}); }), HasSubstr("fewer than two tokens"));
  EXPECT_THAT(error_of([] { Loader({ramp(0, 9)}, {0, 0, 0}); }), HasSubstr("sequence_length"));
  Loader loader = two_shards();
  EXPECT_THAT(error_of([&] { loader.next(8); }), HasSubstr("8 windows is larger than the data, 7 windows of 4 tokens"));
  EXPECT_THAT(error_of([&] { loader.next(0); }), HasSubstr("at least one"));
  for (const Cursor cursor : {Cursor{0, 8}, Cursor{-1, 0}, Cursor{0, -1}})
    EXPECT_THAT(error_of([&] { loader.seek(cursor); }), HasSubstr("the data has 7 windows"));
  EXPECT_EQ(loader.cursor(), (Cursor{0, 0}));
}

TEST(Loader, ShardsWithoutAWindowAreSkipped) {
  Loader loader({ramp(0, 0), ramp(5, 1), ramp(100, 5), ramp(7, 1)}, {2, 0, kPad});
  EXPECT_EQ(loader.windows(), 2);
  Batch batch = loader.next(2);
  std::sort(batch.inputs.begin(), batch.inputs.end());
  EXPECT_THAT(batch.inputs, ElementsAre(100, 101, 102, 103));
}

}  // namespace
}  // namespace detent
