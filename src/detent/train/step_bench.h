// What quantization costs: training steps and evaluations with it against the same without, side by side in one run;
// and how a step's cost grows.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "detent/train/bench_arm.h"

namespace detent {

struct StepBenchRow {
  std::string name;   // "step quest_w4a4", "evaluation q4_0"
  std::string shape;  // "hidden 128, 4 layers, 16 x 256 tokens"
  int threads = 1;
  double seconds = 0;  // median
  // Steps only:
  StepTimes parts;                           // medians
  std::map<std::string, double> operations;  // seconds of one step, by kind of operation
  double share = 0;                          // its speed of light (train/speed_of_light.h)
  double peak_bytes = 0;                     // highest resident memory in the rounds of this row
  std::map<std::string, double> owners;      // whose bytes these are; only where one arm runs alone
  std::string baseline;
  double ratio = 0;  // median of paired seconds / baseline seconds
};

// tiny: hidden 128, 4 layers, vocabulary 257, 16 x 256 tokens; small: hidden 512, 8 layers, vocabulary 4096, 4 x 256
// tokens; quick: for tests. Arms by name, none for all; "fp32", the baseline of ratios, goes first where it is among
// them. Peaks are of the process: for the memory of one arm, run it alone. rounds: after one to warm up; 0: by shape.
struct StepBenchOptions {
  std::string shape = "tiny";
  std::vector<std::string> arms;
  int rounds = 0;
};
const std::vector<std::string>& step_bench_arms();
std::vector<StepBenchRow> bench_steps(const StepBenchOptions& options);

// Seconds of a W4A4 step (half rotated) and of a plain one at four sizes, everything else held.
struct ScalingRow {
  std::string arm, over;  // "tokens", "parameters"
  std::vector<double> size, seconds;
  double exponent = 0;  // of the least-squares line through the logarithms: 1 is linear
};
std::vector<ScalingRow> bench_scaling(bool quick);

}  // namespace detent
