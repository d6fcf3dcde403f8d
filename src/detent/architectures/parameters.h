// The weight map: every tensor of a decoder by its Hugging Face name, with its shape.
#pragma once
#include <string>
#include <vector>

#include "detent/architectures/decoder_config.h"

namespace detent {

enum class ParameterKind {
  kEmbedding,
  kProjection,
  kResidualProjection,  // its output is added to the residual stream: o_proj, down_proj
  kHead,
  kNorm,
  kBias
};

struct ParameterInfo {
  std::string name;
  ParameterKind kind;
  std::vector<int64_t> shape;  // [out, in], [vocab, hidden] or [size]
};

// In the order in which the model's slots come. A tied head has no tensor of its own.
std::vector<ParameterInfo> parameters(const DecoderConfig& config);

// Whether a tensor is a weight that layers multiply with: what quantization applies to unless told otherwise.
bool is_projection(const std::string& name);

}  // namespace detent
