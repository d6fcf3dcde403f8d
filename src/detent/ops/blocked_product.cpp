#include "detent/ops/blocked_product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "detent/ops/share.h"

namespace detent::ops {

namespace {

// Whole tiles and whole panels on every instruction set.
constexpr int64_t kRowGrain = 24, kColumnGrain = 32;

class BlockedProduct {
 public:
  BlockedProduct(const kernels::FloatLines& left, int64_t rows, int64_t columns, int64_t depth, const PackColumns& pack,
                 float* out)
      : left_(left), rows_(rows), columns_(columns), depth_(depth), pack_(pack), out_(out) {}

  void run() const {
    const int64_t work = rows_ * columns_ * depth_ / kLeastProductWork;
    const int64_t threads = at::in_parallel_region() || work < 2 ? 1 : at::get_num_threads();
    if (threads == 1)
      some_columns(0, columns_);
    else if (rows_ >= 2 * threads * kRowGrain)  // pieces for all
      share_rows();
    else
      share(columns_, column_grain(threads), [&](int64_t first, int64_t last) { some_columns(first, last); });
  }

 private:
  // Each piece packs all rows again: few narrow ones.
  int64_t column_grain(int64_t threads) const {
    const int64_t fair = columns_ / (16 * threads) / kColumnGrain * kColumnGrain;
    return std::clamp<int64_t>(fair, 2 * kColumnGrain, 8 * kColumnGrain);
  }

  static at::Tensor memory(int64_t columns, int64_t depth) {
    const int64_t width =
        std::min(kernels::kFloatGemmColumns, (columns + kColumnGrain - 1) / kColumnGrain * kColumnGrain);
    return at::empty({width, std::min(depth, kernels::kFloatGemmDepth)}, at::kFloat);  // of the block cache
  }

  void some_columns(int64_t first, int64_t last) const {
    const at::Tensor packed = memory(last - first, depth_);
    kernels::for_float_gemm_blocks(first, last, depth_, [&](kernels::PackedColumns block) {
      pack_(block.first, block.last, block.begin, block.end, packed.mutable_data_ptr<float>());
      block.data = packed.const_data_ptr<float>();
      kernels::float_gemm_rows(left_, 0, rows_, block, out_, columns_);
    });
  }

  void share_rows() const {
    const at::Tensor packed = memory(columns_, depth_);
    float* to = packed.mutable_data_ptr<float>();
    kernels::for_float_gemm_blocks(0, columns_, depth_, [&](kernels::PackedColumns block) {
      block.data = to;
      share(block.last - block.first, 2 * kColumnGrain, [&](int64_t first, int64_t last) {
        pack_(block.first + first, block.first + last, block.begin, block.end, to + first * (block.end - block.begin));
      });
      share(rows_, kRowGrain,
            [&](int64_t first, int64_t last) { kernels::float_gemm_rows(left_, first, last, block, out_, columns_); });
    });
  }

  kernels::FloatLines left_;
  int64_t rows_, columns_, depth_;
  const PackColumns& pack_;
  float* out_;
};

}  // namespace

void blocked_product(const kernels::FloatLines& left, int64_t rows, int64_t columns, int64_t depth,
                     const PackColumns& pack, float* out) {
  if (depth == 0) return void(std::fill_n(out, rows * columns, 0.0f));
  BlockedProduct(left, rows, columns, depth, pack, out).run();
}

}  // namespace detent::ops
