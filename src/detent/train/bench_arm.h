// One model with its quantizers and optimizer, taking training steps on a fixed batch, for benchmarks.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "detent/data/batch.h"
#include "detent/models/causal_lm.h"
#include "detent/optim/optimizer.h"
#include "detent/qat/attach.h"
#include "detent/train/speed_of_light.h"

namespace detent {

struct ArmKind {
  std::string name, quant;  // the quant block; empty: full precision
};
const std::vector<ArmKind>& arm_kinds();
const ArmKind& arm_kind(const std::string& name);

struct StepShape {
  DecoderConfig config;
  int64_t rows, columns;
  std::string name() const;
};
StepShape step_shape(const std::string& name);  // tiny, small, quick

// Seconds. Output: the output layer with its loss, forward and backward; backward: of everything before it.
struct StepTimes {
  double forward = 0, output = 0, backward = 0, norm = 0, optimizer = 0;
  double total() const { return forward + output + backward + norm + optimizer; }
};
// Bytes held between steps.
struct HeldBytes {
  double weights = 0, gradients = 0, optimizer = 0;
};

class BenchArm {
 public:
  BenchArm(const ArmKind& kind, const StepShape& shape);
  StepTimes step();
  double evaluation();  // seconds
  // Seconds of one step by kind of operation: float products, attention, ATen's other operations, and the rest, which
  // is the program's other kernels and the autograd engine.
  std::map<std::string, double> step_by_operation();
  HeldBytes held();
  StepWork work();  // of one step

 private:
  StepTimes take_step();
  double output_seconds();
  void clear_gradients();
  CausalLm model_;
  Batch batch_;
  QuantizedModel quantized_;
  std::unique_ptr<Optimizer> optimizer_;
  int64_t t_ = 0;
};

double median_of(std::vector<double> values);

}  // namespace detent
