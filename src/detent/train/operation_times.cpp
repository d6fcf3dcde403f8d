#include "detent/train/operation_times.h"

namespace detent {

namespace {

std::string kind_of(const std::string& name) {
  for (const char* part : {"linear", "matmul", "::mm", "::bmm", "addmm"})
    if (name.find(part) != std::string::npos) return "float products";
  return name.find("attention") != std::string::npos ? "attention" : "other ATen";
}

// The engine's steps contain operations and are none.
bool counts(const at::RecordFunction& function) { return !std::string_view(function.name()).starts_with("autograd::"); }

}  // namespace

OperationTimes::OperationTimes() {
  seconds_.clear();
  depth_ = 0;
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&enter, &leave).scopes({at::RecordScope::FUNCTION}));
}

OperationTimes::~OperationTimes() { at::removeCallback(handle_); }

std::unique_ptr<at::ObserverContext> OperationTimes::enter(const at::RecordFunction& function) {
  if (counts(function) && depth_++ == 0) begin_ = std::chrono::steady_clock::now();
  return nullptr;
}

void OperationTimes::leave(const at::RecordFunction& function, at::ObserverContext*) {
  if (counts(function) && --depth_ == 0)
    seconds_[kind_of(function.name())] +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

}  // namespace detent
