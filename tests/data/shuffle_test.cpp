#include "detent/data/shuffle.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <vector>

#include "detent/base/json.h"
#include "tests/io/support.h"

namespace detent {
namespace {

std::vector<int64_t> order(uint64_t seed, int64_t epoch, int64_t size) {
  const Permutation permutation(seed, epoch, size);
  std::vector<int64_t> order(size);
  for (int64_t i = 0; i < size; ++i) order[i] = permutation(i);
  return order;
}

// 0 .. size-1, each exactly once.
bool is_bijection(std::vector<int64_t> order) {
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<int64_t>(i)) return false;
  return true;
}

TEST(Permutation, HoldsEveryElementOnce) {
  std::vector<int64_t> sizes{1000, 1009, 16381};
  for (int64_t size = 1; size <= 70; ++size) sizes.push_back(size);
  for (int bits = 7; bits <= 13; ++bits)
    for (int64_t offset : {-1, 0, 1}) sizes.push_back((int64_t{1} << bits) + offset);
  for (const int64_t size : sizes)
    for (const int64_t epoch : {0, 1}) EXPECT_TRUE(is_bijection(order(42, epoch, size))) << size;
}

TEST(Permutation, LargeSizesStayInRange) {
  for (const int64_t size : {(int64_t{1} << 32) - 1, (int64_t{1} << 32) + 1, (int64_t{1} << 40) + 5}) {
    const Permutation permutation(3, 0, size);
    for (const int64_t index : {int64_t{0}, size / 2, size - 1}) {
      EXPECT_GE(permutation(index), 0);
      EXPECT_LT(permutation(index), size);
    }
  }
}

TEST(Permutation, DiffersByEpochAndSeed) {
  EXPECT_NE(order(0, 0, 100), order(0, 1, 100));
  EXPECT_NE(order(0, 0, 100), order(1, 0, 100));
  EXPECT_NE(order(0, 0, 100), order(uint64_t{1} << 32, 0, 100));
  EXPECT_EQ(order(7, 3, 100), order(7, 3, 100));
}

TEST(Permutation, RefusesNothingToPermute) {
  EXPECT_THAT(io::test::error_of([] { Permutation(0, 0, 0); }), testing::HasSubstr("at least one"));
}

TEST(Permutation, AgreesWithItsRestatement) {
  const std::string path = DETENT_SOURCE_DIR "/tests/data/golden/shuffle.json";
  const nlohmann::json golden = parse_json(io::test::read_raw(path), path);
  for (const nlohmann::json& c : golden.at("cases")) {
    SCOPED_TRACE(c.at("size").dump());
    EXPECT_EQ(order(c.at("seed"), c.at("epoch"), c.at("size")), c.at("order").get<std::vector<int64_t>>());
  }
}

// Chi-square of counts that should be equal, in standard deviations above its mean. The seeds are fixed, so are the
// tests.
double excess(const std::map<std::vector<int64_t>, int>& counts, int outcomes, int draws) {
  const double expected = static_cast<double>(draws) / outcomes;
  double chi = (outcomes - static_cast<double>(counts.size())) * expected;  // outcomes never seen
  for (const auto& [outcome, count] : counts) chi += (count - expected) * (count - expected) / expected;
  return (chi - (outcomes - 1)) / std::sqrt(2.0 * (outcomes - 1));
}

TEST(Permutation, EveryElementComesFirstEquallyOften) {
  for (const int64_t size : {3, 4, 5, 10, 17}) {
    std::map<std::vector<int64_t>, int> first;
    for (int epoch = 0; epoch < 3000; ++epoch) ++first[{Permutation(1, epoch, size)(0)}];
    EXPECT_LT(excess(first, static_cast<int>(size), 3000), 5) << size;
  }
}

// With fewer than eight bits in the network, five elements exceed the bound.
TEST(Permutation, EveryOrderOfFewElementsIsEquallyLikely) {
  for (const auto& [size, orders, draws] : {std::tuple{2, 2, 1000}, {3, 6, 1000}, {4, 24, 2000}, {5, 120, 20000}}) {
    std::map<std::vector<int64_t>, int> seen;
    for (int epoch = 0; epoch < draws; ++epoch) ++seen[order(1, epoch, size)];
    EXPECT_LT(excess(seen, orders, draws), 5) << size;
  }
}

TEST(Permutation, NeighboursInOneOrderAreNotNeighbours) {
  const std::vector<int64_t> shuffled = order(0, 0, 10007);
  int64_t close = 0;
  for (size_t i = 1; i < shuffled.size(); ++i) close += std::abs(shuffled[i] - shuffled[i - 1]) <= 5;
  EXPECT_LT(close, 40);  // expected 10 of 10006
}

}  // namespace
}  // namespace detent
