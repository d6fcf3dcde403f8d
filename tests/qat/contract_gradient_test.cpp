// Gradients of every surrogate on every accepted spec: masks by closed form, learned steps by finite differences in
// double with the rounding residual frozen (round(u) becomes u + r, r = round(u0) - u0), which is the straight-through
// family.
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <set>

#include "tests/support/bits.h"
#include "tests/support/subjects.h"

namespace detent {
namespace {

using test::all_subjects;
using test::gaussian;
using test::Rig;
using test::Subject;

struct Surrounding {  // one element in units of its scale
  const Subject& subject;
  double u, level;
  double top() const { return subject.spec.grid.level(subject.spec.grid.hi()); }
  double low() const { return subject.spec.grid.level(subject.spec.grid.lo()); }
};

struct Rule {
  std::function<double(const Surrounding&)> margin;  // >= 0 where the gradient passes
  std::function<double(const Surrounding&)> end;     // learned steps: the slope beyond the range
};

double between(const Surrounding& s, double low, double high) { return std::min(s.u - low, high - s.u); }
double saturated(const Surrounding& s) { return s.u < 0 ? s.low() : s.top(); }

// The papers' masks, one row a surrogate. Null for one that has no row yet.
const Rule* rule_of(const Subject& subject) {
  static const std::map<std::string, Rule> rules = {
      {"ste", {[](const Surrounding&) { return 1.0; }, {}}},
      {"clip {}", {[](const Surrounding& s) { return between(s, s.low(), s.top()); }, {}}},
      {"clip {factor: 1.3}", {[](const Surrounding& s) { return between(s, 1.3 * s.low(), 1.3 * s.top()); }, {}}},
      {"trust",
       {[](const Surrounding& s) { return s.subject.spec.grid.top_step() / 2 - std::abs(s.level - s.u); }, {}}},
      {"lsq", {[](const Surrounding& s) { return between(s, s.low(), s.top()); }, saturated}},
      {"seq {}", {[](const Surrounding& s) { return 0.99 - std::abs(s.u / s.subject.spec.learned_unit); }, saturated}},
      {"seq {saturated: one}",
       {[](const Surrounding& s) { return 0.99 - std::abs(s.u / s.subject.spec.learned_unit); },
        [](const Surrounding& s) { return std::copysign(s.subject.spec.learned_unit, s.u); }}},
      {"binary", {[](const Surrounding& s) { return 1 - std::abs(s.u); }, saturated}},
      {"ternary", {[](const Surrounding& s) { return s.subject.learned() ? 1 - std::abs(s.u) : 1.0; }, saturated}}};
  auto named = rules.find(subject.surrogate + " " + subject.options);
  if (named == rules.end()) named = rules.find(subject.surrogate);
  return named == rules.end() ? nullptr : &named->second;
}

// Those with a row; the others' surrogates are named, so that a new method's author sees what is not yet compared.
std::vector<Subject> stated_subjects() {
  std::vector<Subject> stated;
  std::set<std::string> without;
  for (const Subject& subject : all_subjects()) {
    if (rule_of(subject)) {
      stated.push_back(subject);
    } else if (without.insert(subject.surrogate).second) {
      std::cerr << subject.surrogate << ": no mask stated in rule_of, gradients not compared\n";
    }
  }
  return stated;
}

// The elements of one rig, in the quantized basis, as doubles.
struct Elements {
  at::Tensor x, scale, level, g;  // [rows, columns]
  at::Tensor inside, near, end;   // near: too close to a bound for float32 to say on which side it is
};

Elements elements_of(const Subject& subject, const Quantized& q, const at::Tensor& x, const at::Tensor& g) {
  Elements e;
  e.x = test::basis(x, subject.spec).to(at::kDouble);
  e.scale = test::spread(q.scales, x.sizes()).to(at::kDouble).contiguous();
  e.level = test::levels(q.codes, subject.spec.grid);
  e.g = (subject.spec.rotation == Rotation::kHadamard ? ops::hadamard(g) : g).to(at::kDouble);
  e.inside = at::empty_like(e.x);
  e.near = at::empty_like(e.x);
  e.end = at::zeros_like(e.x);
  const Rule& rule = *rule_of(subject);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const Surrounding s{subject, e.x.data_ptr<double>()[i] / e.scale.data_ptr<double>()[i],
                        e.level.data_ptr<double>()[i]};
    const double margin = rule.margin(s);
    e.inside.data_ptr<double>()[i] = margin >= 0;
    e.near.data_ptr<double>()[i] = std::abs(margin) < 1e-5 * std::max(1.0, std::abs(s.u));
    if (subject.learned()) e.end.data_ptr<double>()[i] = rule.end(s);
  }
  return e;
}

struct Gradients {
  at::Tensor dx, dlearned;
};
Gradients gradients(Rig& rig, const at::Tensor& x, const at::Tensor& g) {
  const at::Tensor leaf = x.detach().set_requires_grad(true);
  if (rig.quantizer->learned().defined()) rig.quantizer->learned().mutable_grad().reset();
  rig.quantizer->weight_value(leaf).backward(g);
  return {leaf.grad(), rig.quantizer->learned().defined() ? rig.quantizer->learned().grad() : at::Tensor()};
}

at::Tensor weights() { return gaussian({4, 96}, 12) * at::tensor({1.0f, 0.3f, 2.0f, 5.0f}).view({4, 1}); }

TEST(ContractGradient, MasksAreTheClosedForm) {
  const at::Tensor x = weights(), g = gaussian({4, 96}, 13, 1);
  int64_t rows = 0, masked = 0;
  const std::vector<Subject> stated = stated_subjects();
  for (const Subject& subject : stated) {
    SCOPED_TRACE(subject.name());
    Rig rig(subject, x);
    rig.phase->training = true;
    const Elements e = elements_of(subject, rig.codes(x), x, g);
    at::Tensor expected = (e.inside * e.g).to(at::kFloat);
    if (subject.spec.rotation != Rotation::kNone) expected = ops::hadamard(expected);
    const at::Tensor dx = gradients(rig, x, g).dx;
    const double tolerance = subject.spec.rotation == Rotation::kNone ? 0 : 2e-6;
    for (int64_t r = 0; r < 4; ++r) {
      if (e.near[r].any().item<bool>()) continue;
      ASSERT_LE(test::relative_error(dx[r], expected[r]), tolerance);
      ++rows;
      masked += e.inside[r].min().item<double>() == 0;
    }
  }
  EXPECT_GE(rows, 3.9 * static_cast<double>(stated.size()));
  EXPECT_GE(masked, rows / 4);
}

// d(loss)/d(parameter) of each scale by central differences; the model is linear in the step, so the step size is moot.
at::Tensor finite_differences(const Subject& subject, const Elements& e, int64_t scales) {
  const at::Tensor d = e.scale, r = e.level - e.x / d;
  const auto loss = [&](double shift) {
    const at::Tensor moved = d + shift / subject.spec.learned_unit;
    const at::Tensor inside = subject.surrogate == "binary" ? moved * e.level : moved * (e.x / moved + r);
    return (e.g * at::where(e.inside > 0, inside, moved * e.end)).view({scales, -1}).sum(1);
  };
  const double h = 1e-4 * d.abs().min().item<double>();
  return (loss(h) - loss(-h)) / (2 * h);
}

// LSQ's 1 / sqrt(N Qp) as ParetoQ has it: Qp is 1 for one bit, ternary and two bits, 2^(b-1) - 1 beyond.
double normaliser(const Subject& subject, int64_t numel) {
  const Grid& grid = subject.spec.grid;
  return 1 / std::sqrt(static_cast<double>(numel) * (grid.level_count() <= 4 ? 1 : std::pow(2, grid.bits - 1) - 1));
}

TEST(ContractGradient, LearnedStepsAreTheFiniteDifference) {
  const at::Tensor x = weights(), g = gaussian({4, 96}, 14, 1);
  int tested = 0, learned = 0;
  double worst = 0;
  for (const Subject& subject : stated_subjects()) {
    if (!subject.learned()) continue;
    SCOPED_TRACE(subject.name());
    ++learned;
    Rig rig(subject, x);
    rig.phase->training = true;
    const Quantized q = rig.codes(x);
    const Elements e = elements_of(subject, q, x, g);
    if (e.near.any().item<bool>()) continue;
    const int64_t scales = q.scales.numel();
    const at::Tensor expected = finite_differences(subject, e, scales) * normaliser(subject, x.numel());
    const at::Tensor size = (e.g * e.level).abs().view({scales, -1}).sum(1) * normaliser(subject, x.numel());
    const at::Tensor actual = gradients(rig, x, g).dlearned.flatten().to(at::kDouble);
    const double error = ((actual - expected).abs() / size).max().item<double>();
    ASSERT_LE(error, 1e-6);
    worst = std::max(worst, error);
    ++tested;
  }
  EXPECT_GE(learned, 500);
  EXPECT_GE(tested, 0.9 * learned);
  RecordProperty("worst", std::to_string(worst * 1e9) + "e-9");
}

TEST(ContractGradient, StridedTensorsGiveTheSameGradients) {
  const at::Tensor x = weights(), g = gaussian({4, 96}, 15, 1);
  const auto strided = [](const at::Tensor& t) { return t.t().contiguous().t(); };
  for (const Subject& subject : stated_subjects()) {
    SCOPED_TRACE(subject.name());
    Rig rig(subject, x);
    rig.phase->training = true;
    const Gradients plain = gradients(rig, x, g), other = gradients(rig, strided(x), strided(g));
    ASSERT_TRUE(test::same_bits(plain.dx, other.dx));
    if (subject.learned()) {
      ASSERT_TRUE(test::same_bits(plain.dlearned, other.dlearned));
    }
  }
}

// (1 - a) x + a Q(x), in the basis that the model multiplies in; dx = (1 - a) g, and a times the learned step's slope.
TEST(ContractGradient, BlendingIsTheInterpolation) {
  const at::Tensor x = weights(), g = gaussian({4, 96}, 16, 1);
  for (const Subject& subject : stated_subjects()) {
    SCOPED_TRACE(subject.name());
    const bool half = subject.spec.rotation == Rotation::kHadamardHalf;
    Rig rig(subject, x);
    rig.phase->training = true;
    const Gradients plain = gradients(rig, x, g);
    rig.phase->blending = true;
    for (const double alpha : {0.0, 0.25, 1.0}) {
      rig.phase->blend = alpha;
      const at::Tensor value = rig.quantizer->weight_value(x);
      const at::Tensor ends = (1 - alpha) * (half ? ops::hadamard(x) : x) + alpha * dequantize(rig.codes(x));
      ASSERT_LE(test::relative_error(value, ends), 3e-7);
      const Gradients blended = gradients(rig, x, g);
      ASSERT_LE(test::relative_error(blended.dx, (1 - alpha) * (half ? ops::hadamard(g) : g)), 3e-7);
      if (!subject.learned() || alpha == 0) continue;
      ASSERT_LE(test::relative_error(blended.dlearned, alpha * plain.dlearned), 3e-7);
    }
  }
}

}  // namespace
}  // namespace detent
