#include "detent/optim/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "detent/base/aligned.h"
#include "detent/base/key_error.h"
#include "detent/kernels/optimizer/optimizer.h"
#include "detent/ops/device.h"
#include "detent/ops/fake_quant.h"
#include "detent/ops/share.h"
#include "detent/optim/composite.h"

namespace detent {

namespace {

class Adamw : public Optimizer {
 public:
  Adamw(const OptimizerOptions& options, std::vector<OptimizedParameter> parameters)
      : Optimizer(std::move(parameters)), options_(options) {
    for (const OptimizedParameter& p : parameters_) {
      m_.push_back(at::zeros_like(p.value));
      v_.push_back(at::zeros_like(p.value));
    }
  }

  std::map<std::string, at::Tensor> state() override {
    std::map<std::string, at::Tensor> all;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      all["adamw.m." + parameters_[i].name] = m_[i];
      all["adamw.v." + parameters_[i].name] = v_[i];
    }
    return all;
  }

 protected:
  struct Step : RowStep {
    kernels::AdamwCoefficients c;
    at::Tensor m, v;
    float *m_data, *v_data;
    void run(int64_t first, float* w, const float* g, const float* target, int64_t n) const override {
      kernels::adamw_row(c, w, g, m_data + first, v_data + first, target, n);
    }
    void run_whole(const at::Tensor& w, const at::Tensor& g, const at::Tensor& target) const override {
      composite::adamw(c, w, g, m, v, target);
    }
  };

  std::unique_ptr<RowStep> row_step(size_t i, int64_t t, double lr, double gradient_scale, double coupled) override {
    auto step = std::make_unique<Step>();
    step->c = kernels::adamw_coefficients(lr, parameters_[i].weight_decay, options_.betas[0], options_.betas[1],
                                          options_.epsilon, t);
    step->c.gradient_scale = static_cast<float>(gradient_scale);
    step->c.coupled = static_cast<float>(coupled);
    step->m = m_[i], step->v = v_[i];
    step->m_data = m_[i].data_ptr<float>(), step->v_data = v_[i].data_ptr<float>();
    return step;
  }

 private:
  OptimizerOptions options_;
  std::vector<at::Tensor> m_, v_;
};

class Sgd : public Optimizer {
 public:
  Sgd(const OptimizerOptions& options, std::vector<OptimizedParameter> parameters)
      : Optimizer(std::move(parameters)), options_(options) {
    for (const OptimizedParameter& p : parameters_)
      if (options_.momentum > 0) buffer_.push_back(at::zeros_like(p.value));
  }

  std::map<std::string, at::Tensor> state() override {
    std::map<std::string, at::Tensor> all;
    for (size_t i = 0; i < buffer_.size(); ++i) all["sgd.momentum." + parameters_[i].name] = buffer_[i];
    return all;
  }

 protected:
  struct Step : RowStep {
    kernels::SgdCoefficients c;
    at::Tensor buffer;
    float* data = nullptr;
    void run(int64_t first, float* w, const float* g, const float* target, int64_t n) const override {
      kernels::sgd_row(c, w, g, data ? data + first : nullptr, target, n);
    }
    void run_whole(const at::Tensor& w, const at::Tensor& g, const at::Tensor& target) const override {
      composite::sgd(c, w, g, buffer, target);
    }
  };

  // A zero buffer times the momentum plus g' is g', so the first step needs no special case here.
  std::unique_ptr<RowStep> row_step(size_t i, int64_t, double lr, double gradient_scale, double coupled) override {
    auto step = std::make_unique<Step>();
    step->c = {.lr = static_cast<float>(lr),
               .momentum = static_cast<float>(options_.momentum),
               .weight_decay = static_cast<float>(parameters_[i].weight_decay),
               .gradient_scale = static_cast<float>(gradient_scale),
               .nesterov = options_.nesterov,
               .coupled = static_cast<float>(coupled)};
    if (options_.momentum > 0) step->buffer = buffer_[i], step->data = buffer_[i].data_ptr<float>();
    return step;
  }

 private:
  OptimizerOptions options_;
  std::vector<at::Tensor> buffer_;
};

}  // namespace

void check(const OptimizerOptions& o) {
  if (o.betas.size() != 2) fail_key("optimizer.betas", "expects two numbers, got {}", o.betas.size());
  for (double beta : o.betas)
    if (!(beta >= 0 && beta < 1))
      fail_key("optimizer.betas", "= {} is out of range: it must be at least 0 and below 1", beta);
  if (o.nesterov && o.momentum == 0)
    fail_key("optimizer.nesterov", "has no effect with momentum: 0; raise momentum or drop it");
}

void Optimizer::step(int64_t t, double lr, double gradient_scale, const PullTerms& pull) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    OptimizedParameter& parameter = parameters_[i];
    const double rate = lr * parameter.learning_rate_factor;
    if (!parameter.value.grad().defined() || rate == 0) continue;
    step_parameter(parameter, *row_step(i, t, rate, gradient_scale, parameter.target ? pull.coupled : 0), rate, pull);
  }
}

// Over the rows of one parameter: each is stepped and pulled while it is in cache.
struct Optimizer::Walk {
  const RowStep& row_step;
  const RowTarget* target;
  float* w;
  const float* g;
  int64_t columns;
  bool coupled, pulls;
  float strength;

  void rows(int64_t first, int64_t last) const {
    AlignedVector<float> buffer(target ? 2 * columns : 0);
    const int64_t most = pulls ? kernels::rows_at_once(columns) : last - first;
    for (int64_t next = first, end; next < last; next = end) {
      end = std::min(last, next + most);
      coupled ? step_coupled(next, end, buffer.data()) : step_elements(next, end, nullptr);
      if (pulls) pull(next, end, buffer.data());
    }
  }

 private:
  void step_elements(int64_t first, int64_t last, const float* row_target) const {
    const int64_t at = first * columns;
    row_step.run(at, w + at, g + at, row_target, (last - first) * columns);
  }
  void step_coupled(int64_t first, int64_t last, float* buffer) const {
    for (int64_t r = first; r < last; ++r) {
      target->target(r, w + r * columns, buffer, buffer + columns);
      step_elements(r, r + 1, buffer);
    }
  }
  void pull(int64_t first, int64_t last, float* buffer) const {
    for (int64_t r = first; r < last; ++r) target->pull(r, w + r * columns, columns, strength, buffer);
  }
};

void Optimizer::step_parameter(OptimizedParameter& parameter, const RowStep& row_step, double lr,
                               const PullTerms& pull) {
  const at::Tensor gradient = parameter.value.grad().contiguous();
  RowTarget* target = parameter.target.get();
  const bool coupled = target && pull.coupled != 0, decoupled = target && pull.decoupled != 0;
  const bool in_cache = decoupled && !target->needs_whole_tensor();
  const float strength = static_cast<float>(std::min(1.0, lr * pull.decoupled));
  if (coupled || in_cache) target->prepare(parameter.value);
  if (!ops::has_kernels(parameter.value)) {
    row_step.run_whole(parameter.value, gradient, coupled ? target->whole(parameter.value) : at::Tensor());
    if (decoupled) pull_towards(parameter.value, *target, strength);
    return;
  }
  const ops::Rows shape = ops::rows_of(parameter.value);
  const Walk walk{.row_step = row_step,
                  .target = target,
                  .w = parameter.value.data_ptr<float>(),
                  .g = gradient.const_data_ptr<float>(),
                  .columns = shape.columns,
                  .coupled = coupled,
                  .pulls = in_cache,
                  .strength = strength};
  parameter.value.unsafeGetTensorImpl()->bump_version();  // whoever kept something made from it sees that it changed
  ops::for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) { walk.rows(first, last); });
  if (decoupled && !in_cache) pull_towards(parameter.value, *target, strength);
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, std::vector<OptimizedParameter> parameters) {
  check(options);
  if (options.name == "sgd") return std::make_unique<Sgd>(options, std::move(parameters));
  return std::make_unique<Adamw>(options, std::move(parameters));
}

namespace {

// Blocks of a fixed size, added up in order: no number of threads changes a bit.
double sum_squares(const at::Tensor& x) {
  constexpr int64_t kBlock = 1 << 17;
  const float* data = x.const_data_ptr<float>();
  std::vector<double> sums((x.numel() + kBlock - 1) / kBlock);
  ops::share(static_cast<int64_t>(sums.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      sums[i] = kernels::sum_squares(data + i * kBlock, std::min(kBlock, x.numel() - i * kBlock));
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

double gradient_norm(const std::vector<OptimizedParameter>& parameters) {
  double total = 0;
  std::vector<at::Tensor> elsewhere;  // sums that another device makes: fetched once, when all are on their way
  for (const OptimizedParameter& p : parameters) {
    if (!p.value.grad().defined()) continue;
    const at::Tensor g = p.value.grad().contiguous();
    if (ops::has_kernels(g))
      total += sum_squares(g);
    else
      elsewhere.push_back(composite::sum_squares(g));
  }
  if (!elsewhere.empty()) total += at::stack(elsewhere).sum().item<double>();
  return std::sqrt(total);
}

}  // namespace detent
