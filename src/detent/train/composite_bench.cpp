#include "detent/train/composite_bench.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>

#include "detent/train/bench_arm.h"
#include "detent/train/peaks.h"

namespace detent {

namespace {

constexpr int kMost = 300;
constexpr double kEnough = 0.8;  // seconds for one pair, once it has been taken three times

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

kernels::BenchRow measure_pair(const BenchPair& pair, const at::Tensor& copied, const std::string& shape, int repeats) {
  const at::Tensor copy = at::empty_like(copied);
  std::vector<double> ours, copies, ratios;
  double spent = 0;
  for (int i = -1; i < repeats && (i < 3 || spent < kEnough); ++i) {
    const bool last = i % 2 != 0;  // whoever comes second may find in the caches what the first one read
    double b = last ? seconds(pair.composite) : 0;
    const double a = seconds(pair.ours);
    if (!last) b = seconds(pair.composite);
    const double c = seconds([&] { copy.copy_(copied); });
    if (i < 0) continue;  // warms up
    spent += a + b + c;
    ours.push_back(a);
    copies.push_back(a / c);
    ratios.push_back(b / a);
  }
  kernels::BenchRow row;
  row.name = pair.name;
  row.shape = shape;
  row.threads = at::get_num_threads();
  row.seconds = median_of(ours);
  row.copies = median_of(copies);
  row.gb_per_s = pair.bytes / row.seconds / 1e9;
  row.baseline = pair.baseline;
  row.ratio = median_of(ratios);
  row.low = std::ranges::min(ratios);
  row.high = std::ranges::max(ratios);
  return row;
}

std::vector<kernels::BenchRow> bench_composites(const std::vector<kernels::BenchSize>& sizes, bool quick) {
  const at::NoGradGuard guard;
  std::vector<kernels::BenchRow> rows;
  const double bandwidth = measure_peaks().bytes;
  for (const kernels::BenchSize& size : sizes) {
    const BenchMatrices matrices(size);
    for (const PairKind& kind : pair_kinds()) {
      if (size.columns % kind.block != 0) continue;
      rows.push_back(measure_pair(kind.make(matrices), matrices.x, size.name(), quick ? 5 : kMost));
      rows.back().share = rows.back().gb_per_s * 1e9 / bandwidth;
    }
  }
  return rows;
}

}  // namespace detent
