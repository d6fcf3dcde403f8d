// The golden files of tests/golden: tensors by name and the cases of their metadata (tests/golden/README.md).
#pragma once
#include <ATen/ATen.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/format/spec.h"
#include "detent/io/safetensors.h"

namespace detent::test {

inline std::filesystem::path golden_path(const std::string& file) {
  return std::filesystem::path(DETENT_SOURCE_DIR) / "tests" / "golden" / file;
}

class Golden {
 public:
  explicit Golden(const std::string& file) : reader_(golden_path(file)) {
    const auto found = reader_.metadata().find("cases");
    if (found != reader_.metadata().end()) cases_ = parse_json(found->second, file);
  }

  const nlohmann::json& cases() const { return cases_; }
  bool has(const std::string& name) const { return reader_.find(name) != nullptr; }
  at::Tensor tensor(const std::string& name) const {
    const io::TensorView& view = reader_.at(name);
    at::Tensor tensor = at::empty(view.shape, scalar_type(view));
    std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    return tensor;
  }
  // A tensor of a case: named in full by a field of the case, or "<id>.<key>".
  at::Tensor of(const nlohmann::json& entry, const std::string& key) const {
    const std::string own = entry.at("id").get<std::string>() + "." + key;
    return tensor(has(own) ? own : entry.at(key).get<std::string>());
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const io::TensorView& view : reader_.tensors()) all.push_back(view.name);
    return all;
  }

 private:
  static at::ScalarType scalar_type(const io::TensorView& view) {
    switch (view.dtype) {
      case io::Dtype::kF32:
        return at::kFloat;
      case io::Dtype::kF64:
        return at::kDouble;
      case io::Dtype::kI64:
        return at::kLong;
      case io::Dtype::kI8:
        return at::kChar;
      case io::Dtype::kU8:
        return at::kByte;
      default:
        fail("golden tensor {} has type {}", view.name, io::dtype_name(view.dtype));
    }
  }
  io::SafetensorsReader reader_;
  nlohmann::json cases_ = nlohmann::json::array();
};

// The spec of a case of quantizers.safetensors. Learned steps and steps that are given by hand are "learned" here.
inline QuantSpec golden_spec(const nlohmann::json& entry) {
  const auto text = [&](const char* key, const std::string& otherwise) {
    const auto found = entry.find(key);
    return found == entry.end() || found->is_null() ? otherwise : found->get<std::string>();
  };
  const std::string group = text("granularity", ""), rotation = text("rotation", "none");
  QuantSpec spec;
  spec.grid = make_grid(text("grid", ""), static_cast<int>(entry.at("bits").get<double>()));  // ternary: 1.585
  spec.granularity = parse_granularity(group == "group32" ? "32" : group);
  spec.scale_rule = parse_scale_rule(text("rule", "learned"));
  spec.scale_format = parse_scale_format(text("format", ""));
  spec.rotation = parse_rotation(rotation == "back" ? "hadamard" : rotation == "half" ? "hadamard_half" : "none");
  spec.learned_unit = entry.value("s_over_d", 1.0f);
  return spec;
}

inline bool is_kind(const nlohmann::json& entry, std::initializer_list<const char*> kinds) {
  const std::string kind = entry.at("kind").get<std::string>();
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

}  // namespace detent::test
