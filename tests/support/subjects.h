// Everything that can be quantized: every surrogate with every spec it accepts, and one TensorQuantizer to try it on.
#pragma once
#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "detent/base/error.h"
#include "detent/format/two_level.h"
#include "detent/ops/fake_quant.h"
#include "detent/qat/options.h"
#include "detent/qat/quantizer_rule.h"
#include "detent/quant/quantizer.h"

namespace detent::test {

struct Subject {
  std::string surrogate, options;  // options: YAML of surrogate_options
  QuantSpec spec;
  std::shared_ptr<const SurrogateMethod> method;

  std::string name() const { return surrogate + " " + options + " on " + spec.name(); }
  bool learned() const { return spec.scale_rule == ScaleRule::kLearned; }
};

// Settings of a surrogate's options that matter; those not named here run with their defaults.
inline std::vector<std::string> option_variants(const std::string& surrogate) {
  if (surrogate == "clip") return {"{}", "{factor: 1.3}"};
  if (surrogate == "seq") return {"{}", "{saturated: one}"};
  return {"{}"};
}

inline std::vector<TensorQuantOptions> all_options(const std::string& surrogate, const std::string& variant) {
  std::vector<TensorQuantOptions> all;
  const Node node = parse_yaml(variant, "surrogate_options");
  for (const std::string& grid : grid_names())
    for (int64_t bits = 1; bits <= (grid == "ternary" || grid == "binary" || grid == "e2m1" ? 1 : 8); ++bits)
      for (const std::string& scale : scale_rule_names())
        for (const char* rotation : {"none", "hadamard", "hadamard_half"})
          for (const char* group : {"tensor", "row", "32"})
            for (const std::string& format : scale_format_names())
              if (!two_level(parse_scale_format(format)))  // they need rows of 256: two_level_test.cpp
                all.push_back({grid, bits, scale, rotation, group, format, surrogate, "", node});
  return all;
}

// As the configuration would accept them; what it refuses is left out.
inline const std::vector<Subject>& all_subjects() {
  static const std::vector<Subject> subjects = [] {
    std::vector<Subject> all;
    for (const std::string& surrogate : surrogate_names())
      for (const std::string& variant : option_variants(surrogate))
        for (const TensorQuantOptions& options : all_options(surrogate, variant)) {
          try {
            all.push_back({surrogate, variant, to_spec(options, "quant"), nullptr});
          } catch (const Error&) {
            continue;
          }
          all.back().method = make_surrogate(surrogate, options.surrogate_options);
        }
    return all;
  }();
  return subjects;
}

// Every spec once, with a subject that takes it: for what does not depend on the surrogate.
inline const std::vector<Subject>& all_specs() {
  static const std::vector<Subject> subjects = [] {
    std::map<std::string, Subject> first;
    for (const Subject& subject : all_subjects())
      first.emplace(subject.spec.name() + " " + std::to_string(subject.spec.learned_unit), subject);
    std::vector<Subject> all;
    for (const auto& [name, subject] : first) all.push_back(subject);
    return all;
  }();
  return subjects;
}

inline at::Tensor gaussian(std::vector<int64_t> shape, uint64_t seed, float deviation = 0.05f) {
  return ops::add_gaussian(at::zeros(shape), deviation, {.seed = seed});
}

// A quantizer as the trainer holds it. Learned steps start from x by the method's rule, times 0.6 so that some elements
// saturate; the first of several is negative.
struct Rig {
  std::shared_ptr<Phase> phase = std::make_shared<Phase>();
  std::shared_ptr<TensorQuantizer> quantizer;

  Rig(const Subject& subject, const at::Tensor& x)
      : quantizer(std::make_shared<TensorQuantizer>("w", subject.spec, subject.method, phase, 1)) {
    if (!subject.learned()) return;
    quantizer->start_learned(x, subject.method->initial_rule(subject.spec.grid));
    const at::NoGradGuard guard;
    quantizer->learned().mul_(0.6);
    if (quantizer->learned().numel() > 1) quantizer->learned().view(-1)[0].mul_(-1);
    quantizer->remember_signs();
  }
  const QuantSpec& spec() const { return quantizer->spec(); }
  Quantized codes(const at::Tensor& x) const {
    return quantize(x.contiguous(), quantizer->spec(), quantizer->learned());
  }
};

// x in the basis that is quantized.
inline at::Tensor basis(const at::Tensor& x, const QuantSpec& spec) {
  return spec.rotation == Rotation::kNone ? x.contiguous() : ops::hadamard(x.contiguous());
}

// What the codes stand for, in units of the scale.
inline at::Tensor levels(const at::Tensor& codes, const Grid& grid) {
  at::Tensor all = at::empty({grid.level_count()}, at::kDouble);
  for (int code = grid.lo(); code <= grid.hi(); ++code) all[code - grid.lo()] = grid.level(code);
  return all.index({codes.to(at::kLong) - grid.lo()});
}

// scales [rows, groups] spread over the elements of x.
inline at::Tensor spread(const at::Tensor& scales, at::IntArrayRef shape) {
  if (scales.numel() == 1) return scales.expand(shape);
  const int64_t group = c10::multiply_integers(shape) / scales.numel();
  return scales.reshape({-1, 1}).expand({scales.numel(), group}).reshape(shape);
}

}  // namespace detent::test
