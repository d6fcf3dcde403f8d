#include "detent/train/composite_bench.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>

#include "detent/ops/coded.h"
#include "detent/ops/fake_quant.h"
#include "detent/ops/layers.h"
#include "detent/optim/optimizer.h"
#include "detent/qat/fake_quant_function.h"
#include "detent/quant/quantizer.h"

namespace detent {

namespace {

using Work = std::function<void()>;
struct Pair {
  const char* name;
  const char* baseline;
  double bytes;  // read and written, as the algorithm needs them
  Work ours, composite;
};

double seconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

std::string shape_of(const at::Tensor& x) { return fmt::format("{}x{}", x.size(0), x.size(1)); }

// copies: of x
kernels::BenchRow measure(const Pair& pair, const std::string& shape, const at::Tensor& x, int repeats) {
  at::Tensor copy = at::empty_like(x);
  std::vector<double> ours, copies, ratios;
  for (int i = -2; i < repeats; ++i) {  // two rounds to warm up
    const double a = seconds(pair.ours), b = seconds(pair.composite), c = seconds([&] { copy.copy_(x); });
    if (i < 0) continue;
    ours.push_back(a);
    copies.push_back(a / c);
    ratios.push_back(b / a);
  }
  const double time = median(ours);
  return {pair.name,     shape,         at::get_num_threads(), time, median(copies), pair.bytes / time / 1e9,
          pair.baseline, median(ratios)};
}

at::Tensor hadamard_matrix() {
  at::Tensor h = at::ones({1, 1});
  while (h.size(0) < 128) h = at::cat({at::cat({h, h}, 1), at::cat({h, -h}, 1)}, 0);
  return h / std::sqrt(128.0);
}

at::Tensor composite_int4(const at::Tensor& x) {
  const at::Tensor groups = x.view({-1, 32}), scale = groups.abs().amax(1, true) / 7;
  return ((groups / scale).round().clamp(-8, 7) * scale).view(x.sizes());
}

at::Tensor composite_quest(const at::Tensor& x, const at::Tensor& h) {
  const at::Tensor rotated = x.view({-1, 128}).matmul(h).view(x.sizes());
  const at::Tensor c = rotated.square().mean(-1, true).sqrt() * gaussian_clip(4) + 1e-8, step = c * (2.0 / 15);
  const at::Tensor q = (rotated.clamp(-c, c) / step + 0.5).round() * step - step / 2;
  return q.view({-1, 128}).matmul(h).view(x.sizes());
}

// A product of codes against that of the values in float32.
kernels::BenchRow measure_product(int64_t tokens, int64_t depth, int64_t outputs, int repeats) {
  QuantSpec input{make_grid("midrise", 4), parse_granularity("token"), ScaleRule::kRms};
  QuantSpec weight{make_grid("midrise", 4), parse_granularity("row"), ScaleRule::kRms};
  input.rotation = weight.rotation = Rotation::kHadamardHalf;
  const ops::CodePair pair = ops::code_pair(input, weight, depth).value();
  const at::Tensor x = at::randn({tokens, depth}), w = at::randn({outputs, depth});
  const ops::CodedRows coded_x = ops::code_rows(pair, x, {}, {});
  const ops::CodedWeight coded_w = ops::code_weight(pair, w, {}, {});
  const double bytes = static_cast<double>(x.numel() + w.numel() + 4 * tokens * outputs);
  return measure({"product of 4-bit codes", "ATen linear, float32", bytes,
                  [&] { ops::int_linear(pair, coded_x, coded_w); }, [&] { at::linear(x, w); }},
                 fmt::format("{}x{}x{}", tokens, depth, outputs), x, repeats);
}

}  // namespace

std::vector<kernels::BenchRow> bench_composites(bool quick) {
  const at::NoGradGuard guard;
  const int64_t n = quick ? 256 : 2048;
  const at::Tensor x = at::randn({n, n}), g = at::randn({n, n}), h = hadamard_matrix();
  const double bytes = 4.0 * static_cast<double>(x.numel());
  const QuantSpec int4{make_grid("int", 4), parse_granularity("32"), ScaleRule::kAbsmax};
  QuantSpec quest{make_grid("midrise", 4), parse_granularity("row"), ScaleRule::kRms};
  quest.rotation = Rotation::kHadamard;
  at::Tensor w = at::randn({n, n}), m = at::zeros_like(w), v = at::zeros_like(w), step = at::ones({1});
  at::Tensor ours = at::randn({n, n}).set_requires_grad(true);
  ours.mutable_grad() = g;
  const auto optimizer = make_optimizer({}, {{"w", ours, 0.1, 1, nullptr}});
  int64_t t = 0;
  const std::vector<Pair> pairs = {
      {"int4 group 32 fake quantization", "ATen composite", 2 * bytes, [&] { quantized_value(x, int4); },
       [&] { composite_int4(x); }},
      {"block Hadamard 128", "ATen matmul", 2 * bytes, [&] { ops::hadamard(x); },
       [&] {
         x.view({-1, 128}).matmul(h);
       }},
      {"QuEST 4-bit, rotated back", "ATen composite", 2 * bytes, [&] { quantized_value(x, quest); },
       [&] { composite_quest(x, h); }},
      {"Gaussian noise added", "ATen randn_like, add", 2 * bytes,
       [&] {
         ops::add_gaussian(x, 1e-3f, {1, 2, 3});
       },
       [&] { x.add(at::randn_like(x), 1e-3); }},
      {"RMSNorm", "ATen composite", 2 * bytes, [&] { ops::rms_norm(x, x[0], 1e-5); },
       [&] { ops::composite::rms_norm(x, x[0], 1e-5); }},
      {"SwiGLU", "ATen composite", 3 * bytes, [&] { ops::swiglu(x, g); }, [&] { ops::composite::swiglu(x, g); }},
      {"AdamW step", "ATen fused AdamW", 7 * bytes, [&] { optimizer->step(++t, 1e-3, 1, {}); },
       [&] { at::_fused_adamw_({w}, {g}, {m}, {v}, {}, {step}, 1e-3, 0.9, 0.95, 0.1, 1e-8, false, false); }}};
  std::vector<kernels::BenchRow> rows;
  for (const Pair& pair : pairs) rows.push_back(measure(pair, shape_of(x), x, quick ? 5 : 15));
  // The layers of the two models of `detent bench steps`, and a token at a time.
  for (const auto& [tokens, depth, outputs] :
       {std::array<int64_t, 3>{1024, 512, 512}, {1024, 512, 1536}, {1024, 1536, 512}, {4096, 128, 384}, {1, 512, 1536}})
    rows.push_back(measure_product(quick ? 32 : tokens, depth, outputs, quick ? 5 : 15));
  return rows;
}

}  // namespace detent
