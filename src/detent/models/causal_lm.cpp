#include "detent/models/causal_lm.h"

#include <ATen/ATen.h>

#include <cmath>

#include "detent/architectures/parameters.h"
#include "detent/ops/fake_quant.h"
#include "detent/ops/layers.h"
#include "detent/ops/product.h"

namespace detent {

CausalLm::CausalLm(const DecoderConfig& config)
    : config_(config), rope_(config), blocks_(static_cast<size_t>(config.num_hidden_layers)) {
  config_.check();
  final_norm_.epsilon = config_.rms_norm_eps;
  for (Block& b : blocks_)
    for (nn::RmsNorm* norm : {&b.input_norm, &b.post_norm, &b.q_norm, &b.k_norm}) norm->epsilon = config_.rms_norm_eps;
}

CausalLm::CausalLm(const DecoderConfig& config, uint64_t seed) : CausalLm(config) {
  const double deviation = config_.initializer_range;
  const double residual = deviation / std::sqrt(2.0 * static_cast<double>(config_.num_hidden_layers));
  const std::vector<ParameterInfo> infos = parameters(config_);
  const std::vector<nn::Slot> all = slots();
  uint32_t stream = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    at::Tensor& to = *all[i].parameter;
    if (infos[i].kind == ParameterKind::kNorm) {
      to = at::ones(infos[i].shape, at::kFloat);
    } else if (infos[i].kind == ParameterKind::kBias) {
      to = at::zeros(infos[i].shape, at::kFloat);
    } else {
      const double wide = infos[i].kind == ParameterKind::kResidualProjection ? residual : deviation;
      to = ops::add_gaussian(at::zeros(infos[i].shape, at::kFloat), static_cast<float>(wide), {seed, stream++, 0});
    }
  }
}

std::vector<nn::Slot> CausalLm::slots() {
  std::vector<nn::Slot> all;
  const auto vector = [&](nn::Parameter& p) { all.push_back({"", nn::Role::kVector, &p.weight, nullptr, &p.rule}); };
  const auto linear = [&](nn::Linear& layer, bool bias, nn::Role role = nn::Role::kProjection) {
    all.push_back({"", role, &layer.weight, &layer.rule, nullptr});
    if (bias) vector(layer.bias);
  };
  all.push_back({"", nn::Role::kEmbedding, &embedding_.weight, nullptr, &embedding_.rule});
  for (Block& b : blocks_) {
    vector(b.input_norm);
    for (nn::Linear* layer : {&b.q, &b.k, &b.v}) linear(*layer, config_.qkv_bias);
    linear(b.o, config_.output_bias);
    if (config_.qk_norm) vector(b.q_norm);
    if (config_.qk_norm) vector(b.k_norm);
    vector(b.post_norm);
    for (nn::Linear* layer : {&b.gate, &b.up, &b.down}) linear(*layer, config_.mlp_bias);
  }
  vector(final_norm_);
  if (!config_.tie_word_embeddings) linear(head_, false, nn::Role::kHead);
  const std::vector<ParameterInfo> infos = parameters(config_);
  for (size_t i = 0; i < all.size(); ++i) all[i].name = infos.at(i).name;
  return all;
}

void CausalLm::move_to(at::Device device) {
  for (const nn::Slot& slot : slots()) *slot.parameter = slot.parameter->to(device);
}

at::Tensor CausalLm::attention(size_t layer, const at::Tensor& x, const Pass& pass) {
  Block& block = blocks_[layer];
  const int64_t batch = x.size(0), count = x.size(1), window = config_.window(static_cast<int64_t>(layer));
  const auto heads = [&](const at::Tensor& projected) {
    return projected.view({batch, count, -1, config_.head_size()});  // [B, T, heads, d]
  };
  const auto rotated = [&](const at::Tensor& projected, const nn::RmsNorm& norm) {
    const at::Tensor each = config_.qk_norm ? norm.forward(heads(projected)) : heads(projected);
    return ops::rope(each, pass.rotation.cos, pass.rotation.sin).transpose(1, 2);
  };
  const at::Tensor q = rotated(block.q.forward(x), block.q_norm);
  at::Tensor k = rotated(block.k.forward(x), block.k_norm), v = heads(block.v.forward(x)).transpose(1, 2);
  if (pass.cache) std::tie(k, v) = pass.cache->append(layer, k, v);
  const at::Tensor mixed = nn::causal_attention(q, k, v, window > 0 ? pass.sliding : pass.full);
  return block.o.forward(mixed.transpose(1, 2).reshape({batch, count, -1}));
}

at::Tensor CausalLm::through_blocks(at::Tensor x, const Pass& pass) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    x = x + attention(i, block.input_norm.forward(x), pass);
    const at::Tensor y = block.post_norm.forward(x);
    x = x + block.down.forward(ops::swiglu(block.gate.forward(y), block.up.forward(y)));
  }
  return x;
}

namespace {
// Of the document that each position belongs to: int64 [B, T].
at::Tensor document_lengths(const at::Tensor& segments) {
  return segments.unsqueeze(2).eq(segments.unsqueeze(1)).sum(2);
}
}  // namespace

Hidden CausalLm::hidden_states(const at::Tensor& ids, const at::Tensor& segments) {
  const int64_t count = ids.size(1);
  Pass pass;
  const nn::Rotation rotation = segments.defined() && rope_.depends_on(count)
                                    ? rope_.of_documents(document_lengths(segments).cpu())
                                    : rope_.of_context(0, count);
  pass.rotation = rotation.on(device());
  pass.full = nn::attention_mask(0, count, 0, segments, device());
  pass.sliding = nn::attention_mask(0, count, config_.sliding_window, segments, device());
  const at::Tensor table = embedding_.value();  // once: its rule may quantize it
  const at::Tensor states = final_norm_.forward(through_blocks(at::embedding(table, ids), pass));
  return {states, config_.tie_word_embeddings ? table : at::Tensor()};
}

at::Tensor CausalLm::output_layer(const at::Tensor& states, const at::Tensor& table) {
  return config_.tie_word_embeddings ? ops::linear(states, table) : head_.forward(states);
}

at::Tensor CausalLm::output_weight(const at::Tensor& table) const {
  if (config_.tie_word_embeddings) return table;
  return head_.rule ? head_.rule->product_weight(head_.weight) : head_.weight;
}

at::Tensor CausalLm::logits(const at::Tensor& ids, const at::Tensor& segments) {
  const Hidden hidden = hidden_states(ids, segments);
  return output_layer(hidden.states, hidden.table);
}

at::Tensor CausalLm::next_logits(const at::Tensor& ids, nn::KvCache& cache) {
  const at::NoGradGuard guard;
  const int64_t count = ids.size(1), first = cache.length();
  const Pass pass{rope_.of_context(first, count).on(device()), nn::attention_mask(first, count, 0, {}, device()),
                  nn::attention_mask(first, count, config_.sliding_window, {}, device()), &cache};
  const at::Tensor table = embedding_.value();
  const at::Tensor x = through_blocks(at::embedding(table, ids), pass);
  cache.advance(count);
  return output_layer(final_norm_.forward(x.select(1, count - 1)), table);
}

}  // namespace detent
