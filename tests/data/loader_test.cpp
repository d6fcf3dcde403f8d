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

Loader two_shards(uint64_t seed = 5) { return Loader({ramp(0, 18), ramp(100, 9)}, {4, seed, kPad, Packing::kStream}); }

// Documents of these lengths; id = 100 * document + index.
std::shared_ptr<const Tokens> documents(const std::vector<int64_t>& lengths, std::vector<TokenRange> scored = {}) {
  std::vector<int32_t> ids;
  std::vector<uint64_t> ends;
  for (size_t d = 0; d < lengths.size(); ++d) {
    for (int64_t i = 0; i < lengths[d]; ++i) ids.push_back(static_cast<int32_t>(100 * d + i));
    ends.push_back(ids.size());
  }
  return std::make_shared<TokensInMemory>(std::move(ids), std::move(ends), std::move(scored));
}

bool operator==(const Batch& a, const Batch& b) {
  return a.inputs == b.inputs && a.targets == b.targets && a.segments == b.segments && a.rows == b.rows &&
         a.columns == b.columns && a.scored == b.scored;
}

TEST(Loader, TargetsAreTheInputsShiftedByOne) {
  Loader loader({ramp(0, 9)}, {4, 0, kPad, Packing::kStream});
  ASSERT_EQ(loader.windows(), 2);
  const Batch batch = loader.next(2);
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.columns, 4);
  EXPECT_EQ(batch.scored, 8);
  for (size_t i = 0; i < batch.inputs.size(); ++i) EXPECT_EQ(batch.targets[i], batch.inputs[i] + 1);
}

TEST(Loader, PaddingIsNotScoredAndTheMaskBelongsToTheTarget) {
  Loader loader({ramp(10, 4)}, {5, 0, kPad, Packing::kStream});
  const Batch batch = loader.next(1);
  EXPECT_THAT(batch.inputs, ElementsAre(10, 11, 12, kPad, kPad));
  EXPECT_THAT(batch.targets, ElementsAre(11, 12, 13, kNotScored, kNotScored));
  EXPECT_EQ(batch.scored, 3);
}

// Lengths around multiples of the window: every id but a shard's first is a target once an epoch.
TEST(Loader, NothingIsDroppedOrRepeated) {
  for (int64_t size = 2; size <= 26; ++size) {
    Loader loader({ramp(0, size), ramp(1000, 6)}, {4, 1, kPad, Packing::kStream});
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
  Loader loader({ramp(0, 41)}, {4, 77, kPad, Packing::kStream});
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
  EXPECT_THAT(error_of([] { Loader({ramp(0, 9)}, {0, 0, 0, Packing::kStream}); }), HasSubstr("sequence_length"));
  Loader loader = two_shards();
  EXPECT_THAT(error_of([&] { loader.next(8); }), HasSubstr("8 windows is larger than the data, 7 windows of 4 tokens"));
  EXPECT_THAT(error_of([&] { loader.next(0); }), HasSubstr("at least one"));
  for (const Cursor cursor : {Cursor{0, 8}, Cursor{-1, 0}, Cursor{0, -1}})
    EXPECT_THAT(error_of([&] { loader.seek(cursor); }), HasSubstr("the data has 7 windows"));
  EXPECT_EQ(loader.cursor(), (Cursor{0, 0}));
}

TEST(Loader, ShardsWithoutAWindowAreSkipped) {
  Loader loader({ramp(0, 0), ramp(5, 1), ramp(100, 5), ramp(7, 1)}, {2, 0, kPad, Packing::kStream});
  EXPECT_EQ(loader.windows(), 2);
  Batch batch = loader.next(2);
  std::sort(batch.inputs.begin(), batch.inputs.end());
  EXPECT_THAT(batch.inputs, ElementsAre(100, 101, 102, 103));
}

Loader packed(std::shared_ptr<const Tokens> tokens, int64_t length, uint64_t seed = 5) {
  return Loader({std::move(tokens)}, {length, seed, kPad, Packing::kDocuments});
}

TEST(PackedLoader, DocumentsStandSideBySideAndTargetsStayInside) {
  Loader loader = packed(documents({5, 3, 2}), 7);
  ASSERT_EQ(loader.windows(), 1);
  const Batch batch = loader.next(1);
  EXPECT_THAT(batch.inputs, ElementsAre(0, 1, 2, 3, 100, 101, 200));
  EXPECT_THAT(batch.targets, ElementsAre(1, 2, 3, 4, 101, 102, 201));
  EXPECT_THAT(batch.segments, ElementsAre(0, 0, 0, 0, 1, 1, 2));
  EXPECT_EQ(batch.scored, 7);
}

TEST(PackedLoader, OneDocumentThatFillsItsRowNeedsNoSegments) {
  Loader loader = packed(documents({6, 6}), 5);
  ASSERT_EQ(loader.windows(), 2);
  EXPECT_TRUE(loader.next(2).segments.empty());
}

TEST(PackedLoader, PaddingIsNoPartOfTheLastDocument) {
  Loader loader = packed(documents({5}), 6);
  EXPECT_THAT(loader.next(1).segments, ElementsAre(0, 0, 0, 0, 1, 1));
}

TEST(PackedLoader, LongDocumentsAreCutAndCounted) {
  Loader loader = packed(documents({12, 3}), 4);
  EXPECT_EQ(loader.counts().cut, 1);
  EXPECT_EQ(loader.counts().documents, 2);
  EXPECT_EQ(loader.counts().positions, 13);
  EXPECT_EQ(loader.tokens(), 13);
  ASSERT_EQ(loader.windows(), 4);  // 4 + 4 + 3 + 2
  std::map<int64_t, int64_t> target_of;
  const Batch epoch = loader.next(4);
  for (size_t i = 0; i < epoch.inputs.size(); ++i)
    if (epoch.targets[i] != kNotScored) target_of[epoch.inputs[i]] = epoch.targets[i];
  EXPECT_EQ(target_of.size(), 13u);
  for (const auto& [input, target] : target_of) EXPECT_EQ(target, input + 1);
}

// Random lengths: every id but a document's first is a target exactly once, next to its predecessor, in windows of
// which no two could be one, and segments change exactly where documents do.
TEST(PackedLoader, NothingIsLostOrMixed) {
  uint32_t random = 1;
  for (int round = 0; round < 60; ++round) {
    std::vector<int64_t> lengths;
    int64_t targets = 0, single = 0;
    for (int i = 0; i < 40; ++i) {
      random = random * 1664525 + 1013904223;
      lengths.push_back((random >> 16) % (i % 9 == 0 ? 60 : 14));
      targets += std::max<int64_t>(lengths.back() - 1, 0);
      single += lengths.back() == 1;
    }
    Loader loader = packed(documents(lengths), 16, round);
    const Batch epoch = loader.next(loader.windows());
    EXPECT_EQ(epoch.scored, targets);
    EXPECT_EQ(loader.counts().single, single);
    EXPECT_EQ(loader.counts().positions, targets);
    std::map<int64_t, int> seen;
    std::vector<int64_t> used;
    for (int64_t row = 0; row < epoch.rows; ++row) {
      int64_t filled = 0;
      for (int64_t i = row * 16; i < row * 16 + 16; ++i) {
        if (epoch.targets[i] == kNotScored) continue;
        ++filled;
        ++seen[epoch.targets[i]];
        ASSERT_EQ(epoch.targets[i], epoch.inputs[i] + 1);
        if (i == row * 16 || epoch.segments.empty()) continue;
        ASSERT_EQ(epoch.segments[i] != epoch.segments[i - 1], epoch.inputs[i] != epoch.inputs[i - 1] + 1);
      }
      ASSERT_GT(filled, 0);
      used.push_back(filled);
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), targets);
    std::sort(used.begin(), used.end());
    if (used.size() > 1) {
      EXPECT_GT(used[0] + used[1], 16);
    }
  }
}

TEST(PackedLoader, ResumesAnywhere) {
  const auto tokens = documents({5, 3, 2, 30, 1, 9, 9, 4});
  Loader whole = packed(tokens, 8);
  std::vector<Batch> stream;
  std::vector<Cursor> cursors;
  for (int i = 0; i < 12; ++i) {
    cursors.push_back(whole.cursor());
    stream.push_back(whole.next(3));
  }
  for (size_t start = 0; start < stream.size(); ++start) {
    Loader resumed = packed(tokens, 8);
    resumed.seek(cursors[start]);
    for (size_t i = start; i < stream.size(); ++i) ASSERT_TRUE(resumed.next(3) == stream[i]) << start;
  }
}

// The mask belongs to the target: the answer's first id is predicted from the id before it.
TEST(MaskedLoader, OnlyAnswersAreTargets) {
  const auto tokens = documents({6, 5}, {{2, 4}, {5, 6}, {9, 11}});
  Loader loader = packed(tokens, 9);
  const Batch batch = loader.next(1);
  EXPECT_THAT(batch.inputs, ElementsAre(0, 1, 2, 3, 4, 100, 101, 102, 103));
  EXPECT_THAT(batch.targets, ElementsAre(kNotScored, 2, 3, kNotScored, 5, kNotScored, kNotScored, 103, 104));
  EXPECT_EQ(batch.scored, 5);
  EXPECT_EQ(loader.tokens(), 5);
}

TEST(MaskedLoader, PartsWithoutAnAnswerAreLeftOutAndCounted) {
  const auto tokens = documents({13, 4}, {{6, 8}, {14, 15}});
  for (const Packing packing : {Packing::kDocuments, Packing::kStream}) {
    Loader loader({tokens}, {4, 0, kPad, packing});
    EXPECT_EQ(loader.windows(), 2);  // targets 5 to 8 and, of the second document, 14 to 16
    EXPECT_EQ(loader.counts().unscored, 2);
    EXPECT_EQ(loader.tokens(), 3);
    for (int64_t w = 0; w < loader.windows(); ++w) EXPECT_GT(loader.next(1).scored, 0);
  }
}

}  // namespace
}  // namespace detent
