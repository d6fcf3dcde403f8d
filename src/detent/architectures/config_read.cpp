#include <algorithm>
#include <cmath>
#include <set>

#include "detent/architectures/architecture.h"
#include "detent/architectures/config_rope.h"
#include "detent/architectures/harmless_keys.h"
#include "detent/architectures/json_value.h"
#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

namespace {

using nlohmann::json;

constexpr size_t kMaxConfigBytes = size_t{1} << 20;
constexpr int64_t kMostSize = int64_t{1} << 24;  // before lists of this length are made

class ReadKeys : public ConfigKeys {
 public:
  ReadKeys(const json& root, const std::string& source) : root_(root), source_(source) {}

  void required(const char* key, int64_t& value) override {
    if (!find_value(root_, key)) fail("{}: '{}' is missing", source_, key);
    size(key, value);
    if (value > kMostSize) fail("{}: '{}' = {} is out of range: 1 to {}", source_, key, value, kMostSize);
  }
  void size(const char* key, int64_t& value) override {
    known_.insert(key);
    if (root_.contains(key)) value = 0;
    take_size(root_, key, value, source_);
  }
  void number(const char* key, double& value) override {
    known_.insert(key);
    take_number(root_, key, value, source_);
  }
  void flag(const char* key, bool& value) override {
    known_.insert(key);
    take_flag(root_, key, value, source_);
  }
  void only(const char* key, const json& allowed) override {
    known_.insert(key);
    const json* found = find_value(root_, key);
    if (found && *found != allowed)
      fail("{}: {} = {} is not handled, only {}", source_, key, short_dump(*found), allowed.dump());
  }
  void rope(DecoderConfig& config) override {
    known_.insert({"rope_theta", "rope_scaling", "rope_parameters"});
    read_rope(root_, config, source_);
  }
  void window_by_layer(DecoderConfig& config) override;

  // What no visit claimed is of no consequence, or refused.
  void finish(DecoderConfig& config) const {
    for (const auto& [key, value] : root_.items()) {
      if (known_.contains(key) || is_written_anew(key)) continue;
      check_harmless(key, value, source_);
      config.carried[key] = value;
    }
  }

 private:
  std::vector<bool> layer_types(int64_t layers, bool windows) const;

  const json& root_;
  const std::string& source_;
  std::set<std::string> known_;
};

std::vector<bool> ReadKeys::layer_types(int64_t layers, bool windows) const {
  const json& list = *find_value(root_, "layer_types");
  if (!list.is_array() || list.size() != static_cast<size_t>(layers))
    fail("{}: 'layer_types' is not a list of num_hidden_layers = {} names", source_, layers);
  std::vector<bool> sliding;
  for (const json& type : list) {
    if (type != "full_attention" && type != "sliding_attention")
      fail("{}: layer_types holds {}, which is not handled; known: full_attention, sliding_attention", source_,
           short_dump(type));
    sliding.push_back(type == "sliding_attention");
    if (sliding.back() && !windows)
      fail("{}: layer_types asks for sliding_attention, but use_sliding_window or sliding_window is off", source_);
  }
  return sliding;
}

void ReadKeys::window_by_layer(DecoderConfig& config) {
  bool use = false;
  int64_t size_given = 4096, full_layers = 28;  // the defaults of Qwen2Config and Qwen3Config
  flag("use_sliding_window", use);
  size("sliding_window", size_given);
  size("max_window_layers", full_layers);
  known_.insert("layer_types");
  config.max_window_layers = full_layers;
  config.sliding_window = use ? size_given : 0;
  if (find_value(root_, "layer_types")) {
    config.sliding_layers = layer_types(config.num_hidden_layers, config.sliding_window > 0);
  } else if (config.sliding_window > 0) {
    for (int64_t i = 0; i < config.num_hidden_layers; ++i) config.sliding_layers.push_back(i >= full_layers);
  }
  if (std::find(config.sliding_layers.begin(), config.sliding_layers.end(), true) == config.sliding_layers.end()) {
    config.sliding_layers.clear();
    config.sliding_window = 0;
  }
}

}  // namespace

DecoderConfig decoder_config_from_json(const json& root, const std::string& source) {
  if (!root.is_object()) fail("{}: not a block of keys", source);
  const auto type = root.find("model_type");
  if (type == root.end() || !type->is_string())
    fail("{}: model_type is missing; known: {}", source, fmt::join(architecture_names(), ", "));
  const Architecture& architecture = find_architecture(type->get_ref<const std::string&>(), source);
  DecoderConfig config;
  config.architecture = type->get<std::string>();
  config.rms_norm_eps = 1e-6;  // what transformers takes where the key is absent; new models have 1e-5
  architecture.defaults(config);
  ReadKeys keys(root, source);
  architecture.visit(keys, config);
  keys.finish(config);
  config.check();
  return config;
}

DecoderConfig decoder_config_from_text(std::string_view text, const std::string& source) {
  if (text.size() > kMaxConfigBytes)
    fail("{}: {} bytes are too many for a config.json, at most {} are read", source, text.size(), kMaxConfigBytes);
  return decoder_config_from_json(parse_json(text, source), source);
}

}  // namespace detent
