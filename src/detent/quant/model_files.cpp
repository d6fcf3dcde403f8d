#include "detent/quant/model_files.h"

#include <ATen/ATen.h>

#include <cmath>
#include <set>

#include "detent/architectures/parameters.h"
#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace fs = std::filesystem;

namespace {

constexpr const char *kHead = "lm_head.weight", *kEmbedding = "model.embed_tokens.weight";

std::string shape_text(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

bool is_float(io::Dtype dtype) {
  return dtype == io::Dtype::kF32 || dtype == io::Dtype::kF16 || dtype == io::Dtype::kBF16;
}

void check_tensor(const io::TensorView& view, const ParameterInfo& info, const std::string& folder) {
  if (view.shape != info.shape)
    fail("{}: tensor {} has shape {}, its config.json asks for {}", folder, in_quotes(view.name),
         shape_text(view.shape), shape_text(info.shape));
  if (!is_float(view.dtype))
    fail("{}: tensor {} is {}; weights must be F32, F16 or BF16", folder, in_quotes(view.name),
         io::dtype_name(view.dtype));
}

void check_tied_head(const io::SafetensorsReader& weights, const std::string& folder) {
  const io::TensorView *head = weights.find(kHead), *table = weights.find(kEmbedding);
  if (!head) return;
  const bool same = head->dtype == table->dtype && head->shape == table->shape &&
                    std::equal(head->bytes.begin(), head->bytes.end(), table->bytes.begin(), table->bytes.end());
  weights.release(head->bytes);
  weights.release(table->bytes);
  if (!same)
    fail(
        "{}: config.json ties the head to the embedding (tie_word_embeddings), but lm_head.weight holds other values; "
        "set tie_word_embeddings: false to use them",
        folder);
}

// Old checkpoints store theta^(-2i/d), some of them in 16 bits.
void check_frequencies(const io::SafetensorsReader& weights, const io::TensorView& view, const DecoderConfig& config) {
  const int64_t half = config.head_size() / 2;
  bool right = is_float(view.dtype) && view.shape == std::vector<int64_t>{half};
  if (right) {
    const at::Tensor stored = read_float_tensor(weights, view);
    for (int64_t i = 0; i < half; ++i) {
      const double expected = std::pow(config.rope_theta, -static_cast<double>(i) / static_cast<double>(half));
      right = right && std::abs(stored.const_data_ptr<float>()[i] - expected) <= 0.01 * expected + 1e-7;
    }
  }
  if (!right)
    fail("{}: tensor {} holds rotary frequencies other than those of its config.json, which is not handled",
         weights.path().string(), in_quotes(view.name));
}

void check_weights(const DecoderConfig& config, const io::SafetensorsReader& weights) {
  const std::string folder = weights.path().string();
  std::set<std::string> wanted;
  for (const ParameterInfo& info : parameters(config)) {
    const io::TensorView* view = weights.find(info.name);
    if (!view) fail("{}: tensor {} is missing, its config.json asks for it", folder, in_quotes(info.name));
    check_tensor(*view, info, folder);
    wanted.insert(info.name);
  }
  for (const io::TensorView& view : weights.tensors()) {
    if (wanted.contains(view.name)) continue;
    if (!is_redundant(view.name, config.tie_word_embeddings))
      fail("{}: tensor {} has no place in a model of its config.json", folder, in_quotes(view.name));
    if (view.name != kHead) check_frequencies(weights, view, config);
  }
  if (config.tie_word_embeddings) check_tied_head(weights, folder);
}

}  // namespace

bool is_redundant(const std::string& name, bool tied) {
  return (tied && name == kHead) || name.ends_with(".rotary_emb.inv_freq");
}

DecoderConfig read_decoder_config(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  if (!fs::exists(path)) fail("{} is no model folder: it has no config.json", folder.string());
  return decoder_config_from_text(io::as_text(io::MappedFile(path).bytes()), path.string());
}

ModelFiles open_model(const fs::path& folder) {
  ModelFiles files{read_decoder_config(folder), io::SafetensorsReader(folder)};
  check_weights(files.config, files.weights);
  return files;
}

}  // namespace detent
