#include "detent/kernels/harness/bench.h"

#include <time.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "detent/base/aligned.h"
#include "detent/kernels/fake_quant/cases.h"
#include "detent/kernels/harness/kernel_set.h"
#include "detent/kernels/harness/peak.h"
#include "detent/kernels/optimizer/cases.h"
#include "detent/kernels/stream.h"

namespace detent::kernels {

namespace {
// A weight matrix and what a training step keeps beside it.
struct Tensors {
  AlignedVector<float> w, g, m, v, out, row, scratch;
  AlignedVector<int8_t> codes;
  AlignedVector<uint8_t> mask;
  double sink = 0;  // results that nobody reads would be optimized away

  explicit Tensors(int64_t n)
      : w(aligned(gaussian_values(n, 1, 0.02f))),
        g(aligned(gaussian_values(n, 2, 1e-3f))),
        m(w.size()),
        v(w.size()),
        out(w.size()),
        row(w.size()),
        scratch(w.size()),
        codes(w.size()),
        mask(w.size()) {}

  static AlignedVector<float> aligned(const std::vector<float>& values) { return {values.begin(), values.end()}; }
  // As the operations do (ops/fake_quant.cpp): large outputs go past the caches.
  bool stream() const { return static_cast<int64_t>(out.size() * sizeof(float)) >= kStreamedBytes; }
  void rotate_out(const KernelSet& k, const float* from, int64_t i, int64_t n) {
    stream() ? k.rotate_streamed(from, &out[i], n, 128) : k.rotate(from, &out[i], n, 128);
  }
};

struct BenchCase {
  std::string name;
  int64_t group;             // elements of one call
  double bytes_per_element;  // read and written
  std::function<void(const KernelSet&, Tensors&, int64_t i, int64_t n)> run;
};

// Scales and quantization: the forward pass of a row of groups.
struct Quantizer {
  Grid grid;
  ScaleRule rule;
  int64_t group = 0;  // 0: the row
  Surrogate surrogate = surrogate_cases(grid)[2].surrogate;

  void operator()(const KernelSet& k, const float* x, int64_t n, const FakeQuantOut& out) const {
    const int64_t size = group == 0 ? n : group;
    std::vector<float> scales(static_cast<size_t>(n / size));
    k.scales(x, n, size, grid, rule, scales.data());
    k.quantize(x, n, size, scales.data(), grid, surrogate, out);
  }
};

const Quantizer kInt4{{GridKind::kInt, 4}, ScaleRule::kAbsmax},
    kInt4Groups{{GridKind::kInt, 4}, ScaleRule::kAbsmax, 32}, kMidrise4{{GridKind::kMidrise, 4}, ScaleRule::kRms};
constexpr float kStep = 0.01f;  // a learned one

// QuEST's row in the rotated basis: codes and mask bits.
void quest_forward(const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
  float* const row = t.row.data();
  k.rotate(&t.w[i], row, n, 128);
  kMidrise4(k, row, n, {nullptr, &t.codes[i], &t.mask[i / 8]});
}
void quest_backward(const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
  float* const row = t.row.data();
  k.mask_gradient(&t.g[i], &t.mask[i / 8], n, row);
  t.rotate_out(k, row, i, n);
}
// The same brought back into the weight's own basis: values and mask bits.
void quest_full_forward(const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
  float* const row = t.row.data();
  k.rotate(&t.w[i], row, n, 128);
  kMidrise4(k, row, n, {row, nullptr, &t.mask[i / 8]});
  t.rotate_out(k, row, i, n);
}
void quest_full_backward(const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
  float* const row = t.row.data();
  k.rotate(&t.g[i], row, n, 128);
  k.mask_gradient(row, &t.mask[i / 8], n, row);
  t.rotate_out(k, row, i, n);
}
void learned_backward(const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
  t.sink += k.learned_backward(&t.w[i], &t.g[i], n, kStep, kInt4.grid, kInt4.surrogate, &t.out[i]);
}

std::vector<BenchCase> quantize_cases(int64_t columns) {
  return {{"quantize int4 absmax group 32", columns, 8,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             kInt4Groups(k, &t.w[i], n, {&t.out[i], nullptr, nullptr, t.stream()});
           }},
          {"quantize midrise4 rms row, codes and mask", columns, 9.125,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             kMidrise4(k, &t.w[i], n, {&t.out[i], &t.codes[i], &t.mask[i / 8]});
           }},
          {"QuEST half, forward to codes and mask", columns, 5.125, quest_forward},
          {"QuEST half, backward", columns, 8.125, quest_backward},
          {"QuEST rotated back, forward", columns, 8.125, quest_full_forward},
          {"QuEST rotated back, backward", columns, 8.125, quest_full_backward},
          {"LSQ int4 row, forward", columns, 8,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.quantize(&t.w[i], n, n, &kStep, kInt4.grid, kInt4.surrogate, {&t.out[i], nullptr, nullptr, t.stream()});
           }},
          {"LSQ int4 row, backward", columns, 12, learned_backward},
          {"statistics of a row", columns, 4,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) { t.sink += k.stats(&t.w[i], n).sum_abs; }},
          {"dequantize int4 group 32", 32, 5,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.dequantize(&t.codes[i], n, kStep, kInt4.grid, &t.out[i]);
           }},
          {"apply mask", columns, 8.125,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.mask_gradient(&t.g[i], &t.mask[i / 8], n, &t.out[i]);
           }},
          {"hadamard 128", columns, 8,
           [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) { t.rotate_out(k, &t.w[i], i, n); }},
          {"gaussian noise", columns, 8, [](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
             k.noise(&t.w[i], &t.out[i], n, 1e-3f, {.seed = 1}, static_cast<uint64_t>(i));
           }}};
}

void adamw_step(const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
  k.adamw(adamw_cases()[0], &t.w[i], &t.g[i], &t.m[i], &t.v[i], nullptr, n);
}

constexpr float kPull = 1e-3f;
void pull_by_scale(const KernelSet& k, Tensors& t, int64_t i, int64_t n, const float* row, int64_t block,
                   const Quantizer& q) {
  float scale;
  k.scales(row, n, n, q.grid, q.rule, &scale);
  k.pull(&t.w[i], row, n, n, block, &scale, q.grid, kPull, t.scratch.data());
}
void cage_int4(const KernelSet& k, Tensors& t, int64_t i, int64_t n) { pull_by_scale(k, t, i, n, &t.w[i], 1, kInt4); }
void cage_quest(const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
  k.rotate(&t.w[i], t.row.data(), n, 128);
  pull_by_scale(k, t, i, n, t.row.data(), 128, kMidrise4);
}

// As the optimizer walks (optim/optimizer.cpp): some rows, then the same rows towards their targets.
BenchCase cage_case(const std::string& name, int64_t columns,
                    void (*pull)(const KernelSet&, Tensors&, int64_t, int64_t)) {
  return {name, columns * rows_at_once(columns), 28,
          [columns, pull](const KernelSet& k, Tensors& t, int64_t i, int64_t n) {
            for (int64_t row = i; row < i + n; row += columns) adamw_step(k, t, row, columns);
            for (int64_t row = i; row < i + n; row += columns) pull(k, t, row, columns);
          }};
}

std::vector<BenchCase> optimizer_cases(int64_t columns) {
  return {{"adamw", columns, 28, adamw_step},
          cage_case("adamw, CAGE towards int4 rows", columns, cage_int4),
          cage_case("adamw, CAGE towards QuEST rows", columns, cage_quest),
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
  for (int64_t i = 0; i < n; i += c.group) c.run(kernels, t, i, std::min(c.group, n - i));
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

std::vector<BenchRow> bench_kernels(bool quick, const BenchSize& size) {
  Tensors tensors(size.rows * size.columns);
  std::vector<BenchCase> cases = quantize_cases(size.columns);
  for (const BenchCase& c : optimizer_cases(size.columns)) cases.push_back(c);
  std::vector<BenchRow> table;
  AlignedVector<float> large(size_t{1} << (quick ? 20 : 26), 1.0f);
  const double bandwidth = measure_bandwidth(large, quick ? 0.01 : 0.3);
  for (const BenchCase& c : cases) {
    table.push_back(measure(c, tensors, quick ? 3 : 21));
    table.back().shape = size.name();
    table.back().share = table.back().gb_per_s * 1e9 / bandwidth;
  }
  return table;
}

}  // namespace detent::kernels
