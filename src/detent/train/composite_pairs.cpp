// The program's operations and the composites of ATen that they replace.
#include <ATen/ATen.h>

#include "detent/ops/coded.h"
#include "detent/ops/fake_quant.h"
#include "detent/ops/layers.h"
#include "detent/optim/optimizer.h"
#include "detent/qat/fake_quant_function.h"
#include "detent/qat/quantizer_rule.h"
#include "detent/quant/quantizer.h"
#include "detent/train/composite_bench.h"
#include "detent/train/composites.h"

namespace detent {

namespace {

QuantSpec quest_spec(Rotation rotation, const char* granularity) {
  QuantSpec spec{make_grid("midrise", 4), parse_granularity(granularity), ScaleRule::kRms};
  spec.rotation = rotation;
  return spec;
}
const kernels::Surrogate kClip{-7.5f, 7.5f};

BenchPair int4(const BenchMatrices& t) {
  const QuantSpec spec{make_grid("int", 4), parse_granularity("32"), ScaleRule::kAbsmax};
  return {"int4 group 32, forward", "ATen composite", 2 * t.bytes(), [=] { quantized_value(t.x, spec); },
          [=] { composites::int4_groups(t.x); }};
}

BenchPair hadamard(const BenchMatrices& t) {
  return {"block Hadamard 128", "ATen matmul", 2 * t.bytes(), [=] { ops::hadamard(t.x); },
          [=] { composites::rotated(t.x, t.h); }};
}

// As an input that stays rotated is trained: codes and mask bits are kept.
BenchPair quest_half(const BenchMatrices& t) {
  const QuantSpec spec = quest_spec(Rotation::kHadamardHalf, "token");
  const auto pair = ops::code_pair(spec, quest_spec(Rotation::kHadamardHalf, "row"), t.x.size(1));
  return {"QuEST half, forward and backward", "ATen composite", (5.125 + 8.125) / 4 * t.bytes(),
          [=] { ops::masked_backward(t.g, ops::code_rows(*pair, t.x, {}, kClip).mask, spec); },
          [=] { composites::rotated(t.g * composites::quest(t.x, t.h).mask, t.h); }};
}

BenchPair quest_full(const BenchMatrices& t) {
  const QuantSpec spec = quest_spec(Rotation::kHadamard, "row");
  return {"QuEST rotated back, forward and backward", "ATen composite", 2 * 8.125 / 4 * t.bytes(),
          [=] {
            const ops::FakeQuantResult made = ops::fake_quant(t.x, {}, spec, kClip, {.mask = true});
            ops::masked_backward(t.g, made.mask, spec);
          },
          [=] {
            const composites::Quantized made = composites::quest(t.x, t.h);
            const at::Tensor value = composites::rotated(made.value, t.h);
            composites::rotated(composites::rotated(t.g, t.h) * made.mask, t.h);
          }};
}

BenchPair learned_steps(const BenchMatrices& t) {
  const QuantSpec spec{make_grid("int", 4), parse_granularity("row"), ScaleRule::kLearned};
  const kernels::Surrogate surrogate{-8, 7, -8, 7};
  const at::Tensor steps = at::full({t.x.size(0), 1}, 0.3);
  return {"LSQ int4 row, forward and backward", "ATen composite", 5 * t.bytes(),
          [=] {
            ops::fake_quant(t.x, steps, spec, surrogate, {});
            ops::learned_backward(t.x, t.g, steps, spec, surrogate);
          },
          [=] {
            composites::learned(t.x, steps);
            composites::learned_backward(t.x, t.g, steps);
          }};
}

BenchPair noise(const BenchMatrices& t) {
  return {"Gaussian noise added", "ATen randn_like, add", 2 * t.bytes(),
          [=] {
            ops::add_gaussian(t.x, 1e-3f, {1, 2, 3});
          },
          [=] { t.x.add(at::randn_like(t.x), 1e-3); }};
}

BenchPair rms_norm(const BenchMatrices& t) {
  return {"RMSNorm", "ATen composite", 2 * t.bytes(), [=] { ops::rms_norm(t.x, t.x[0], 1e-5); },
          [=] { ops::composite::rms_norm(t.x, t.x[0], 1e-5); }};
}

BenchPair swiglu(const BenchMatrices& t) {
  return {"SwiGLU", "ATen composite", 3 * t.bytes(), [=] { ops::swiglu(t.x, t.g); },
          [=] { ops::composite::swiglu(t.x, t.g); }};
}

BenchPair rope(const BenchMatrices& t) {
  const int64_t head = t.x.size(1) % 64 == 0 ? 64 : t.x.size(1);
  const at::Tensor heads = t.x.view({1, t.x.size(0), -1, head}), angles = at::randn({t.x.size(0), head / 2});
  const at::Tensor cos = angles.cos(), sin = angles.sin();
  return {"rotary embedding", "ATen composite", 2 * t.bytes(), [=] { ops::rope(heads, cos, sin); },
          [=] { ops::composite::rope(heads, cos, sin); }};
}

// ATen's own AdamW, and its state; pull: CAGE as the formula says it, after the step.
BenchPair adamw(const BenchMatrices& t, bool pull) {
  const at::Tensor w = at::randn_like(t.x), m = at::zeros_like(w), v = at::zeros_like(w), step = at::ones({1});
  at::Tensor ours = w.clone().set_requires_grad(true);
  ours.mutable_grad() = t.g;
  std::shared_ptr<RowTarget> target;
  if (pull)
    target = make_quantized_target(std::make_shared<TensorQuantizer>("w", quest_spec(Rotation::kHadamard, "row"),
                                                                     nullptr, std::make_shared<Phase>(), 0));
  const std::shared_ptr<Optimizer> optimizer = make_optimizer({}, {{"w", ours, 0.1, 1, target}});
  const auto count = std::make_shared<int64_t>(0);
  const PullTerms terms{pull ? 1.0 : 0.0, 0};
  return {pull ? "AdamW, CAGE towards QuEST rows" : "AdamW", pull ? "ATen fused AdamW, composite" : "ATen fused AdamW",
          7 * t.bytes(), [=] { optimizer->step(++*count, 1e-3, 1, terms); },
          [=] {
            at::_fused_adamw_({w}, {t.g}, {m}, {v}, {}, {step}, 1e-3, 0.9, 0.95, 0.1, 1e-8, false, false);
            if (pull) at::Tensor(w).sub_(w - composites::rotated(composites::quest(w, t.h).value, t.h), 1e-3);
          }};
}

constexpr PairKind kKinds[] = {{32, int4},
                               {128, hadamard},
                               {128, quest_half},
                               {128, quest_full},
                               {1, learned_steps},
                               {1, noise},
                               {1, rms_norm},
                               {1, swiglu},
                               {2, rope},
                               {1, [](const BenchMatrices& t) { return adamw(t, false); }},
                               {128, [](const BenchMatrices& t) { return adamw(t, true); }}};

}  // namespace

BenchMatrices::BenchMatrices(const kernels::BenchSize& size)
    : x(at::randn({size.rows, size.columns})),
      g(at::randn({size.rows, size.columns})),
      h(composites::hadamard_matrix()) {}

std::span<const PairKind> pair_kinds() { return kKinds; }

}  // namespace detent
