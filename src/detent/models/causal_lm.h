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

// What the blocks make of ids, and what the output layer needs besides: the table it shares with the embedding, if the
// head is tied, as it stood in the same forward.
struct Hidden {
  at::Tensor states, table;
};

class CausalLm {
 public:
  // Parameters undefined, to be filled through slots().
  explicit CausalLm(const DecoderConfig& config);
  // Fresh weights: normal of initializer_range, residual outputs divided by sqrt(2 layers), norms one, biases zero.
  CausalLm(const DecoderConfig& config, uint64_t seed);

  // ids int64 [B, T] -> float32 [B, T, vocab]. `segments`, int64 [B, T], holds the document number of each position:
  // attention does not cross documents, and each has the logits that it has alone. Undefined: each row is one document.
  at::Tensor logits(const at::Tensor& ids, const at::Tensor& segments = {});
  // The two halves of it: states [B, T, hidden] after the last norm, and the output layer, [..., hidden] ->
  // [..., vocab], for those of them that are wanted.
  Hidden hidden_states(const at::Tensor& ids, const at::Tensor& segments = {});
  at::Tensor output_layer(const at::Tensor& states, const at::Tensor& table);
  // What the output layer multiplies by, [vocab, hidden], where it does no more than that; else undefined.
  at::Tensor output_weight(const at::Tensor& table) const;
  // Logits [B, vocab] of what follows ids [B, T] when they come after those that the cache has seen; without gradients.
  // The same as the last position of logits() over all of them, which needs can_extend() of the whole length.
  at::Tensor next_logits(const at::Tensor& ids, nn::KvCache& cache);
  // Whether ids may be added to a shorter text, behind it, up to this length, without changing what it gives: by
  // generation, or as padding of a row. Not under dynamic rotary scaling beyond the trained length.
  bool can_extend(int64_t length) const { return !rope_.depends_on(length); }
  std::vector<nn::Slot> slots();  // every parameter once, in the order of parameters(config); a tied head has none
  const DecoderConfig& config() const { return config_; }
  // Where its parameters are, and ids, segments and caches must be. Before anything holds on to a parameter.
  at::Device device() const { return embedding_.weight.device(); }
  void move_to(at::Device device);

 private:
  struct Block {
    nn::RmsNorm input_norm, post_norm, q_norm, k_norm;
    nn::Linear q, k, v, o, gate, up, down;
  };
  // What the layers of one forward share.
  struct Pass {
    nn::Rotation rotation;
    at::Tensor full, sliding;  // masks
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
