#include "detent/ops/output_loss.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "detent/base/error.h"
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/kernels/log_sum_exp/log_sum_exp.h"
#include "detent/ops/product.h"
#include "detent/ops/share.h"

namespace detent::ops {

namespace {

constexpr int64_t kBlock = kernels::kFloatGemmColumns;  // of the vocabulary; fixed, since sums depend on it
constexpr int64_t kMostRows = 4096;                     // each leaves a sum a block
constexpr int64_t kRows = 512, kLeastRows = 64;         // for which a block is packed once
constexpr int64_t kTasks = 4;                           // of a thread, at least, where there are rows enough

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
    const int64_t rows = rows_of_a_task(), cuts = (rows_ + rows - 1) / rows;
    share(cuts * blocks_, 1, [&](int64_t first, int64_t last) {
      const at::Tensor logits = at::empty({std::min(rows, rows_), std::min(kBlock, vocab_)}, states_.options());
      for (int64_t i = first; i < last; ++i)
        run_block(i / blocks_ * rows, std::min(rows_, (i / blocks_ + 1) * rows), i % blocks_,
                  logits.mutable_data_ptr<float>());
    });
    return losses();
  }

 private:
  int64_t rows_of_a_task() const {
    int64_t rows = kRows;
    while (rows > kLeastRows && (rows_ + rows - 1) / rows * blocks_ < kTasks * at::get_num_threads()) rows /= 2;
    return rows;
  }

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
    at::parallel_for(0, rows_, 64, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row)
        to[row] = static_cast<float>(kernels::log_sum_exp(sums_.data() + row * blocks_, blocks_) -
                                     double{chosen_[static_cast<size_t>(row)]});
    });
    return out;
  }

  at::Tensor states_, weight_, targets_;
  int64_t rows_, vocab_, depth_, blocks_;
  std::vector<kernels::ExpSum> sums_;  // [rows, blocks]
  std::vector<float> chosen_;          // each target's logit
};

// In about equal parts, so that none has too few rows for a product of ours.
at::Tensor in_parts(const at::Tensor& states, const at::Tensor& targets, int64_t most,
                    const std::function<at::Tensor(const at::Tensor&, const at::Tensor&)>& losses) {
  const int64_t rows = states.size(0), cuts = std::max<int64_t>(1, (rows + most - 1) / most);
  std::vector<at::Tensor> parts;
  for (int64_t cut = 0; cut < cuts; ++cut) {
    const int64_t first = rows * cut / cuts, size = rows * (cut + 1) / cuts - first;
    parts.push_back(losses(states.narrow(0, first, size), targets.narrow(0, first, size)));
  }
  return cuts == 1 ? parts[0] : at::cat(parts);
}

}  // namespace

at::Tensor output_losses(const at::Tensor& states, const at::Tensor& weight, const at::Tensor& targets,
                         int64_t rows_at_a_time) {
  const at::NoGradGuard no_graph;
  if (states.dim() != 2 || weight.dim() != 2 || states.size(1) != weight.size(1) || targets.dim() != 1 ||
      targets.size(0) != states.size(0) || targets.scalar_type() != at::kLong)
    fail("[output_losses] got states {}, a weight {} and {} targets", fmt::join(states.sizes(), "x"),
         fmt::join(weight.sizes(), "x"), fmt::join(targets.sizes(), "x"));
  if (targets.lt(0).any().item<bool>() || targets.ge(weight.size(0)).any().item<bool>())
    fail("[output_losses] got a target outside of [0, {})", weight.size(0));
  if (has_product(states, weight))
    return in_parts(states, targets, kMostRows, [&](const at::Tensor& some, const at::Tensor& theirs) {
      return OutputLosses(some, weight, theirs).run();
    });
  return in_parts(states, targets, rows_at_a_time, [&](const at::Tensor& some, const at::Tensor& theirs) {
    return at::cross_entropy_loss(ops::linear(some, weight), theirs, {}, at::Reduction::None);
  });
}

}  // namespace detent::ops
