// How llama.cpp multiplies with a tensor of a GGUF file.
#pragma once
#include <optional>

#include "detent/format/spec.h"
#include "detent/io/ggml_types.h"

namespace detent {

// What it quantizes the other operand to, block by block, before the product (vec_dot_type in ggml-cpu.c,
// quantize_row_q8_0 and quantize_row_q8_K in ggml-quants.c of ggml-org/ggml): q8_0's 32 integers with an fp16 scale, or
// q8_K's 256 with a float32 one, both max|x| / 127. Nothing for float types, whose products are taken as float32 ones.
std::optional<QuantSpec> runtime_input(const io::GgmlType& type);

}  // namespace detent
