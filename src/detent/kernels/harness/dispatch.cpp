#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/harness/dispatch.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include "detent/kernels/harness/dispatch.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
int64_t this_target() { return HWY_TARGET; }
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(this_target);

std::string dispatch_target() { return hwy::TargetName(HWY_DYNAMIC_DISPATCH(this_target)()); }

std::vector<DispatchTarget> dispatch_targets() {
  std::vector<DispatchTarget> targets;
  for (int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1) {
    const int64_t lowest = left & -left;  // a lower bit is a better instruction set
    targets.push_back({hwy::TargetName(lowest), lowest});
  }
  return targets;
}

ForceTarget::ForceTarget(const DispatchTarget& target) {
  hwy::SetSupportedTargetsForTest(target.bit);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

ForceTarget::~ForceTarget() {
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}
}  // namespace detent::kernels
#endif
