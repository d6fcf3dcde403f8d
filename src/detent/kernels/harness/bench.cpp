#include "detent/kernels/harness/bench.h"

#include <time.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "detent/kernels/fake_quant/cases.h"
#include "detent/kernels/harness/kernel_set.h"
#include "detent/kernels/optimizer/cases.h"

namespace detent::kernels {

namespace {
// A weight matrix and what a training step keeps beside it.
struct Tensors {
  std::vector<float> w, g, m, v, out;
  std::vector<int8_t> codes;
  std::vector<uint8_t> mask;
  double sink = 0;  // results that nobody reads would be optimized away

  explicit Tensors(int64_t n)
      : w(gaussian_values(n, 1, 0.02f)),
        g(gaussian_values(n, 2, 1e-3f)),
        m(w.size()),
        v(w.size()),
        out(w.size()),
        codes(w.size()),
        mask(w.size()) {}
};

struct BenchCase {
  std::string name;
  int64_t group;             // elements of one call
  double bytes_per_element;  // read and written
  std::function<void(const KernelSet&, Tensors&, int64_t i, int64_t n)> run;
};

// Statistics, scale, quantization: the forward pass of one group.
struct Quantizer {
  Grid grid;
  ScaleRule rule;
  Surrogate surrogate = surrogate_cases(grid)[2].surrogate;

  void operator()(const KernelSet& k, const float* x, int64_t n, const FakeQuantOut& out) const {
    k.quantize(x, n, scale_from_stats(k.stats(x, n), static_cast<double>(n), grid, rule), grid, surrogate, out);
  }
};

std::vector<BenchCase> quantize_cases(int64_t columns) {
  const Quantizer int4{{GridKind::kInt, 4}, ScaleRule::kAbsmax}, midrise4{{GridKind::kMidrise, 4}, ScaleRule::kRms};
  return {{"quantize int4 absmax group 32", 32, 8,
           [=](const KernelSet& k, Tensors& t, int64_t i, int64_t n) { int4(k, &t.w[i], n, {.value = &t.out[i]}); }},
          {"quantize midrise4 rms row, codes and mask", columns, 9.125,
           [=](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             midrise4(k, &t.w[i], n, {&t.out[i], &t.codes[i], &t.mask[i / 8]});
           }},
          {"statistics of a row", columns, 4,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) { t.sink += k.stats(&t.w[i], n).sum_abs; }},
          {"dequantize int4 group 32", 32, 5,
           [=](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.dequantize(&t.codes[i], n, 0.01f, int4.grid, &t.out[i]);
           }},
          {"apply mask", columns, 8.125,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.mask_gradient(&t.g[i], &t.mask[i / 8], n, &t.out[i]);
           }},
          {"learned step backward int4 row", columns, 12,
           [=](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             t.sink += k.learned_backward(&t.w[i], &t.g[i], n, 0.01f, int4.grid, int4.surrogate, &t.out[i]);
           }},
          {"hadamard 128", columns, 8,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) { k.rotate(&t.w[i], &t.out[i], n, 128); }},
          {"gaussian noise", columns, 8, [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.noise(&t.w[i], &t.out[i], n, 1e-3f, {.seed = 1}, static_cast<uint64_t>(i));
           }}};
}

std::vector<BenchCase> optimizer_cases(int64_t columns) {
  const Quantizer int4{{GridKind::kInt, 4}, ScaleRule::kAbsmax};
  return {{"adamw", columns, 28,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.adamw(adamw_cases()[0], &t.w[i], &t.g[i], &t.m[i], &t.v[i], nullptr, n);
           }},
          {"adamw, quantize int4 row and pull", columns, 28,
           [=](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.adamw(adamw_cases()[0], &t.w[i], &t.g[i], &t.m[i], &t.v[i], nullptr, n);
             int4(k, &t.w[i], n, {.value = t.out.data()});  // one row of targets stays in cache
             k.pull(&t.w[i], t.out.data(), 1e-3f, n);
           }},
          {"sgd with momentum", columns, 20,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.sgd({1e-3f, 0.9f, 1e-4f, 1.0f}, &t.w[i], &t.g[i], &t.m[i], nullptr, n);
           }},
          {"sum of squares", columns, 4,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) { t.sink += k.squares(&t.g[i], n); }}};
}

// Seconds of this thread: the turns of other processes on a shared machine do not count.
double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_of(const std::function<void()>& work) {
  const double start = thread_seconds();
  work();
  return thread_seconds() - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void run_groups(const BenchCase& c, const KernelSet& kernels, Tensors& t) {
  const int64_t n = static_cast<int64_t>(t.w.size());
  for (int64_t i = 0; i < n; i += c.group) c.run(kernels, t, i, c.group);
}

// Kernel, reference and copy take turns, so that a change of the machine's speed meets all three.
BenchRow measure(const BenchCase& c, Tensors& t, int repeats) {
  std::vector<double> fast, plain, copy;
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    const double copy_seconds = seconds_of([&] { std::memcpy(t.out.data(), t.w.data(), t.w.size() * sizeof(float)); });
    const double fast_seconds = seconds_of([&] { run_groups(c, kFastKernels, t); });
    const bool with_baseline = repeat <= 3;  // slow, and steadier than the fast ones
    if (repeat == 0) continue;               // warms up caches and pages
    copy.push_back(copy_seconds);
    fast.push_back(fast_seconds);
    if (with_baseline) plain.push_back(seconds_of([&] { run_groups(c, kReferenceKernels, t); }));
  }
  BenchRow row;
  row.name = c.name;
  row.baseline = "reference";
  row.seconds = median(fast);
  row.copies = row.seconds / median(copy);
  row.gb_per_s = c.bytes_per_element * static_cast<double>(t.w.size()) / row.seconds * 1e-9;
  row.ratio = median(plain) / row.seconds;
  return row;
}
}  // namespace

std::vector<BenchRow> bench_kernels(bool quick) {
  const int64_t rows = quick ? 64 : 2048, columns = quick ? 512 : 2048;
  Tensors tensors(rows * columns);
  std::vector<BenchCase> cases = quantize_cases(columns);
  for (const BenchCase& c : optimizer_cases(columns)) cases.push_back(c);
  std::vector<BenchRow> table;
  for (const BenchCase& c : cases) {
    table.push_back(measure(c, tensors, quick ? 3 : 21));
    table.back().shape = std::to_string(rows) + "x" + std::to_string(columns);
  }
  return table;
}

}  // namespace detent::kernels
