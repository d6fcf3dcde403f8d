// Hash tables that never shrink, for pairs of ids and for strings: lookups without allocation.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace detent {

// splitmix64's finalizer (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
inline uint64_t mix_bits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

inline uint64_t hash_of(std::string_view text) {
  uint64_t hash = text.size();
  while (text.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    hash = mix_bits(hash ^ word);
    text.remove_prefix(8);
  }
  uint64_t word = 0;
  std::memcpy(&word, text.data(), text.size());
  return mix_bits(hash ^ word);
}

// Two 32-bit numbers to a value, found by linear probing.
template <class Value>
class PairTable {
 public:
  explicit PairTable(size_t expected = 0) { resize(expected); }

  const Value* find(int32_t a, int32_t b) const {
    const uint64_t key = key_of(a, b);
    for (size_t slot = mix_bits(key) & mask_;; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return &slots_[slot].value;
      if (slots_[slot].key == kFree) return nullptr;
    }
  }

  // The value of (a, b), made if missing. Neither is -1.
  Value& at(int32_t a, int32_t b) {
    if (2 * (size_ + 1) > slots_.size()) resize(2 * size_ + 2);
    const uint64_t key = key_of(a, b);
    size_t slot = mix_bits(key) & mask_;
    while (slots_[slot].key != key && slots_[slot].key != kFree) slot = (slot + 1) & mask_;
    if (slots_[slot].key == kFree) {
      slots_[slot].key = key;
      ++size_;
    }
    return slots_[slot].value;
  }

  size_t size() const { return size_; }

 private:
  static constexpr uint64_t kFree = ~uint64_t{0};
  struct Slot {
    uint64_t key = kFree;
    Value value{};
  };
  static uint64_t key_of(int32_t a, int32_t b) {
    return static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32 | static_cast<uint32_t>(b);
  }

  void resize(size_t expected) {
    size_t slots = 4;
    while (slots < 2 * expected) slots *= 2;
    std::vector<Slot> old(slots);
    old.swap(slots_);
    mask_ = slots - 1;
    size_ = 0;
    for (const Slot& slot : old)
      if (slot.key != kFree) at(static_cast<int32_t>(slot.key >> 32), static_cast<int32_t>(slot.key)) = slot.value;
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0, size_ = 0;
};

}  // namespace detent
