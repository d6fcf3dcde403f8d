// A sequence of token ids, wherever it is kept.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace detent {

class Tokens {
 public:
  virtual ~Tokens() = default;
  virtual int64_t size() const = 0;
  // Copies ids first .. first + out.size(); the caller keeps that range inside.
  virtual void read(int64_t first, std::span<int32_t> out) const = 0;
};

class TokensInMemory : public Tokens {
 public:
  explicit TokensInMemory(std::vector<int32_t> ids) : ids_(std::move(ids)) {}
  int64_t size() const override { return static_cast<int64_t>(ids_.size()); }
  void read(int64_t first, std::span<int32_t> out) const override {
    std::copy_n(ids_.begin() + first, out.size(), out.begin());
  }

 private:
  std::vector<int32_t> ids_;
};

}  // namespace detent
