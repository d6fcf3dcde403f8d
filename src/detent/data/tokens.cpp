#include "detent/data/tokens.h"

namespace detent {

std::vector<int32_t> Tokens::read(int64_t first, int64_t count) const {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  read(first, ids);
  return ids;
}

int64_t Tokens::documents() const {
  const auto ends = document_ends();
  return ends.empty() ? int64_t{size() > 0} : static_cast<int64_t>(ends.size());
}

TokenRange Tokens::document(int64_t index) const {
  const auto ends = document_ends();
  if (ends.empty()) return {0, static_cast<uint64_t>(size())};
  const auto i = static_cast<size_t>(index);
  return {i == 0 ? 0 : ends[i - 1], ends[i]};
}

std::vector<TokenRange> Tokens::scored_in(int64_t first, int64_t count) const {
  const TokenRange wanted{static_cast<uint64_t>(first), static_cast<uint64_t>(first + count)};
  const auto ranges = scored();
  if (ranges.empty())
    return count > 0 ? std::vector{TokenRange{0, static_cast<uint64_t>(count)}} : std::vector<TokenRange>{};
  std::vector<TokenRange> found;
  auto range = std::upper_bound(ranges.begin(), ranges.end(), wanted.begin,
                                [](uint64_t at, const TokenRange& r) { return at < r.end; });
  for (; range != ranges.end() && range->begin < wanted.end; ++range)
    found.push_back(
        {std::max(range->begin, wanted.begin) - wanted.begin, std::min(range->end, wanted.end) - wanted.begin});
  return found;
}

int64_t Tokens::count_scored(int64_t first, int64_t count) const {
  int64_t sum = 0;
  for (const TokenRange& range : scored_in(first, count)) sum += static_cast<int64_t>(range.end - range.begin);
  return sum;
}

}  // namespace detent
