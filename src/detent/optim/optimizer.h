// AdamW and SGD over named parameters, one walk over each row: gradient scaling, moments, decay, update and the pull
// towards a target all happen while the row is in cache.
#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "detent/base/options.h"
#include "detent/optim/row_target.h"

namespace detent {

struct OptimizerOptions {
  std::string name = "adamw";
  double learning_rate = 1e-3;
  std::vector<double> betas = {0.9, 0.95};
  double epsilon = 1e-8;
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0.1;
  double max_grad_norm = 1.0;

  template <class V>
  void visit(V& v) {
    v.field("name", name, "adamw or sgd", Choices{"adamw", "sgd"});
    v.field("learning_rate", learning_rate, "peak learning rate", kPositive);
    v.field("betas", betas, "adamw: decay of the two moments");
    v.field("epsilon", epsilon, "adamw: added to the root of the second moment", kPositive);
    v.field("momentum", momentum, "sgd: momentum", Range{0, 1});
    v.field("nesterov", nesterov, "sgd: Nesterov's momentum");
    v.field("weight_decay", weight_decay, "decay of matrices: decoupled in adamw, added to the gradient in sgd",
            kNonNegative);
    v.field("max_grad_norm", max_grad_norm, "clip the global gradient norm; 0: never", kNonNegative);
  }
};
void check(const OptimizerOptions& options);

struct OptimizedParameter {
  std::string name;
  at::Tensor value;  // float32 leaf; its .grad() is the gradient (undefined: the parameter rests)
  double weight_decay = 0;
  double learning_rate_factor = 1;    // alpha-blending sets 1 - alpha; 0 freezes the parameter altogether
  std::shared_ptr<RowTarget> target;  // null: nothing pulls
};

// What pulls in this step; both act only on parameters with a target.
struct PullTerms {
  double decoupled = 0;  // w -= min(1, lr * decoupled) * (w - target(w)) with the updated w
  double coupled = 0;    // added to the gradient: coupled * (w - target(w)) with the w before the step
};

class Optimizer {
 public:
  explicit Optimizer(std::vector<OptimizedParameter> parameters) : parameters_(std::move(parameters)) {}
  virtual ~Optimizer() = default;
  // One step t = 1, 2, ... at learning rate lr; gradients are multiplied by gradient_scale first.
  void step(int64_t t, double lr, double gradient_scale, const PullTerms& pull);
  std::vector<OptimizedParameter>& parameters() { return parameters_; }
  // Moments by name ("adamw.m.<parameter>"), for checkpoints; the tensors are the live ones.
  virtual std::map<std::string, at::Tensor> state() = 0;

 protected:
  // Bound to one parameter and step: updates the elements [first, first + n) of it, or all of it where no kernel reads
  // it (optim/composite.h). target is null or undefined unless coupled.
  struct RowStep {
    virtual ~RowStep() = default;
    virtual void run(int64_t first, float* w, const float* g, const float* target, int64_t n) const = 0;
    virtual void run_whole(const at::Tensor& w, const at::Tensor& g, const at::Tensor& target) const = 0;
  };
  virtual std::unique_ptr<RowStep> row_step(size_t index, int64_t t, double lr, double gradient_scale,
                                            double coupled) = 0;
  std::vector<OptimizedParameter> parameters_;

 private:
  struct Walk;
  void step_parameter(OptimizedParameter& parameter, const RowStep& row_step, double lr, const PullTerms& pull);
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, std::vector<OptimizedParameter> parameters);

// Global 2-norm of all gradients, in double, the same for any thread count.
double gradient_norm(const std::vector<OptimizedParameter>& parameters);

}  // namespace detent
