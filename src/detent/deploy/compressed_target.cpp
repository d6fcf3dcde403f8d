#include "detent/deploy/compressed_target.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "detent/architectures/decoder_config.h"
#include "detent/architectures/parameters.h"
#include "detent/base/error.h"
#include "detent/deploy/folder_parts.h"
#include "detent/deploy/model_parts.h"
#include "detent/deploy/packed_bytes.h"
#include "detent/deploy/packed_matrix.h"
#include "detent/format/packed_ints.h"
#include "detent/import/compressed_config.h"
#include "detent/io/safetensors.h"
#include "detent/io/spool.h"

namespace detent {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string module_of(const std::string& weight) {
  return weight.substr(0, weight.size() - std::string(".weight").size());
}

// One tensor of the file. Packed bytes are made or fetched when its turn comes; without them its values are written.
struct Part {
  io::TensorInfo info;
  std::function<std::vector<std::byte>()> packed;
};

std::vector<std::byte> shape_bytes(int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns};
  const auto bytes = std::as_bytes(std::span(shape));
  return {bytes.begin(), bytes.end()};
}

class Writer {
 public:
  // staging: the folder being written, where packed matrices wait until all shapes and types are known.
  Writer(const ShippedModel& model, const fs::path& staging) : model_(model), packed_(staging) {
    for (const auto& [name, tensor] : model.tensors)
      if (!is_tied_head(name, model)) add(name);
  }

  void write(const fs::path& path, ExportReport& report) const {
    std::vector<io::TensorInfo> infos;
    for (const auto& [name, part] : parts_) infos.push_back(part.info);
    io::SafetensorsWriter writer(path, infos);
    for (const io::TensorInfo& info : writer.tensors()) {
      if (const auto& packed = parts_.at(info.name).packed)
        writer.write(info.name, packed());
      else
        write_dense(model_, info.name, info.dtype, writer);
      report.tensors.push_back(
          {info.name, std::string(io::dtype_name(info.dtype)), io::tensor_bytes(info.dtype, info.shape).value()});
    }
    writer.finish();
    for (const auto& [name, tensor] : model_.tensors)
      if (!is_tied_head(name, model_)) report.parameters += tensor.value.numel();
    report.file_bytes = fs::file_size(path);
    const auto moved = [](const auto& entry) { return !entry.first.symmetric; };
    if (std::any_of(schemes_.begin(), schemes_.end(), moved))
      report.notes.emplace_back(
          "the file has zero points, packed as compressed-tensors packs them; transformers 5.24 does not load such a "
          "folder");
  }

  // One group a scheme. A single one means every linear layer but those that are ignored; several name their modules.
  json quantization_config() const {
    CompressedConfig config;
    for (const auto& [scheme, modules] : schemes_) config.groups.push_back({scheme, modules});
    if (config.groups.size() == 1) config.groups[0].targets = {"Linear"};
    config.ignore = dense_modules_;
    return to_json(config);
  }

 private:
  void add(const std::string& name) {
    const auto layer = model_.record.layers.find(name);
    const bool recorded = layer != model_.record.layers.end();
    const bool packs = model_.record.quantizes_weights() ? recorded && layer->second.weight
                                                         : is_projection(name) && !stays_plain(name);
    if (packs) {
      add_packed(name, recorded ? layer->second.input : std::nullopt);
    } else {
      if (recorded && layer->second.input)
        fail("[export] the input of {} is quantized, its weight is not: compressed-tensors keeps both or neither",
             name);
      add_dense(name);
    }
  }

  bool stays_plain(const std::string& name) const {
    const auto plain = model_.plain.find(name);
    return plain != model_.plain.end() && plain->second != Storage::kQ8_0;  // which is a grid, too
  }

  void add_packed(const std::string& name, const std::optional<QuantSpec>& input) {
    if (name == "model.embed_tokens.weight")
      fail(
          "[export] {} is on a grid, which programs that load compressed-tensors do not expect of a table; train it "
          "with quant.skip: [embed_tokens]",
          name);
    const auto matrix = packed_matrix(model_.tensor(name));
    if (!matrix)
      fail(
          "[export] {} does not lie on a grid of integers of 2 to 8 bits in rows or groups, nor of mxfp4; train on one "
          "(`detent methods --targets`), or round it untrained with --from-float",
          name);
    add_parts(*matrix, name);
    join({matrix->kind, matrix->bits, matrix->zero_point == 0, matrix->granularity, input}, module_of(name));
  }

  void add_parts(const PackedMatrix& matrix, const std::string& name) {
    const std::string module = module_of(name);
    const int64_t rows = matrix.levels.size(0), columns = matrix.levels.size(1);
    const bool whole = matrix.granularity.kind == GranularityKind::kTensor;
    add_part(module + ".weight_scale", matrix.scale_dtype(),
             whole ? std::vector<int64_t>{1} : matrix.scales.sizes().vec(), later(packed_scales(matrix)));
    if (matrix.kind == PackedKind::kFp4)
      return add_part(module + ".weight_packed", io::Dtype::kU8, {rows, columns / 2}, later(packed_floats(matrix)));
    add_part(module + ".weight_packed", io::Dtype::kI32, {rows, packed_words(columns, matrix.bits)},
             later(packed_ints(matrix)));
    add_part(module + ".weight_shape", io::Dtype::kI64, {2}, [rows, columns] { return shape_bytes(rows, columns); });
    if (matrix.zero_point != 0)
      add_part(module + ".weight_zero_point", io::Dtype::kI32, {packed_words(rows, matrix.bits), matrix.scales.size(1)},
               later(packed_zero_points(matrix)));
  }

  std::function<std::vector<std::byte>()> later(const std::vector<std::byte>& bytes) {
    return [this, place = packed_.put(bytes)] { return packed_.get(place); };
  }

  void add_dense(const std::string& name) {
    const at::Tensor& value = model_.tensors.at(name).value;
    add_part(name, dense_dtype(name), value.sizes().vec(), nullptr);
    if (value.dim() == 2 && name != "model.embed_tokens.weight") dense_modules_.push_back(module_of(name));
    if (is_tied_head("lm_head.weight", model_) && name == "model.embed_tokens.weight")
      dense_modules_.emplace_back("lm_head");
  }

  io::Dtype dense_dtype(const std::string& name) const {
    const Storage storage = stays_plain(name) ? model_.plain.at(name) : model_.record.unquantized;
    return stored_dtype(model_, name, storage);
  }

  void add_part(const std::string& name, io::Dtype dtype, std::vector<int64_t> shape,
                std::function<std::vector<std::byte>()> packed) {
    parts_[name] = {{name, dtype, std::move(shape)}, std::move(packed)};
  }

  void join(const PackedScheme& scheme, const std::string& module) {
    const auto found =
        std::find_if(schemes_.begin(), schemes_.end(), [&](const auto& entry) { return entry.first == scheme; });
    if (found == schemes_.end())
      schemes_.push_back({scheme, {module}});
    else
      found->second.push_back(module);
  }

  const ShippedModel& model_;
  io::Spool packed_;
  std::map<std::string, Part> parts_;
  std::vector<std::pair<PackedScheme, std::vector<std::string>>> schemes_;
  std::vector<std::string> dense_modules_;
};

class CompressedTarget : public ExportTarget {
 public:
  using ExportTarget::ExportTarget;
  bool holds(const at::Tensor& value) const override { return packed_matrix({value, std::nullopt}).has_value(); }
  ExportReport write(const ShippedModel& model, const std::string& path) const override {
    return write_folder(model, path, [&](const fs::path& folder, json& config, ExportReport& report) {
      const Writer writer(model, folder);
      writer.write(folder / "model.safetensors", report);
      config["quantization_config"] = writer.quantization_config();
    });
  }
};

}  // namespace

std::unique_ptr<const ExportTarget> compressed_target(const TargetRules& rules) {
  return std::make_unique<CompressedTarget>(rules);
}

}  // namespace detent
