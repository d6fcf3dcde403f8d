// Where the time of ATen's operations goes.
#pragma once
#include <ATen/record_function.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace detent {

// Listens to ATen's operations on this thread while it lives; an operation called by another counts for that one.
class OperationTimes {
 public:
  OperationTimes();
  ~OperationTimes();
  OperationTimes(const OperationTimes&) = delete;
  OperationTimes& operator=(const OperationTimes&) = delete;
  // By kind: "float products", "attention", "other ATen".
  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  static std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction& function);
  static void leave(const at::RecordFunction& function, at::ObserverContext*);
  at::CallbackHandle handle_;
  inline static thread_local int depth_ = 0;
  inline static thread_local std::chrono::steady_clock::time_point begin_;
  inline static thread_local std::map<std::string, double> seconds_;
};

}  // namespace detent
