#include "detent/ops/blocked_product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "detent/ops/share.h"

namespace detent::ops {

namespace {

// Whole tiles and whole panels on every instruction set.
constexpr int64_t kRowGrain = 12, kColumnGrain = 32;

int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

class BlockedProduct {
 public:
  BlockedProduct(const kernels::FloatLines& left, const ProductShape& shape, const PackColumns& pack, float* out)
      : left_(left),
        shape_(shape),
        pack_(pack),
        out_(out),
        threads_(std::clamp<int64_t>(shape.rows * shape.columns * shape.depth / kLeastProductWork, 1,
                                     at::in_parallel_region() ? 1 : at::get_num_threads())) {}

  void run() const {
    if (threads_ == 1)
      some_columns(0, shape_.columns);
    else if (shape_.rows / kRowGrain >= std::min(2 * threads_, shape_.columns / column_grain()))
      share_rows();
    else
      share_columns();
  }

 private:
  // Where there are many, pieces are larger: each reads all packed columns.
  int64_t row_grain() const { return shape_.rows / kRowGrain >= 4 * threads_ ? 2 * kRowGrain : kRowGrain; }
  // Each piece packs all rows again: few narrow ones.
  int64_t column_grain() const {
    const int64_t fair = shape_.columns / (16 * threads_) / kColumnGrain * kColumnGrain;
    return std::clamp<int64_t>(fair, kColumnGrain, 8 * kColumnGrain);
  }

  at::Tensor memory(int64_t columns) const {  // of the block cache
    return at::empty({std::min(kernels::kFloatGemmColumns, rounded_up(columns, kColumnGrain)),
                      std::min(shape_.depth, kernels::kFloatGemmDepth)},
                     at::kFloat);
  }

  void some_columns(int64_t first, int64_t last) const {
    const at::Tensor packed = memory(last - first);
    float* to = packed.mutable_data_ptr<float>();
    kernels::for_float_gemm_blocks(first, last, shape_.depth, [&](kernels::PackedColumns block) {
      block.data = to;
      pack_(block.first, block.last, block.begin, block.end, to);
      kernels::float_gemm_rows(left_, 0, shape_.rows, block, out_, shape_.out_stride);
    });
  }

  void share_columns() const {
    const auto some = [&](int64_t first, int64_t last) { some_columns(first, last); };
    share(shape_.columns, column_grain(), some, threads_);
  }

  void share_rows() const {
    const at::Tensor packed = memory(shape_.columns);
    float* to = packed.mutable_data_ptr<float>();
    kernels::for_float_gemm_blocks(0, shape_.columns, shape_.depth, [&](kernels::PackedColumns block) {
      block.data = to;
      const auto pack = [&](int64_t first, int64_t last) {
        pack_(block.first + first, block.first + last, block.begin, block.end, to + first * (block.end - block.begin));
      };
      const auto multiply = [&](int64_t first, int64_t last) {
        kernels::float_gemm_rows(left_, first, last, block, out_, shape_.out_stride);
      };
      share(block.last - block.first, 2 * kColumnGrain, pack, threads_);
      share(shape_.rows, row_grain(), multiply, threads_);
    });
  }

  kernels::FloatLines left_;
  ProductShape shape_;
  const PackColumns& pack_;
  float* out_;
  int64_t threads_;
};

}  // namespace

void blocked_product(const kernels::FloatLines& left, const ProductShape& shape, const PackColumns& pack, float* out) {
  if (shape.depth > 0) return BlockedProduct(left, shape, pack, out).run();
  for (int64_t row = 0; row < shape.rows; ++row) std::fill_n(out + row * shape.out_stride, shape.columns, 0.0f);
}

}  // namespace detent::ops
