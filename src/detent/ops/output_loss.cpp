#include "detent/ops/output_loss.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "detent/base/error.h"
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/kernels/log_sum_exp/log_sum_exp.h"
#include "detent/ops/product.h"

namespace detent::ops {

namespace {

constexpr int64_t kBlock = 768;     // of the vocabulary, as float_gemm packs it; fixed, since sums depend on it
constexpr int64_t kRows = 512;      // for which a block is packed once
constexpr int64_t kLeastRows = 64;  // likewise, where the vocabulary alone does not occupy every thread

class OutputLosses {
 public:
  OutputLosses(const at::Tensor& states, const at::Tensor& weight, const at::Tensor& targets)
      : states_(states.contiguous()),
        weight_(weight.contiguous()),
        targets_(targets.contiguous()),
        rows_(states.size(0)),
        vocab_(weight.size(0)),
        depth_(states.size(1)),
        blocks_((vocab_ + kBlock - 1) / kBlock),
        sums_(static_cast<size_t>(rows_ * blocks_)),
        chosen_(static_cast<size_t>(rows_)) {}

  at::Tensor run() {
    const int64_t rows = blocks_ >= at::get_num_threads() ? kRows : kLeastRows, cuts = (rows_ + rows - 1) / rows;
    at::parallel_for(0, cuts * blocks_, 1, [&](int64_t first, int64_t last) {
      const at::Tensor logits = at::empty({std::min(rows, rows_), std::min(kBlock, vocab_)}, states_.options());
      for (int64_t i = first; i < last; ++i)
        run_block(i / blocks_ * rows, std::min(rows_, (i / blocks_ + 1) * rows), i % blocks_,
                  logits.mutable_data_ptr<float>());
    });
    return losses();
  }

 private:
  void run_block(int64_t begin, int64_t end, int64_t block, float* logits) {
    const int64_t first = block * kBlock, size = std::min(kBlock, vocab_ - first);
    const kernels::FloatLines rows{states_.const_data_ptr<float>() + begin * depth_, depth_, 1},
        columns{weight_.const_data_ptr<float>() + first * depth_, depth_, 1};
    kernels::float_gemm(rows, columns, depth_, {0, end - begin, 0, size}, logits, size);
    for (int64_t row = begin; row < end; ++row, logits += size) {
      sums_[static_cast<size_t>(row * blocks_ + block)] = kernels::exp_sum(logits, size);
      const int64_t target = targets_.const_data_ptr<int64_t>()[row] - first;
      if (target >= 0 && target < size) chosen_[static_cast<size_t>(row)] = logits[target];
    }
  }

  at::Tensor losses() const {
    at::Tensor out = at::empty({rows_}, states_.options());
    float* to = out.mutable_data_ptr<float>();
    for (size_t row = 0; row < chosen_.size(); ++row)
      to[row] = static_cast<float>(kernels::log_sum_exp(sums_.data() + row * static_cast<size_t>(blocks_), blocks_) -
                                   double{chosen_[row]});
    return out;
  }

  at::Tensor states_, weight_, targets_;
  int64_t rows_, vocab_, depth_, blocks_;
  std::vector<kernels::ExpSum> sums_;  // [rows, blocks]
  std::vector<float> chosen_;          // each target's logit
};

}  // namespace

at::Tensor output_losses(const at::Tensor& states, const at::Tensor& weight, const at::Tensor& targets) {
  const at::NoGradGuard no_graph;
  if (states.dim() != 2 || weight.dim() != 2 || states.size(1) != weight.size(1) || targets.dim() != 1 ||
      targets.size(0) != states.size(0) || targets.scalar_type() != at::kLong)
    fail("[output_losses] got states {}, a weight {} and {} targets", fmt::join(states.sizes(), "x"),
         fmt::join(weight.sizes(), "x"), fmt::join(targets.sizes(), "x"));
  if (!has_product(states, weight))
    return at::cross_entropy_loss(ops::linear(states, weight), targets, {}, at::Reduction::None);
  if (targets.lt(0).any().item<bool>() || targets.ge(weight.size(0)).any().item<bool>())
    fail("[output_losses] got a target outside of [0, {})", weight.size(0));
  return OutputLosses(states, weight, targets).run();
}

}  // namespace detent::ops
