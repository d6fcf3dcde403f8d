#include <ATen/ATen.h>

#include "detent/base/error.h"
#include "detent/import/gguf_codes.h"
#include "detent/import/gguf_decode.h"
#include "detent/import/gguf_llama.h"
#include "detent/import/gguf_rope.h"
#include "detent/import/gguf_runtime.h"
#include "detent/import/weight_files.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

class GgufWeights : public WeightFile {
 public:
  explicit GgufWeights(const fs::path& path) : path_(path), file_(path) {
    const auto* architecture = file_.find_value("general.architecture");
    const auto* known = architecture ? architecture->get_if<std::string>() : nullptr;
    if (known && is_gguf_architecture(*known)) try {
        model_ = config_from_gguf(file_, path.string());
      } catch (const Error& error) {
        problem_ = error.what();  // a look inside is still possible
      }
    for (const io::GgufTensor& tensor : file_.tensors()) {
      if (model_ && *known == "llama" && tensor.name == kRopeFactors) continue;  // part of the config
      stored_.push_back(&tensor);
      const auto name = model_ ? from_gguf_name(tensor.name) : std::nullopt;
      tensors_.push_back({name.value_or(tensor.name),
                          tensor.name,
                          std::string(tensor.type->name),
                          {tensor.ne.rbegin(), tensor.ne.rend()},
                          tensor.bytes.size()});
    }
  }
  std::string format() const override { return "gguf"; }
  const std::vector<StoredTensor>& tensors() const override { return tensors_; }
  bool can_decode(size_t index) const override { return detent::can_decode(*stored_[index]->type); }
  at::Tensor decode(size_t index) const override {
    return decode_bytes(index, stored_[index]->bytes, tensors_[index].shape, order_of(index));
  }
  bool has_rows(size_t index) const override { return tensors_[index].shape.size() == 2 && order_of(index).empty(); }
  at::Tensor decode_rows(size_t index, int64_t first, int64_t count) const override {
    const int64_t columns = tensors_[index].shape[1], size = row_bytes(*stored_[index]->type, columns);
    return decode_bytes(index, stored_[index]->bytes.subspan(first * size, count * size), {count, columns}, {});
  }
  std::optional<StoredBlocks> blocks(size_t index) const override {
    return StoredBlocks{stored_[index]->type->name, stored_[index]->bytes};
  }
  std::optional<Quantized> codes(size_t index) const override {
    const io::GgufTensor& stored = *stored_[index];
    auto codes = decode_codes(stored.bytes, *stored.type, tensors_[index].shape, order_of(index));
    file_.release(stored.bytes);
    return codes;
  }
  std::optional<QuantSpec> runtime_input(size_t index) const override {
    if (tensors_[index].name == "model.embed_tokens.weight") return std::nullopt;  // looked up, not multiplied
    return detent::runtime_input(*stored_[index]->type);
  }
  std::optional<nlohmann::json> config() const override {
    if (!problem_.empty()) fail("{}", problem_);
    return to_json(model_ ? *model_ : config_from_gguf(file_, path_.string()));
  }

 private:
  std::vector<int64_t> order_of(size_t index) const {
    return model_ ? gguf_row_order(tensors_[index].name, *model_) : std::vector<int64_t>();
  }
  at::Tensor decode_bytes(size_t index, std::span<const std::byte> bytes, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& order) const {
    return decode_tensor(bytes, *stored_[index]->type, shape, order,
                         [&](std::span<const std::byte> read) { file_.release(read); });
  }

  fs::path path_;
  io::GgufReader file_;
  std::optional<DecoderConfig> model_;
  std::string problem_;
  std::vector<const io::GgufTensor*> stored_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace

std::unique_ptr<WeightFile> open_gguf_weights(const fs::path& path) { return std::make_unique<GgufWeights>(path); }

}  // namespace detent
