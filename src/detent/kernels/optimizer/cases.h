#pragma once
#include <string>

#include "detent/kernels/harness/inputs.h"
#include "detent/kernels/optimizer/optimizer.h"

namespace detent::kernels {

// A step in the middle of a run, the first step, with gradient clipping, with a coupled term.
inline std::vector<AdamwCoefficients> adamw_cases() {
  return {{0.9999f, 0.1f, 0.999f, 0.001f, 1.2e-3f, 1e-8f, 1.0f},
          {1.0f, 0.1f, 0.95f, 0.05f, 2.2e-3f, 2.2e-9f, 1.0f},
          {0.9999f, 0.1f, 0.999f, 0.001f, 1.2e-3f, 1e-8f, 0.37f},
          {0.9999f, 0.1f, 0.999f, 0.001f, 1.2e-3f, 0.0f, 0.37f, 10.0f}};
}

inline std::vector<SgdCoefficients> sgd_cases() {
  std::vector<SgdCoefficients> cases;
  for (float momentum : {0.0f, 0.9f})
    for (bool nesterov : {false, true})
      for (bool first : {false, true})
        for (float coupled : {0.0f, 0.3f}) cases.push_back({0.1f, momentum, 1e-4f, 0.7f, nesterov, first, coupled});
  return cases;
}

}  // namespace detent::kernels
