#include "detent/deploy/gguf_target.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>

#include "detent/base/error.h"
#include "detent/deploy/gguf_tensor.h"
#include "detent/deploy/gguf_write.h"

namespace detent {

namespace {

// llama.cpp's number for "mostly this type" (llama_ftype of llama.h).
struct FileType {
  const char* type;
  uint32_t number;
};
constexpr FileType kFileTypes[] = {{"F32", 0},   {"F16", 1},   {"Q4_0", 2},   {"Q5_0", 8},   {"Q8_0", 7},
                                   {"Q2_0", 41}, {"Q1_0", 40}, {"TQ1_0", 36}, {"TQ2_0", 37}, {"MXFP4", 38},
                                   {"Q2_K", 10}, {"Q3_K", 11}, {"Q4_K", 14}};

std::string type_name(const TargetRules& rules) {
  std::string type = rules.name().substr(rules.name().find(':') + 1);
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::toupper(c); });
  return type;
}

uint32_t file_type(const std::string& type) {
  const auto* row =
      std::find_if(std::begin(kFileTypes), std::end(kFileTypes), [&](const FileType& r) { return type == r.type; });
  if (row == std::end(kFileTypes)) fail("[gguf] llama.cpp has no number for files of type {}", type);
  return row->number;
}

const io::GgmlType& ggml_type(const std::string& type) {
  const auto* found = io::find_ggml_type(type);
  if (!found) fail("[gguf] GGUF files have no tensor type {}", type);
  return *found;
}

class GgufTarget : public ExportTarget {
 public:
  explicit GgufTarget(const TargetRules& rules)
      : ExportTarget(rules), kind_{rules.name(), ggml_type(type_name(rules)), file_type(type_name(rules))} {}
  bool holds(const at::Tensor& value) const override { return holds_values(kind_.type, value); }
  ExportReport write(const ShippedModel& model, const std::string& path) const override {
    return write_gguf(model, path, kind_);
  }

 private:
  GgufKind kind_;
};

}  // namespace

std::unique_ptr<const ExportTarget> gguf_target(const TargetRules& rules) {
  return std::make_unique<GgufTarget>(rules);
}

}  // namespace detent
