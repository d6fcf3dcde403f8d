// A causal language model of the Llama family: RMSNorm, rotary embedding, grouped-query attention, SwiGLU
// (arXiv 2302.13971, 2307.09288). fp32.
#pragma once
#include <memory>
#include <vector>

#include "detent/architectures/decoder_config.h"
#include "detent/nn/layers.h"

namespace detent {

class CausalLm {
 public:
  // Fresh weights: normal of initializer_range, residual outputs divided by sqrt(2 layers), norms one.
  CausalLm(const DecoderConfig& config, uint64_t seed);

  // ids int64 [B, T] -> float32 [B, T, vocab]. `segments`, int64 [B, T], holds the document number of each position:
  // attention does not cross documents. Undefined: each row is one document. Positions count through a row, because
  // rotary embedding sees only their differences.
  at::Tensor logits(const at::Tensor& ids, const at::Tensor& segments = {});
  std::vector<nn::Slot> slots();  // every parameter once, in a fixed order; a tied head has none
  const DecoderConfig& config() const { return config_; }

 private:
  struct Block {
    nn::RmsNorm input_norm, post_norm;
    nn::Linear q, k, v, o, gate, up, down;
  };
  at::Tensor attention(Block& block, const at::Tensor& x, const at::Tensor& mask);
  at::Tensor hidden(const at::Tensor& embedded, const at::Tensor& mask);
  void name_parameters();
  void initialise(uint64_t seed);

  DecoderConfig config_;
  nn::Rope rope_;
  nn::Embedding embedding_;
  std::vector<Block> blocks_;
  nn::RmsNorm final_norm_;
  nn::Linear head_;
};

}  // namespace detent
