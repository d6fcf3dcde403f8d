// Our kernels against the ATen composites that they replace, and products of codes against those of floats, in turn, in
// one run, on as many threads as ATen has.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "detent/kernels/harness/bench.h"

namespace detent {

struct BenchPair {
  std::string name, baseline;
  double bytes;  // read and written, as the algorithm needs them
  std::function<void()> ours, composite;
};
// What all pairs of a size work on. A pair that needs more makes it when it is built, and lets it go with it.
struct BenchMatrices {
  at::Tensor x, g;  // [rows, columns]
  at::Tensor h;     // a block of the Hadamard matrix
  explicit BenchMatrices(const kernels::BenchSize& size);
  double bytes() const { return 4.0 * static_cast<double>(x.numel()); }
};
struct PairKind {
  int64_t block;  // what the columns must be a multiple of
  BenchPair (*make)(const BenchMatrices&);
};
std::span<const PairKind> pair_kinds();

// The seconds of ours and of what it replaces, and of copying `copied`, taken in turn: at least twice in both orders
// after a warm round, up to `rounds` times within a second.
kernels::BenchRow measure_pair(const BenchPair& pair, const at::Tensor& copied, const std::string& shape, int rounds);
inline int rounds_of_pair(bool quick) { return quick ? 3 : 150; }

// Over a matrix of each size; kernels whose blocks do not divide its columns are left out.
std::vector<kernels::BenchRow> bench_composites(const std::vector<kernels::BenchSize>& sizes, bool quick);

// Products of 4-bit codes against float32. Depth and outputs are the columns of a size, tokens its rows, at most 1024;
// `models`: the layers of the two models of `detent bench steps`, and a token at a time.
std::vector<kernels::BenchRow> bench_products(const std::vector<kernels::BenchSize>& sizes, bool models, bool quick);

}  // namespace detent
