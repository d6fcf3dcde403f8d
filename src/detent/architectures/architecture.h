// A family of decoders: one file in families/, whose name is the model_type of config.json and model.architecture of a
// training configuration. The build makes the table from the file names.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "detent/architectures/config_keys.h"

namespace detent {

struct Architecture {
  const char* model_class;  // in transformers; what config.json lists under `architectures`
  const char* members;      // the models that people know by name
  // Sets what an absent key stands for in transformers, and which biases, norms and windows the family has.
  void (*defaults)(DecoderConfig& config);
  void (*visit)(ConfigKeys& keys, DecoderConfig& config);
};
struct NamedArchitecture {
  std::string name;
  const Architecture* architecture;
};
const std::vector<NamedArchitecture>& all_architectures();  // generated
std::vector<std::string> architecture_names();
// Fails naming the known ones.
const Architecture& find_architecture(std::string_view name, std::string_view source);

}  // namespace detent
