#include "detent/models/causal_lm.h"

#include <ATen/ATen.h>

#include <cmath>

#include "detent/ops/fake_quant.h"

namespace detent {

CausalLm::CausalLm(const DecoderConfig& config, uint64_t seed)
    : config_(config), rope_(config.head_size(), config.rope_theta), blocks_(config.num_hidden_layers) {
  config_.check();
  name_parameters();
  initialise(seed);
}

void CausalLm::name_parameters() {
  embedding_.name = "model.embed_tokens.weight";
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const std::string at = "model.layers." + std::to_string(i) + ".";
    Block& b = blocks_[i];
    b.input_norm.name = at + "input_layernorm.weight";
    b.q.name = at + "self_attn.q_proj.weight";
    b.k.name = at + "self_attn.k_proj.weight";
    b.v.name = at + "self_attn.v_proj.weight";
    b.o.name = at + "self_attn.o_proj.weight";
    b.post_norm.name = at + "post_attention_layernorm.weight";
    b.gate.name = at + "mlp.gate_proj.weight";
    b.up.name = at + "mlp.up_proj.weight";
    b.down.name = at + "mlp.down_proj.weight";
    b.input_norm.epsilon = b.post_norm.epsilon = config_.rms_norm_eps;
  }
  final_norm_.name = "model.norm.weight";
  final_norm_.epsilon = config_.rms_norm_eps;
  head_.name = "lm_head.weight";
}

void CausalLm::initialise(uint64_t seed) {
  uint32_t tensor = 0;
  const auto normal = [&](std::vector<int64_t> shape, double deviation) {
    return ops::add_gaussian(at::zeros(shape, at::kFloat), static_cast<float>(deviation), {seed, tensor++, 0});
  };
  const auto ones = [&] { return at::ones({config_.hidden_size}, at::kFloat); };
  const double deviation = config_.initializer_range;
  const double residual = deviation / std::sqrt(2.0 * static_cast<double>(config_.num_hidden_layers));
  const int64_t d = config_.hidden_size, inner = config_.intermediate_size;
  const int64_t q_size = config_.num_attention_heads * config_.head_size();
  const int64_t kv_size = config_.kv_heads() * config_.head_size();
  embedding_.weight = normal({config_.vocab_size, d}, deviation);
  for (Block& b : blocks_) {
    b.input_norm.weight = ones();
    b.q.weight = normal({q_size, d}, deviation);
    b.k.weight = normal({kv_size, d}, deviation);
    b.v.weight = normal({kv_size, d}, deviation);
    b.o.weight = normal({d, q_size}, residual);
    b.post_norm.weight = ones();
    b.gate.weight = normal({inner, d}, deviation);
    b.up.weight = normal({inner, d}, deviation);
    b.down.weight = normal({d, inner}, residual);
  }
  final_norm_.weight = ones();
  if (!config_.tie_word_embeddings) head_.weight = normal({config_.vocab_size, d}, deviation);
}

std::vector<nn::Slot> CausalLm::slots() {
  std::vector<nn::Slot> all{nn::slot(embedding_)};
  for (Block& b : blocks_) {
    all.push_back(nn::slot(b.input_norm));
    for (nn::Linear* layer : {&b.q, &b.k, &b.v, &b.o}) all.push_back(nn::slot(*layer));
    all.push_back(nn::slot(b.post_norm));
    for (nn::Linear* layer : {&b.gate, &b.up, &b.down}) all.push_back(nn::slot(*layer));
  }
  all.push_back(nn::slot(final_norm_));
  if (!config_.tie_word_embeddings) all.push_back(nn::slot(head_, nn::Role::kHead));
  return all;
}

at::Tensor CausalLm::attention(Block& block, const at::Tensor& x, const at::Tensor& mask) {
  const int64_t batch = x.size(0), length = x.size(1), size = config_.head_size();
  const auto heads = [&](const at::Tensor& projected) {
    return projected.view({batch, length, -1, size}).transpose(1, 2);  // [B, heads, T, d]
  };
  const at::Tensor q = rope_.apply(heads(block.q.forward(x)));
  const at::Tensor k = rope_.apply(heads(block.k.forward(x)));
  const at::Tensor mixed = nn::causal_attention(q, k, heads(block.v.forward(x)), mask);
  return block.o.forward(mixed.transpose(1, 2).reshape({batch, length, -1}));
}

at::Tensor CausalLm::hidden(const at::Tensor& embedded, const at::Tensor& mask) {
  at::Tensor x = embedded;
  for (Block& block : blocks_) {
    x = x + attention(block, block.input_norm.forward(x), mask);
    const at::Tensor y = block.post_norm.forward(x);
    x = x + block.down.forward(at::silu(block.gate.forward(y)) * block.up.forward(y));
  }
  return final_norm_.forward(x);
}

at::Tensor CausalLm::logits(const at::Tensor& ids, const at::Tensor& segments) {
  const at::Tensor mask = segments.defined() ? nn::segment_mask(segments) : at::Tensor();
  const at::Tensor table = embedding_.value();
  const at::Tensor x = hidden(at::embedding(table, ids), mask);
  return config_.tie_word_embeddings ? at::linear(x, table) : head_.forward(x);
}

}  // namespace detent
