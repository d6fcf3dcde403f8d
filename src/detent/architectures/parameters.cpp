#include "detent/architectures/parameters.h"

namespace detent {

namespace {

class List {
 public:
  std::vector<ParameterInfo> all;
  std::string prefix;

  void norm(const std::string& name, int64_t size) { add(name + ".weight", ParameterKind::kNorm, {size}); }
  void linear(const std::string& name, int64_t out, int64_t in, bool bias,
              ParameterKind kind = ParameterKind::kProjection) {
    add(name + ".weight", kind, {out, in});
    if (bias) add(name + ".bias", ParameterKind::kBias, {out});
  }
  void add(const std::string& name, ParameterKind kind, std::vector<int64_t> shape) {
    all.push_back({prefix + name, kind, std::move(shape)});
  }
};

void add_layer(List& list, const DecoderConfig& c) {
  const int64_t d = c.hidden_size, inner = c.intermediate_size, size = c.head_size();
  const int64_t q = c.num_attention_heads * size, kv = c.kv_heads() * size;
  constexpr ParameterKind kResidual = ParameterKind::kResidualProjection;
  list.norm("input_layernorm", d);
  list.linear("self_attn.q_proj", q, d, c.qkv_bias);
  list.linear("self_attn.k_proj", kv, d, c.qkv_bias);
  list.linear("self_attn.v_proj", kv, d, c.qkv_bias);
  list.linear("self_attn.o_proj", d, q, c.output_bias, kResidual);
  if (c.qk_norm) list.norm("self_attn.q_norm", size);
  if (c.qk_norm) list.norm("self_attn.k_norm", size);
  list.norm("post_attention_layernorm", d);
  list.linear("mlp.gate_proj", inner, d, c.mlp_bias);
  list.linear("mlp.up_proj", inner, d, c.mlp_bias);
  list.linear("mlp.down_proj", d, inner, c.mlp_bias, kResidual);
}

}  // namespace

std::vector<ParameterInfo> parameters(const DecoderConfig& config) {
  List list;
  list.add("model.embed_tokens.weight", ParameterKind::kEmbedding, {config.vocab_size, config.hidden_size});
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    list.prefix = "model.layers." + std::to_string(i) + ".";
    add_layer(list, config);
  }
  list.prefix.clear();
  list.norm("model.norm", config.hidden_size);
  if (!config.tie_word_embeddings)
    list.add("lm_head.weight", ParameterKind::kHead, {config.vocab_size, config.hidden_size});
  return list.all;
}

bool is_projection(const std::string& name) { return name.ends_with("_proj.weight"); }

}  // namespace detent
