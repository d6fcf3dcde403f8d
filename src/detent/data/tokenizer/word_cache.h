// The ids of words met before.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "detent/data/tokenizer/hash_table.h"

namespace detent {

// One place a hash; a new word takes the place of an older one there, so the memory is fixed: 2 MB.
class WordCache {
 public:
  static constexpr size_t kLongest = 30;

  // A word's place: valid until the next call of place().
  class Place {
   public:
    bool holds_word() const { return found_; }
    std::span<const int32_t> ids() const { return {entry_->ids, entry_->count}; }
    // Keeps the ids when they are few enough.
    void put(std::span<const int32_t> ids) {
      if (ids.size() > kMostIds) return;
      *entry_ = key_;
      entry_->count = static_cast<uint8_t>(ids.size());
      std::copy(ids.begin(), ids.end(), entry_->ids);
    }

   private:
    friend class WordCache;
    struct alignas(64) Entry {
      char word[kLongest];
      uint8_t size, count;
      int32_t ids[8];
    };
    Entry key_;
    Entry* entry_;
    bool found_;
  };

  // word is not empty and at most kLongest bytes.
  Place place(std::string_view word) {
    if (entries_.empty()) entries_.resize(kEntries);
    Place place;
    place.key_ = {};
    std::memcpy(place.key_.word, word.data(), word.size());
    place.key_.size = static_cast<uint8_t>(word.size());
    uint64_t words[4];
    std::memcpy(words, &place.key_, sizeof(words));  // the word and its size
    words[3] &= ~(uint64_t{0xFF} << 56);             // not the count
    const uint64_t hash = mix_bits(words[0] * 0x9E3779B97F4A7C15u + words[1] * 0xC2B2AE3D27D4EB4Fu +
                                   words[2] * 0x165667B19E3779F9u + words[3] * 0xD6E8FEB86659FD93u);
    place.entry_ = &entries_[hash % kEntries];
    place.found_ = std::memcmp(place.entry_, &place.key_, kLongest + 1) == 0;
    return place;
  }

 private:
  static constexpr size_t kMostIds = 8, kEntries = 1 << 15;
  std::vector<Place::Entry> entries_;
};

}  // namespace detent
