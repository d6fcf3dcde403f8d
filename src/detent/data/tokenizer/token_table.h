// Tokens by id, and ids by spelling.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace detent {

class TokenTable {
 public:
  enum class Added { kYes, kIdTaken, kSpellingTaken };
  Added add(std::string_view spelling, int32_t id);  // 0 <= id

  std::optional<int32_t> find(std::string_view spelling) const;
  bool has(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < spans_.size() && spans_[id].size != kAbsent;
  }
  std::string_view spelling(int32_t id) const {  // has(id)
    return std::string_view(bytes_).substr(spans_[id].begin, spans_[id].size);
  }
  int32_t end() const { return static_cast<int32_t>(spans_.size()); }  // the largest id and one
  size_t count() const { return count_; }

 private:
  static constexpr uint32_t kAbsent = UINT32_MAX;
  struct Span {
    uint64_t begin = 0;
    uint32_t size = kAbsent;
  };
  size_t slot_of(std::string_view spelling) const;
  void grow();

  std::string bytes_;
  std::vector<Span> spans_;     // by id
  std::vector<int32_t> slots_;  // ids, by hash; -1: free
  size_t count_ = 0;
};

}  // namespace detent
