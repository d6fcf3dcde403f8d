// Checkpoints of llama2.c: a header of integers, then float32 tensors without names. The format: export.py and run.c of
// karpathy/llama2.c, versions 0 (no magic number, a negative vocabulary for a head of its own, tables of the rotary
// embedding inside) and 1.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace detent::io {

struct Llama2cShape {
  int64_t dim = 0, hidden_dim = 0, n_layers = 0, n_heads = 0, n_kv_heads = 0, vocab_size = 0, max_seq_len = 0;
  bool shared_classifier = true;  // the head is the embedding
};

struct Llama2cTensor {
  std::string name;    // run.c's: "wq", "rms_att_weight"
  int64_t layer = -1;  // -1: of the whole model
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // float32, row-major
};

struct Llama2cContent {
  Llama2cShape shape;
  std::vector<Llama2cTensor> tensors;  // in the file's order, without version 0's tables
};

// Whether the bytes can be such a file: the magic number of versions 1 and up, or a header of version 0 whose sizes
// give exactly the file's.
bool looks_like_llama2c(std::span<const std::byte> file);
// Tensors point into file. source names it in errors. Fails (bad input) on anything but a whole file of version 0 or 1.
Llama2cContent parse_llama2c(std::span<const std::byte> file, std::string_view source);

// tokenizer.bin: tokens as their bytes, with a space as a space, and a score each; the text with the highest is merged
// first.
struct Llama2cVocabulary {
  std::vector<std::string> tokens;
  std::vector<float> scores;
};
// Fails (bad input) unless the file holds exactly vocab_size tokens with finite scores.
Llama2cVocabulary parse_llama2c_tokenizer(std::span<const std::byte> file, int64_t vocab_size, std::string_view source);

}  // namespace detent::io
