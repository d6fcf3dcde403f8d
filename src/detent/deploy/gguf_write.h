// A whole Llama as one GGUF file, tensor by tensor.
#pragma once
#include <string>

#include "detent/deploy/target.h"
#include "detent/io/ggml_types.h"

namespace detent {

struct GgufKind {
  std::string target;
  const io::GgmlType& type;  // of the weights on a grid, or of every weight when it is a float type
  uint32_t file_type;        // llama.cpp's number for it
};
// Needs the memory of one packed tensor beyond the model. Fails when the model is no Llama, a tensor is missing or
// superfluous, or values have no place in their type.
ExportReport write_gguf(const ShippedModel& model, const std::string& path, const GgufKind& kind);

}  // namespace detent
