// Llama: RMSNorm, rotary embedding, grouped-query attention, SwiGLU (arXiv 2302.13971, 2307.09288). fp32.
#pragma once
#include <memory>
#include <vector>

#include "detent/models/llama_config.h"
#include "detent/nn/layers.h"

namespace detent {

class Llama {
 public:
  // Fresh weights: normal of initializer_range, residual outputs divided by sqrt(2 layers), norms one.
  Llama(const LlamaConfig& config, uint64_t seed);

  at::Tensor logits(const at::Tensor& ids);  // int64 [B, T] -> float32 [B, T, vocab]
  std::vector<nn::Slot> slots();             // every parameter once, in a fixed order; a tied head has none
  const LlamaConfig& config() const { return config_; }

 private:
  struct Block {
    nn::RmsNorm input_norm, post_norm;
    nn::Linear q, k, v, o, gate, up, down;
  };
  at::Tensor attention(Block& block, const at::Tensor& x);
  at::Tensor hidden(const at::Tensor& embedded);
  void name_parameters();
  void initialise(uint64_t seed);

  LlamaConfig config_;
  nn::Rope rope_;
  nn::Embedding embedding_;
  std::vector<Block> blocks_;
  nn::RmsNorm final_norm_;
  nn::Linear head_;
};

}  // namespace detent
