// What quantization costs: training steps and evaluations with it against the same without, side by side in one run.
#pragma once
#include <string>
#include <vector>

namespace detent {

struct StepBenchRow {
  std::string name;   // "step quest_w4a4", "evaluation q4_0"
  std::string shape;  // "hidden 128, 4 layers, 16 x 256 tokens"
  int threads = 1;
  double seconds = 0;                               // median
  double forward = 0, backward = 0, optimizer = 0;  // medians of the parts; steps only
  double peak_bytes = 0;                            // highest resident memory in the rounds of this row
  std::string baseline;
  double ratio = 0;  // median of paired seconds / baseline seconds
};

std::vector<StepBenchRow> bench_steps(bool quick);

}  // namespace detent
