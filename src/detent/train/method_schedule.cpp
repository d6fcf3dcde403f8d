#include "detent/train/method_schedule.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "detent/base/key_error.h"
#include "detent/ops/fake_quant.h"
#include "detent/quant/quantizer.h"

namespace detent {

namespace {

void require_fixed_point(const QuantizedModel& model, const char* method) {
  for (const QuantizedLayer& layer : model.layers) {
    if (!layer.weight) continue;
    const QuantSpec& spec = layer.weight->spec();
    if (has_fixed_point(spec.grid, spec.scale_rule, spec.scale_format)) continue;
    fail_key(
        method,
        "pulls {}, which is quantized as {}, whose scale moves when the weights move to the grid, so the pull would "
        "not come to rest; use scale: learned, absmax (int, ternary, binary) or absmax_full (midrise)",
        layer.slot.name, spec.name());
  }
}

at::Tensor scales_of(const QuantizedLayer& layer) {
  const QuantSpec& spec = layer.weight->spec();
  if (layer.weight->has_learned()) return ops::learned_scales(layer.weight->learned().detach(), spec);
  return ops::dynamic_scales(layer.slot.parameter->detach(), spec);
}

// What a list in place of quant.skip's default does to the layers that the default names.
std::vector<std::string> skip_notes(const TrainConfig& config, const QuantizedModel& model) {
  std::vector<std::string> names;
  for (const QuantizedLayer& layer : model.layers) names.push_back(layer.slot.name);
  const auto found = config.quant ? quantized_by_skip(*config.quant, names) : std::vector<std::string>();
  if (found.empty()) return {};
  return {
      fmt::format("quant.skip: {} {} quantized too, because the list given replaces the default [{}]; add to it what "
                  "is to stay",
                  fmt::join(found, " and "), found.size() == 1 ? "is" : "are", fmt::join(QuantOptions().skip, ", "))};
}

}  // namespace

MethodSchedule::MethodSchedule(const TrainConfig& config, QuantizedModel& model, Optimizer& optimizer)
    : config_(config), model_(model), optimizer_(optimizer) {
  if (config.cage) require_fixed_point(model, "cage");
  if (config.winq && config.winq->every > 0 && config.winq->interpolation > 0) require_fixed_point(model, "winq");
  auto& parameters = optimizer.parameters();
  for (size_t i = 0; i < parameters.size() && config.alpha_blending; ++i)
    for (const QuantizedLayer& layer : model.layers)
      if (layer.weight && parameters[i].name == layer.slot.name) blended_.push_back(i);
}

double MethodSchedule::learning_rate(int64_t t) const {
  return config_.optimizer.learning_rate * learning_rate_share(config_.schedule, t, config_.train.steps);
}

void MethodSchedule::before_step(int64_t t) {
  Phase& phase = *model_.phase;
  if (config_.winq) {
    phase.noise = config_.winq->noise;
    phase.noise_scales = config_.winq->noise_scales;
  }
  if (!config_.alpha_blending) return;
  phase.blending = true;
  phase.blend = blend_at(*config_.alpha_blending, t, config_.train.steps);
  // The gradient carries 1 - alpha already; Adam's normalisation would cancel that, so the rate carries it there.
  const bool adaptive = config_.optimizer.name != "sgd";
  for (size_t i : blended_)
    optimizer_.parameters()[i].learning_rate_factor = phase.blend >= 1 ? 0 : adaptive ? 1 - phase.blend : 1;
}

double MethodSchedule::mean_half_step() const {
  double total = 0, count = 0;
  for (const QuantizedLayer& layer : model_.layers) {
    if (!layer.weight) continue;
    const auto elements = static_cast<double>(layer.slot.parameter->numel());
    total += elements * 0.5 * layer.weight->spec().grid.mean_step() *
             scales_of(layer).abs().to(at::kDouble).mean().item<double>();
    count += elements;
  }
  return count > 0 ? total / count : 0;
}

double MethodSchedule::sum_of_rates() const {
  double sum = 0;
  for (int64_t t = 1; t <= config_.train.steps; ++t)
    sum += learning_rate(t) * cage_ramp(*config_.cage, t, config_.train.steps);
  return sum;
}

PullTerms MethodSchedule::pull_terms(int64_t t) {
  if (!config_.cage) return {};
  const double ramp = cage_ramp(*config_.cage, t, config_.train.steps);
  if (ramp <= 0) return {};
  if (!lambda_) lambda_ = cage_size(*config_.cage, sum_of_rates(), mean_half_step()).lambda;
  const double now = *lambda_ * ramp;
  return config_.cage->mode == "coupled" ? PullTerms{0, now} : PullTerms{now, 0};
}

bool MethodSchedule::after_step(int64_t t) {
  for (const auto& [name, quantizer] : model_.learned()) quantizer->keep_learned_positive();
  if (!config_.winq || !config_.winq->resets_after(t)) return false;
  const at::NoGradGuard guard;
  for (OptimizedParameter& parameter : optimizer_.parameters())
    if (parameter.target) pull_towards(parameter.value, *parameter.target, config_.winq->interpolation);
  return true;
}

void MethodSchedule::describe(nlohmann::json& line, int64_t t) {
  if (config_.alpha_blending) line["alpha"] = model_.phase->blend;
  if (config_.cage) {
    const double ramp = cage_ramp(*config_.cage, t, config_.train.steps);
    line["lambda_t"] = lambda_ ? *lambda_ * ramp : 0.0;
    line["pull"] = lambda_ ? *lambda_ * ramp * mean_half_step() : 0.0;
  }
  GridDistance distance;
  int64_t moved = 0, count = 0;
  std::vector<at::Tensor> codes;
  for (const QuantizedLayer& layer : model_.layers) {
    if (!layer.weight) continue;
    const at::Tensor w = layer.slot.parameter->detach();
    const GridDistance part = distance_to_target(w, *make_quantized_target(layer.weight));
    distance.squared_error += part.squared_error;
    distance.squared_norm += part.squared_norm;
    codes.push_back(quantize(w, layer.weight->spec(), layer.weight->learned()).codes);
    if (codes_.size() >= codes.size()) moved += codes.back().ne(codes_[codes.size() - 1]).sum().item<int64_t>();
    count += w.numel();
  }
  if (count == 0) return;
  line["distance_to_grid"] = std::sqrt(distance.squared_error / std::max(distance.squared_norm, 1e-300));
  if (!codes_.empty()) line["moving_codes"] = static_cast<double>(moved) / static_cast<double>(count);
  codes_ = std::move(codes);
}

std::vector<std::string> MethodSchedule::notes() const {
  std::vector<std::string> lines = skip_notes(config_, model_);
  if (config_.cage) {
    const CageSize size = cage_size(*config_.cage, sum_of_rates(), mean_half_step());
    lines.push_back(
        fmt::format("cage: lambda {:.3g}, strength {:.3g} (sum of learning rate x lambda), pull {:.3g} (lambda x "
                    "half a step, with the weights as they start)",
                    size.lambda, size.strength, size.pull));
    if (size.pull > 0.5)
      lines.push_back("cage: a pull near 1 freezes the weights as soon as the ramp begins; try pull: 0.06");
    if (size.strength < 0.05)
      lines.push_back("cage: a strength this small has hardly any effect; the paper's is about 2.7");
  }
  if (config_.winq && config_.winq->every > 0 && config_.winq->interpolation > 0) {
    double travel = 0, squares = 0, count = 0;
    for (int64_t t = config_.winq->every + 1; t <= config_.train.steps; ++t) travel += learning_rate(t);
    for (const QuantizedLayer& layer : model_.layers)
      if (layer.weight) {
        squares += layer.slot.parameter->detach().to(at::kDouble).square().sum().item<double>();
        count += static_cast<double>(layer.slot.parameter->numel());
      }
    const double ratio = travel / std::sqrt(squares / std::max(count, 1.0));
    lines.push_back(fmt::format("winq: {} resets; travel left after the first: {:.3g} x the weights' RMS",
                                config_.train.steps / config_.winq->every, ratio));
    if (ratio < 10)
      lines.push_back("winq: at so little travel nothing that was reset comes back; a reset needs about 40");
  }
  return lines;
}

nlohmann::json MethodSchedule::state() const {
  return {{"cage_lambda", lambda_ ? nlohmann::json(*lambda_) : nlohmann::json(nullptr)}};
}

void MethodSchedule::restore(const nlohmann::json& state) {
  const auto& lambda = state.at("cage_lambda");
  if (!lambda.is_null()) lambda_ = lambda.get<double>();
}

}  // namespace detent
