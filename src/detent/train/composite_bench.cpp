#include "detent/train/composite_bench.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>

#include "detent/train/bench_arm.h"
#include "detent/train/peaks.h"

namespace detent {

namespace {

constexpr double kEnough = 0.8;  // seconds for one pair, once it has been taken twice

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Times {
  double ours = 0, composite = 0, copy = 0;
  double sum() const { return ours + composite + copy; }
};

// Both orders once: whoever comes second may find in the caches what the first one read.
Times round_of(const BenchPair& pair, const at::Tensor& copied, const at::Tensor& copy) {
  Times all;
  for (const bool composite_first : {false, true}) {
    if (composite_first) all.composite += seconds(pair.composite);
    all.ours += seconds(pair.ours);
    if (!composite_first) all.composite += seconds(pair.composite);
    all.copy += seconds([&] { copy.copy_(copied); });
  }
  return all;
}

}  // namespace

kernels::BenchRow measure_pair(const BenchPair& pair, const at::Tensor& copied, const std::string& shape, int rounds) {
  const at::Tensor copy = at::empty_like(copied);
  std::vector<double> ours, copies, ratios;
  double spent = 0;
  for (int i = -1; i < rounds && (i < 2 || spent < kEnough); ++i) {
    const Times round = round_of(pair, copied, copy);
    if (i < 0) continue;  // warms up
    spent += round.sum();
    ours.push_back(round.ours / 2);
    copies.push_back(round.ours / round.copy);
    ratios.push_back(round.composite / round.ours);
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
      rows.push_back(measure_pair(kind.make(matrices), matrices.x, size.name(), rounds_of_pair(quick)));
      rows.back().share = rows.back().gb_per_s * 1e9 / bandwidth;
    }
  }
  return rows;
}

}  // namespace detent
