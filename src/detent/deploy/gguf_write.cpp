#include "detent/deploy/gguf_write.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>

#include "detent/architectures/parameters.h"
#include "detent/base/error.h"
#include "detent/deploy/gguf_tensor.h"
#include "detent/deploy/model_parts.h"
#include "detent/import/gguf_llama.h"
#include "detent/import/gguf_rope.h"
#include "detent/import/gguf_tokenizer.h"
#include "detent/import/model_path.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

bool is_float(const io::GgmlType& type) { return type.block_elements == 1; }

const io::GgmlType& storage_type(Storage storage) { return *io::find_ggml_type(storage_name(storage)); }

// A plain model: no training told which grid its weights lie on, so the values themselves have to.
const io::GgmlType& found_type(const std::string& name, const ShippedTensor& tensor, const GgufKind& kind) {
  if (tensor.blocks && tensor.blocks->type == kind.type.name) return kind.type;
  const at::Tensor& value = tensor.value;
  if (!holds_values(kind.type, value) && holds_values(kind.type, value + 0.0f))  // -0 + 0 = 0
    fail("[export] {} lies on a grid that {} holds but for zeros of both signs; add 0.0 to its weights first", name,
         kind.type.name);
  if (!holds_values(kind.type, value))
    fail(
        "[export] {} does not lie on a grid that {} holds; train on such a grid (`detent methods --targets`), or "
        "round it untrained with --from-float",
        name, kind.type.name);
  return kind.type;
}

const io::GgmlType& stored_type(const std::string& name, const ShippedModel& model) {
  const io::GgmlType& type = storage_type(model.record.unquantized);
  // Under q8_0 rows that are not whole blocks stay float32, and so do blocks so small that their scale is subnormal.
  const bool holds = model.record.unquantized != Storage::kQ8_0 || holds_values(type, model.tensor(name).value);
  return holds ? type : storage_type(Storage::kF32);
}

const io::GgmlType& type_of(const std::string& name, const ShippedModel& model, const GgufKind& kind) {
  if (model.tensors.at(name).value.dim() < 2)
    return storage_type(Storage::kF32);  // llama.cpp adds and multiplies norms in float32
  const auto layer = model.record.layers.find(name);
  const auto plain = model.plain.find(name);
  if (is_float(kind.type) || (layer != model.record.layers.end() && layer->second.weight)) return kind.type;
  if (plain != model.plain.end()) return storage_type(plain->second);
  if (!model.record.quantizes_weights() && is_projection(name)) return found_type(name, model.tensor(name), kind);
  return stored_type(name, model);
}

std::vector<int64_t> reversed(at::IntArrayRef shape) { return {shape.rbegin(), shape.rend()}; }

std::vector<io::GgufTensorInfo> plan(const ShippedModel& model, const std::vector<std::string>& names,
                                     const GgufKind& kind) {
  std::vector<io::GgufTensorInfo> infos;
  for (const std::string& name : names)
    infos.push_back(
        {to_gguf_name(name).value(), &type_of(name, model, kind), reversed(model.tensors.at(name).value.sizes())});
  return infos;
}

// In parts of its rows where the file has them in the model's order. Bytes written.
uint64_t write_tensor(const ShippedModel& model, const std::string& name, const io::GgmlType& type,
                      const std::vector<int64_t>& order, io::GgufWriter& writer) {
  uint64_t size = 0;
  const auto sink = [&](std::span<const std::byte> bytes) {
    writer.write(bytes);
    size += bytes.size();
  };
  const int64_t rows = model.tensors.at(name).value.size(0), step = order.empty() ? model.part_rows(name) : rows;
  for (int64_t first = 0; first < rows; first += step)
    encode_tensor(name, model.rows(name, first, std::min(step, rows - first)), type, order, sink, first);
  return size;
}

void write_tensors(const ShippedModel& model, const std::vector<std::string>& names,
                   const std::vector<io::GgufTensorInfo>& infos, io::GgufWriter& writer, ExportReport& report) {
  const DecoderConfig config = decoder_config_from_json(model.config, model.folder);
  for (size_t i = 0; i < names.size(); ++i) {
    const uint64_t size = write_tensor(model, names[i], *infos[i].type, gguf_row_order(names[i], config), writer);
    report.tensors.push_back({names[i], std::string(infos[i].type->name), size});
    report.parameters += model.tensors.at(names[i]).value.numel();
  }
}

}  // namespace

ExportReport write_gguf(const ShippedModel& model, const std::string& path, const GgufKind& kind) {
  const DecoderConfig config = decoder_config_from_json(model.config, model.folder);
  check_fits_gguf(config);
  const std::vector<std::string> names = gguf_tensor_names(config);
  check_names(model, names);
  const auto tokenizer = has_tokenizer(model.folder) ? load_model_tokenizer(model.folder) : nullptr;
  const auto vocabulary = tokenizer_metadata(tokenizer.get(), config.vocab_size);
  std::vector<io::GgufKeyValue> metadata = gguf_metadata(config, display_name(model.folder), kind.file_type);
  metadata.insert(metadata.end(), vocabulary.begin(), vocabulary.end());
  std::vector<io::GgufTensorInfo> infos = plan(model, names, kind);
  const std::vector<float> factors = rope_factors(config);
  if (!factors.empty())
    infos.push_back({kRopeFactors, &storage_type(Storage::kF32), {static_cast<int64_t>(factors.size())}});

  ExportReport report;
  if (!tokenizer) report.notes.emplace_back("the model's folder has no tokenizer, so the file has none");
  io::GgufWriter writer(path, metadata, infos);
  write_tensors(model, names, infos, writer, report);
  if (!factors.empty()) writer.write(kRopeFactors, std::as_bytes(std::span(factors)));
  writer.finish();
  report.file_bytes = fs::file_size(path);
  return report;
}

}  // namespace detent
