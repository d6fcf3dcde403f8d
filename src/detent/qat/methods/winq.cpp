// WinQ's entry; noise is added in qat/quantizer_rule.cpp, resets are the optimizer's pull_towards.
#include "detent/qat/winq.h"

#include "detent/qat/method.h"

namespace detent {

extern const MethodEntry method_winq;
const MethodEntry method_winq = {
    MethodKind::kNoiseAndReset, "noise before quantization and periodic resets of the weights towards the grid",
    "arXiv 2605.17471",         "every surrogate, on grid and scale pairs with a fixed point; top-level block winq",
    option_rows<WinqOptions>,   nullptr};

}  // namespace detent
