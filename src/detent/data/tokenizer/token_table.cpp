#include "detent/data/tokenizer/token_table.h"

#include "detent/data/tokenizer/hash_table.h"

namespace detent {

// Where spelling is, or the free slot where it belongs.
size_t TokenTable::slot_of(std::string_view wanted) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = hash_of(wanted) & mask;
  while (slots_[slot] >= 0 && spelling(slots_[slot]) != wanted) slot = (slot + 1) & mask;
  return slot;
}

void TokenTable::grow() {
  slots_.assign(slots_.empty() ? 16 : 2 * slots_.size(), -1);
  for (int32_t id = 0; id < end(); ++id)
    if (has(id)) slots_[slot_of(spelling(id))] = id;
}

TokenTable::Added TokenTable::add(std::string_view spelling, int32_t id) {
  if (has(id)) return Added::kIdTaken;
  if (2 * (count_ + 1) > slots_.size()) grow();
  const size_t slot = slot_of(spelling);
  if (slots_[slot] >= 0) return Added::kSpellingTaken;
  if (static_cast<size_t>(id) >= spans_.size()) spans_.resize(static_cast<size_t>(id) + 1);
  spans_[id] = {bytes_.size(), static_cast<uint32_t>(spelling.size())};
  bytes_ += spelling;
  slots_[slot] = id;
  ++count_;
  return Added::kYes;
}

std::optional<int32_t> TokenTable::find(std::string_view wanted) const {
  if (slots_.empty()) return std::nullopt;
  const int32_t id = slots_[slot_of(wanted)];
  return id < 0 ? std::nullopt : std::optional(id);
}

}  // namespace detent
