#include "detent/architectures/architecture.h"
#include "detent/architectures/config_rope.h"

namespace detent {

namespace {

using nlohmann::json;

class WriteKeys : public ConfigKeys {
 public:
  explicit WriteKeys(json& root) : root_(root) {}

  void required(const char* key, int64_t& value) override { root_[key] = value; }
  void size(const char* key, int64_t& value) override { root_[key] = value > 0 ? json(value) : json(nullptr); }
  void number(const char* key, double& value) override { root_[key] = value; }
  void flag(const char* key, bool& value) override { root_[key] = value; }
  void only(const char* key, const json& value) override { root_[key] = value; }
  void rope(DecoderConfig& config) override { write_rope(config, root_); }
  void window_by_layer(DecoderConfig& config) override {
    const bool use = !config.sliding_layers.empty();
    root_["use_sliding_window"] = use;
    size("sliding_window", config.sliding_window);
    root_["max_window_layers"] = config.max_window_layers;
    json types = json::array();
    for (int64_t i = 0; i < config.num_hidden_layers; ++i)
      types.push_back(config.window(i) > 0 ? "sliding_attention" : "full_attention");
    root_["layer_types"] = types;
  }

 private:
  json& root_;
};

}  // namespace

json to_json(const DecoderConfig& config) {
  const Architecture& architecture = find_architecture(config.architecture, "config");
  DecoderConfig copy = config;  // a visit may write
  copy.num_key_value_heads = config.kv_heads();
  copy.head_dim = config.head_size();
  json root = config.carried;
  root["architectures"] = {architecture.model_class};
  root["model_type"] = config.architecture;
  WriteKeys keys(root);
  architecture.visit(keys, copy);
  root["torch_dtype"] = root["dtype"] = "float32";
  return root;
}

}  // namespace detent
