// Products of 4-bit codes and of floats beside ATen's in float32, each as a share of what the cores could do.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/ops/code_product.h"
#include "detent/ops/coded.h"
#include "detent/ops/product.h"
#include "detent/quant/quantizer.h"
#include "detent/train/composite_bench.h"
#include "detent/train/peaks.h"

namespace detent {

namespace {

struct Product {
  int64_t tokens, depth, outputs;
  double operations() const { return 2.0 * static_cast<double>(tokens * depth * outputs); }
};

// `peak`: of the instructions of `ours`.
kernels::BenchRow measure_product(const Product& p, const BenchPair& pair, double peak, double float_peak, int rounds) {
  const std::string shape = fmt::format("{}x{}x{}", p.tokens, p.depth, p.outputs);
  kernels::BenchRow row = measure_pair(pair, at::empty({p.tokens, p.depth}), shape, rounds);
  row.share = peak > 0 ? p.operations() / row.seconds / peak : 0;
  row.baseline_share = p.operations() / (row.seconds * row.ratio) / float_peak;
  return row;
}

constexpr const char* kBaseline = "ATen linear, float32";

kernels::BenchRow of_codes(const Product& p, const Peaks& peaks, int rounds) {
  QuantSpec input{make_grid("midrise", 4), parse_granularity("token"), ScaleRule::kRms};
  QuantSpec weight{make_grid("midrise", 4), parse_granularity("row"), ScaleRule::kRms};
  const ops::CodePair pair = ops::code_pair(input, weight, p.depth).value();
  const at::Tensor x = at::randn({p.tokens, p.depth}), w = at::randn({p.outputs, p.depth});
  const ops::CodedRows coded_x = ops::code_rows(pair, x, {}, {});
  const ops::CodedWeight coded_w = ops::code_weight(pair, w, {}, {});
  const double bytes = static_cast<double>(x.numel() + w.numel() + 4 * p.tokens * p.outputs);
  const auto ours = [&] { ops::int_linear(pair, coded_x, coded_w); };
  return measure_product(p, {"product of 4-bit codes", kBaseline, bytes, ours, [&] { at::linear(x, w); }},
                         peaks.integers, peaks.floats, rounds);
}

kernels::BenchRow of_floats(const Product& p, const Peaks& peaks, int rounds) {
  const at::Tensor x = at::randn({p.tokens, p.depth}), w = at::randn({p.outputs, p.depth});
  const double bytes = 4.0 * static_cast<double>(x.numel() + w.numel() + p.tokens * p.outputs);
  return measure_product(p,
                         {"product of floats", kBaseline, bytes, [&] { ops::linear(x, w); }, [&] { at::linear(x, w); }},
                         peaks.floats, peaks.floats, rounds);
}

// Weights alone in codes, as in generation: the baseline is what their values take.
kernels::BenchRow of_packed_codes(const Product& p, const Peaks& peaks, int rounds) {
  const QuantSpec spec{make_grid("int", 4), parse_granularity("32"), ScaleRule::kAbsmax};
  const Quantized weight = quantize(at::randn({p.outputs, p.depth}), spec);
  const auto packed = ops::PackedCodes::make(weight.codes, weight.scales, spec.grid);
  const at::Tensor x = at::randn({p.tokens, p.depth}), w = dequantize(weight);
  const double bytes = static_cast<double>(packed->bytes() + 4 * p.tokens * (p.depth + p.outputs));
  return measure_product(
      p, {"floats times 4-bit codes", kBaseline, bytes, [&] { packed->product(x); }, [&] { at::linear(x, w); }},
      peaks.floats, peaks.floats, rounds);
}

}  // namespace

std::vector<kernels::BenchRow> bench_products(const std::vector<kernels::BenchSize>& sizes, bool models, bool quick) {
  const at::NoGradGuard guard;
  std::vector<Product> products;
  if (models) products = {{1024, 512, 512}, {1024, 512, 1536}, {1024, 1536, 512}, {4096, 128, 384}, {1, 512, 1536}};
  for (const kernels::BenchSize& size : sizes)
    products.push_back({std::min<int64_t>(size.rows, 1024), size.columns, size.columns});
  std::vector<kernels::BenchRow> rows;
  const Peaks peaks = measure_peaks();
  const int rounds = rounds_of_pair(quick);
  for (Product& product : products) {
    if (quick) product.tokens = std::min<int64_t>(product.tokens, 32);
    rows.push_back(of_codes(product, peaks, rounds));
    if (product.tokens > 1)  // a token at a time is ATen's own product
      rows.push_back(of_floats(product, peaks, rounds));
    if (kernels::float_gemm_fuses()) rows.push_back(of_packed_codes(product, peaks, rounds));
  }
  return rows;
}

}  // namespace detent
