#include "detent/data/packing.h"

#include <map>
#include <numeric>

namespace detent {

PackingCounts& PackingCounts::operator+=(const PackingCounts& other) {
  documents += other.documents;
  cut += other.cut;
  single += other.single;
  unscored += other.unscored;
  targets += other.targets;
  positions += other.positions;
  return *this;
}

Windows::Windows(const Tokens& tokens, Packing packing, int64_t length)
    : length_(length), targets_(std::max<int64_t>(tokens.size() - 1, 0)) {
  counts_.documents = tokens.documents();
  if (packing == Packing::kDocuments) {
    cut_documents(tokens);
  } else if (!tokens.scored().empty()) {
    keep_scored_windows(tokens);
  } else {
    size_ = targets_ / length_ + (targets_ % length_ != 0);
    counts_.targets = counts_.positions = targets_;
  }
}

Piece Windows::stream_window(int64_t number) const {
  const int64_t first = number * length_;
  return {first, std::min(length_, targets_ - first)};
}

std::vector<Piece> Windows::pieces(int64_t window) const {
  if (starts_.empty()) return {stream_window(window)};
  return {pieces_.begin() + starts_[window], pieces_.begin() + starts_[window + 1]};
}

// Whether a target in the piece is scored; counts it either way.
bool Windows::take_scored(const Tokens& tokens, const Piece& piece) {
  const int64_t scored = tokens.count_scored(piece.first + 1, piece.length);
  counts_.targets += scored;
  if (scored > 0) counts_.positions += piece.length;
  if (scored == 0) ++counts_.unscored;
  return scored > 0;
}

void Windows::keep_scored_windows(const Tokens& tokens) {
  for (int64_t number = 0; number * length_ < targets_; ++number) {
    const Piece window = stream_window(number);
    if (take_scored(tokens, window)) pieces_.push_back(window);
  }
  size_ = static_cast<int64_t>(pieces_.size());
  starts_.resize(pieces_.size() + 1);
  std::iota(starts_.begin(), starts_.end(), 0);
}

void Windows::cut_documents(const Tokens& tokens) {
  std::vector<Piece> pieces;
  for (int64_t i = 0; i < tokens.documents(); ++i) {
    const TokenRange document = tokens.document(i);
    const auto begin = static_cast<int64_t>(document.begin), positions = static_cast<int64_t>(document.end) - begin - 1;
    counts_.cut += positions > length_;
    counts_.single += positions == 0;
    for (int64_t at = 0; at < positions; at += length_) {
      const Piece piece{begin + at, std::min(length_, positions - at)};
      if (take_scored(tokens, piece)) pieces.push_back(piece);
    }
  }
  pack(std::move(pieces));
}

void Windows::pack(std::vector<Piece> pieces) {
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.length > b.length; });
  std::map<int64_t, std::vector<int64_t>> open;  // windows by the room they have left
  std::vector<int64_t> window_of(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto tightest = open.lower_bound(pieces[i].length);
    int64_t room = length_;
    if (tightest == open.end()) {
      window_of[i] = size_++;
    } else {
      room = tightest->first;
      window_of[i] = tightest->second.back();
      tightest->second.pop_back();
      if (tightest->second.empty()) open.erase(tightest);
    }
    if (room > pieces[i].length) open[room - pieces[i].length].push_back(window_of[i]);
  }
  // The pieces of each window next to each other, longest first.
  starts_.assign(size_ + 1, 0);
  for (const int64_t window : window_of) ++starts_[window + 1];
  std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
  pieces_.resize(pieces.size());
  std::vector<int64_t> next(starts_.begin(), starts_.end() - 1);
  for (size_t i = 0; i < pieces.size(); ++i) pieces_[next[window_of[i]]++] = pieces[i];
}

}  // namespace detent
