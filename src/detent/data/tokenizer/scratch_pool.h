// Objects that threads borrow, so that a const function can have working memory.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

namespace detent {

template <class T>
class ScratchPool {
 public:
  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(pool), held_(pool.take()) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_.give_back(std::move(held_)); }
    T& operator*() const { return *held_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<T> held_;
  };

 private:
  std::unique_ptr<T> take() {
    const std::lock_guard guard(mutex_);
    if (free_.empty()) return std::make_unique<T>();
    std::unique_ptr<T> taken = std::move(free_.back());
    free_.pop_back();
    return taken;
  }
  void give_back(std::unique_ptr<T> held) {
    const std::lock_guard guard(mutex_);
    free_.push_back(std::move(held));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
};

}  // namespace detent
