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

// tiny: hidden 128, 4 layers, vocabulary 257, 16 x 256 tokens; small: hidden 512, 8 layers, vocabulary 4096, 4 x 256
// tokens; quick: for tests. Arms by name, none for all; "fp32", the baseline of ratios, goes first where it is among
// them. Peaks are of the process: for the memory of one arm, run it alone.
struct StepBenchOptions {
  std::string shape = "tiny";
  std::vector<std::string> arms;
};
const std::vector<std::string>& step_bench_arms();
std::vector<StepBenchRow> bench_steps(const StepBenchOptions& options);

}  // namespace detent
