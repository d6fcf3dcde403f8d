// A causal language model of the Llama family: RMSNorm, rotary embedding, grouped-query attention, SwiGLU
// (arXiv 2302.13971, 2307.09288), with what its relatives add: biases, norms of q and k, sliding windows. fp32.
#pragma once
#include <memory>
#include <vector>

#include "detent/architectures/decoder_config.h"
#include "detent/nn/attention.h"
#include "detent/nn/layers.h"
#include "detent/nn/rope.h"

namespace detent {

class CausalLm {
 public:
  // Parameters undefined, to be filled through slots().
  explicit CausalLm(const DecoderConfig& config);
  // Fresh weights: normal of initializer_range, residual outputs divided by sqrt(2 layers), norms one, biases zero.
  CausalLm(const DecoderConfig& config, uint64_t seed);

  // ids int64 [B, T] -> float32 [B, T, vocab]. `segments`, int64 [B, T], holds the document number of each position:
  // attention does not cross documents. Undefined: each row is one document. Positions count through a row, because
  // rotary embedding sees only their differences; under dynamic scaling the length that counts is that of the longest
  // document, as if positions began anew in each.
  at::Tensor logits(const at::Tensor& ids, const at::Tensor& segments = {});
  // The two halves of it: states [B, T, hidden] after the last norm, and the output layer, [..., hidden] ->
  // [..., vocab], for those of them that are wanted.
  at::Tensor hidden_states(const at::Tensor& ids, const at::Tensor& segments = {});
  at::Tensor output_layer(const at::Tensor& states);
  // Logits [B, vocab] of what follows ids [B, T] when they come after those that the cache has seen; without gradients.
  // The same as the last position of logits() over all of them, which needs can_extend() of the whole length.
  at::Tensor next_logits(const at::Tensor& ids, nn::KvCache& cache);
  bool can_extend(int64_t length) const { return !rope_.depends_on(length); }
  std::vector<nn::Slot> slots();  // every parameter once, in the order of parameters(config); a tied head has none
  const DecoderConfig& config() const { return config_; }

 private:
  struct Block {
    nn::RmsNorm input_norm, post_norm, q_norm, k_norm;
    nn::Linear q, k, v, o, gate, up, down;
  };
  // What the layers of one forward share.
  struct Pass {
    int64_t first = 0, length = 0;  // position of the first id; length of the longest document
    at::Tensor full, sliding;       // masks
    nn::KvCache* cache = nullptr;
  };
  at::Tensor attention(size_t layer, const at::Tensor& x, const Pass& pass);
  at::Tensor through_blocks(at::Tensor x, const Pass& pass);  // [B, T, hidden]

  DecoderConfig config_;
  nn::Rope rope_;
  nn::Parameter embedding_;
  std::vector<Block> blocks_;
  nn::RmsNorm final_norm_;
  nn::Linear head_;
};

}  // namespace detent
