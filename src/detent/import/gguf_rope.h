// How GGUF keeps a stretched rotary embedding: linear scaling as metadata, Llama 3's as a tensor of divisors of the
// frequencies. Source: convert_hf_to_gguf.py of ggml-org/llama.cpp.
#pragma once
#include <string>
#include <vector>

#include "detent/architectures/decoder_config.h"
#include "detent/io/gguf.h"

namespace detent {

inline constexpr const char* kRopeFactors = "rope_freqs.weight";

// Fails, naming what is lost, on a scaling that cannot be read back out of the file.
void check_rope_fits_gguf(const DecoderConfig& config);
std::vector<io::GgufKeyValue> rope_metadata(const DecoderConfig& config);
// rope_freqs.weight, [head_size / 2]; empty unless the scaling is Llama 3's.
std::vector<float> rope_factors(const DecoderConfig& config);

bool is_rope_key(std::string_view key);
// Sets config.rope_scaling, whose other fields are set already. The factors are taken apart into Llama 3's four numbers
// by trying the ones in use. Fails, naming file and key or tensor, on a scaling that is not handled.
void read_rope_scaling(const io::GgufReader& file, const std::string& source, DecoderConfig& config);

}  // namespace detent
