#include "detent/import/convert.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <optional>

#include "detent/architectures/decoder_config.h"
#include "detent/base/error.h"
#include "detent/import/gguf_tokenizer.h"
#include "detent/import/llama2c_tokenizer.h"
#include "detent/import/model_path.h"
#include "detent/import/tokenizer_json.h"
#include "detent/import/weight_file.h"
#include "detent/io/atomic_file.h"
#include "detent/io/safetensors.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct DtypeRow {
  io::Dtype dtype;
  at::ScalarType type;
  const char* name;  // as config.json has it
};
constexpr DtypeRow kDtypes[] = {{io::Dtype::kF16, at::kHalf, "float16"},
                                {io::Dtype::kBF16, at::kBFloat16, "bfloat16"},
                                {io::Dtype::kF32, at::kFloat, "float32"}};

// The narrowest type that holds every value of the file.
const DtypeRow& exact_dtype(const WeightFile& file, const std::vector<std::pair<std::string, size_t>>& tensors,
                            const std::string& source) {
  bool holds[std::size(kDtypes)] = {true, true, true};
  for (const auto& [name, index] : tensors) {
    const at::Tensor value = file.decode(index);
    check_finite(value, file.tensors()[index].stored_name, source);
    for (size_t i = 0; i < std::size(kDtypes); ++i)
      holds[i] = holds[i] && at::equal(value.to(kDtypes[i].type).to(at::kFloat), value);
  }
  return kDtypes[std::find(std::begin(holds), std::end(holds), true) - std::begin(holds)];
}

void write_weights(const WeightFile& file, const std::vector<std::pair<std::string, size_t>>& tensors,
                   const DtypeRow& dtype, const fs::path& path, ConvertReport& report) {
  std::map<std::string, size_t> by_name(tensors.begin(), tensors.end());
  std::vector<io::TensorInfo> infos;
  for (const auto& [name, index] : tensors) infos.push_back({name, dtype.dtype, file.tensors()[index].shape});
  io::SafetensorsWriter writer(path, infos);
  for (const io::TensorInfo& info : writer.tensors()) {
    const at::Tensor value = file.decode(by_name.at(info.name)).to(dtype.type).contiguous();
    writer.write(info.name, {reinterpret_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()});
    report.parameters += value.numel();
  }
  writer.finish();
  report.tensors = static_cast<int64_t>(tensors.size());
  report.file_bytes = fs::file_size(path);
}

std::optional<TokenizerParts> read_tokenizer(const fs::path& source, const fs::path& given,
                                             const DecoderConfig& config) {
  if (is_gguf(source)) {
    if (!given.empty()) fail("--tokenizer has no effect: {} is a GGUF file, which holds its own", source.string());
    return read_gguf_tokenizer(io::GgufReader(source), source.string());
  }
  const auto path = given.empty() ? llama2c_tokenizer_beside(source) : given;
  if (!path) return std::nullopt;
  return read_llama2c_tokenizer(*path, config.vocab_size);
}

void write_json(const fs::path& path, const json& document) {
  io::write_file_atomically(path, document.dump(2) + "\n");
}

// llama2.c's models put a BOS between texts and learn no EOS, so generation ends at either.
void write_config(const DecoderConfig& config, const std::optional<TokenizerParts>& tokenizer, const DtypeRow& dtype,
                  bool bos_ends, const fs::path& folder) {
  json document = to_json(config), generation = json::object();
  document["torch_dtype"] = document["dtype"] = dtype.name;
  const auto put = [&](const char* key, std::optional<int32_t> id) {
    if (id) document[key] = generation[key] = *id;
  };
  if (tokenizer) {
    put("bos_token_id", tokenizer->bos);
    put("eos_token_id", tokenizer->eos);
    put("pad_token_id", tokenizer->vocabulary.padding);
    if (bos_ends) generation["eos_token_id"] = {*tokenizer->bos, *tokenizer->eos};
    write_json(folder / "generation_config.json", generation);
  }
  write_json(folder / "config.json", document);
}

void check_source(const fs::path& source) {
  if (!fs::exists(source)) fail("there is no file {}: check the path", source.string());
  if (fs::is_directory(source))
    fail("{} is a folder; convert takes a GGUF file or a llama2.c checkpoint", source.string());
  if (!is_gguf(source) && !is_llama2c(source))
    fail("{} is neither a GGUF file nor a whole llama2.c checkpoint", source.string());
}

}  // namespace

ConvertReport convert_model(const fs::path& source, const fs::path& folder, const fs::path& tokenizer) {
  check_source(source);
  io::check_free_for_folder(folder);
  const auto file = open_weight_file(source);
  const DecoderConfig config = decoder_config_from_json(file->config().value(), source.string());
  const auto tensors = find_parameters(*file, config, source.string());
  const auto parts = read_tokenizer(source, tokenizer, config);
  const DtypeRow& dtype = exact_dtype(*file, tensors, source.string());
  ConvertReport report{.path = folder.string(), .format = file->format(), .dtype = dtype.name};
  io::create_parent(folder);
  io::AtomicDirectory staged(folder);
  write_weights(*file, tensors, dtype, staged.staging() / "model.safetensors", report);
  write_config(config, parts, dtype, !is_gguf(source), staged.staging());
  if (parts)
    write_tokenizer_files(*parts, staged.staging(), source.string());
  else
    report.notes.push_back(is_gguf(source) ? "the file holds no tokenizer, so the folder has none"
                                           : "no tokenizer.bin lies beside the checkpoint, so the folder has no "
                                             "tokenizer; name it with --tokenizer");
  staged.commit();
  return report;
}

json to_json(const ConvertReport& report) {
  return {{"path", report.path},       {"format", report.format},         {"dtype", report.dtype},
          {"tensors", report.tensors}, {"parameters", report.parameters}, {"file_bytes", report.file_bytes},
          {"notes", report.notes}};
}

std::string to_text(const ConvertReport& report) {
  std::string text = fmt::format("{}: from {}, {} tensors of {} values as {}, {} bytes\n", report.path, report.format,
                                 report.tensors, report.parameters, report.dtype, report.file_bytes);
  for (const std::string& note : report.notes) text += "note: " + note + "\n";
  return text;
}

}  // namespace detent
