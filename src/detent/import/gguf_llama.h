// Llama, Qwen2 and Qwen3 in GGUF: names, row order and metadata, both ways. Source: convert_hf_to_gguf.py of
// ggml-org/llama.cpp.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "detent/architectures/decoder_config.h"
#include "detent/io/gguf.h"

namespace detent {

// "model.layers.3.self_attn.q_proj.weight" <-> "blk.3.attn_q.weight"; nothing for a name that none of them has.
std::optional<std::string> to_gguf_name(const std::string& name);
std::optional<std::string> from_gguf_name(const std::string& name);

// llama, qwen2 or qwen3.
bool is_gguf_architecture(const std::string& name);
// Fails, naming what has no place there, unless a GGUF file of the config's architecture can say all that it does.
void check_fits_gguf(const DecoderConfig& config);

// Every tensor of the model by its Hugging Face name, in the order in which the file holds them.
std::vector<std::string> gguf_tensor_names(const DecoderConfig& config);

// Row i of the file's tensor is row order[i] of Hugging Face's; empty: as it is. Of a Llama,
// llama.cpp rotates neighbouring pairs where transformers rotates halves, so the rows of q and k are interleaved head
// by head; of Qwen's models it rotates halves, too.
std::vector<int64_t> gguf_row_order(const std::string& name, const DecoderConfig& config);

// Everything but the tokenizer. `model_name` and the sizes in it are for people; file_type is llama.cpp's number.
std::vector<io::GgufKeyValue> gguf_metadata(const DecoderConfig& config, const std::string& model_name,
                                            uint32_t file_type);
// The config that metadata stands for. Fails, naming file and key, on what is missing or would change the maths and is
// not handled.
DecoderConfig config_from_gguf(const io::GgufReader& file, const std::string& source);

}  // namespace detent
