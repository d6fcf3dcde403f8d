// The keys of a config.json as a family names them: one visit reads them, and the same visit writes them.
#pragma once
#include <nlohmann/json.hpp>

#include "detent/architectures/decoder_config.h"

namespace detent {

class ConfigKeys {
 public:
  virtual ~ConfigKeys() = default;

  // Reading fails where a required size is absent or null. Others keep the family's default when absent.
  virtual void required(const char* key, int64_t& value) = 0;
  virtual void size(const char* key, int64_t& value) = 0;  // null reads as 0 and 0 is written as null
  virtual void number(const char* key, double& value) = 0;
  virtual void flag(const char* key, bool& value) = 0;
  // Changes the maths, and only this value (or null) is handled.
  virtual void only(const char* key, const nlohmann::json& value) = 0;
  // rope_theta, rope_scaling and rope_parameters.
  virtual void rope(DecoderConfig& config) = 0;
  // Qwen's use_sliding_window, sliding_window, max_window_layers and layer_types.
  virtual void window_by_layer(DecoderConfig& config) = 0;
};

// The keys that every family has.
void visit_common(ConfigKeys& keys, DecoderConfig& config);

}  // namespace detent
