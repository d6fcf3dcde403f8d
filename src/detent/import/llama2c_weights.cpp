#include <ATen/ATen.h>

#include "detent/base/error.h"
#include "detent/import/gguf_decode.h"
#include "detent/import/gguf_llama.h"
#include "detent/import/llama2c_tokenizer.h"
#include "detent/import/weight_files.h"
#include "detent/io/llama2c.h"
#include "detent/io/mapped_file.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

struct NamePair {
  const char *llama2c, *hugging_face;
};
constexpr NamePair kNames[] = {{"token_embedding_table", "model.embed_tokens.weight"},
                               {"rms_att_weight", "input_layernorm.weight"},
                               {"wq", "self_attn.q_proj.weight"},
                               {"wk", "self_attn.k_proj.weight"},
                               {"wv", "self_attn.v_proj.weight"},
                               {"wo", "self_attn.o_proj.weight"},
                               {"rms_ffn_weight", "post_attention_layernorm.weight"},
                               {"w1", "mlp.gate_proj.weight"},
                               {"w2", "mlp.down_proj.weight"},
                               {"w3", "mlp.up_proj.weight"},
                               {"rms_final_weight", "model.norm.weight"},
                               {"wcls", "lm_head.weight"}};

std::string hugging_face_name(const io::Llama2cTensor& tensor) {
  for (const NamePair& pair : kNames)
    if (tensor.name == pair.llama2c)
      return tensor.layer < 0 ? pair.hugging_face : fmt::format("model.layers.{}.{}", tensor.layer, pair.hugging_face);
  fail("[llama2.c] unknown tensor {}", tensor.name);
}

// run.c adds 1e-5 in its norms and takes 10000 for the base of the rotary embedding; the file says neither.
DecoderConfig config_of(const io::Llama2cShape& shape) {
  DecoderConfig config;
  config.vocab_size = shape.vocab_size;
  config.hidden_size = shape.dim;
  config.intermediate_size = shape.hidden_dim;
  config.num_hidden_layers = shape.n_layers;
  config.num_attention_heads = shape.n_heads;
  config.num_key_value_heads = shape.n_kv_heads;
  config.max_position_embeddings = shape.max_seq_len;
  config.rms_norm_eps = 1e-5;
  config.rope_theta = 10000;
  config.tie_word_embeddings = shape.shared_classifier;
  config.check();
  return config;
}

// Rotates neighbouring pairs as llama.cpp does, so its rows of q and k lie in the same order.
class Llama2cWeights : public WeightFile {
 public:
  explicit Llama2cWeights(const fs::path& path)
      : file_(path), content_(io::parse_llama2c(file_.bytes(), path.string())), config_(config_of(content_.shape)) {
    for (const io::Llama2cTensor& tensor : content_.tensors)
      tensors_.push_back({hugging_face_name(tensor), stored_name(tensor), "F32", tensor.shape, tensor.bytes.size()});
  }
  std::string format() const override { return "llama2.c"; }
  const std::vector<StoredTensor>& tensors() const override { return tensors_; }
  bool can_decode(size_t) const override { return true; }
  at::Tensor decode(size_t index) const override {
    const StoredTensor& tensor = tensors_[index];
    return decode_tensor(content_.tensors[index].bytes, *io::find_ggml_type("F32"), tensor.shape,
                         gguf_row_order(tensor.name, config_));
  }
  std::optional<nlohmann::json> config() const override {
    nlohmann::json config = to_json(config_);
    config["bos_token_id"] = kLlama2cBos;
    config["eos_token_id"] = {kLlama2cBos, kLlama2cEos};
    return config;
  }

 private:
  static std::string stored_name(const io::Llama2cTensor& tensor) {
    return tensor.layer < 0 ? tensor.name : fmt::format("{}[{}]", tensor.name, tensor.layer);
  }
  io::MappedFile file_;
  io::Llama2cContent content_;
  DecoderConfig config_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace

std::unique_ptr<WeightFile> open_llama2c_weights(const fs::path& path) {
  return std::make_unique<Llama2cWeights>(path);
}

}  // namespace detent
