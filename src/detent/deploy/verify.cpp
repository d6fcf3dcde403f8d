#include "detent/deploy/verify.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "detent/architectures/decoder_config.h"
#include "detent/base/error.h"
#include "detent/import/weight_file.h"
#include "detent/io/sha256.h"

namespace detent {

namespace {

// As bits: -0 differs from 0, and a NaN equals itself.
int64_t count_differing(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor left = a.contiguous(), right = b.contiguous();
  const auto *x = static_cast<const uint32_t*>(left.const_data_ptr()),
             *y = static_cast<const uint32_t*>(right.const_data_ptr());
  constexpr int64_t kBlock = 1 << 12;  // counted in 32 bits by as many lanes as the compiler turns into vectors
  constexpr int64_t kLanes = 16;
  int64_t count = 0, i = 0;
  for (; i + kBlock <= left.numel(); i += kBlock) {
    uint32_t lanes[kLanes] = {};
    for (int64_t j = i; j < i + kBlock; j += kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[j + lane] != y[j + lane] ? 1u : 0u;
    for (const uint32_t lane : lanes) count += lane;
  }
  for (; i < left.numel(); ++i) count += x[i] != y[i];
  return count;
}

void add_to_sha(io::Sha256& sha, const at::Tensor& value) {
  const at::Tensor plain = value.contiguous();
  sha.update({reinterpret_cast<const std::byte*>(plain.const_data_ptr()), plain.nbytes()});
}

// transformers may write a tied head under both names; it counts as the embedding.
std::optional<std::string> find_wanted(const ShippedModel& model, const std::string& name) {
  if (model.tensors.contains(name)) return name;
  const bool tied = name == "lm_head.weight" && model.config.value("tie_word_embeddings", false);
  return tied ? find_wanted(model, "model.embed_tokens.weight") : std::nullopt;
}

// Elements of the file's tensor that are not the model's; its values go into the sum. In parts where both sides have
// them.
int64_t compare_tensor(const WeightFile& file, size_t index, const ShippedModel& model,
                       const std::optional<std::string>& wanted, io::Sha256& sha) {
  const at::IntArrayRef shape = file.tensors()[index].shape;
  const bool same_shape = wanted && model.tensors.at(*wanted).value.sizes() == shape;
  if (!same_shape || !file.has_rows(index) || model.part_rows(*wanted) == shape[0]) {
    const at::Tensor value = file.decode(index);
    add_to_sha(sha, value);
    if (same_shape) return count_differing(value, model.tensor(*wanted).value);
    return std::max<int64_t>({value.numel(), wanted ? model.tensors.at(*wanted).value.numel() : 0, 1});
  }
  int64_t differing = 0;
  const int64_t step = model.part_rows(*wanted);
  for (int64_t first = 0; first < shape[0]; first += step) {
    const int64_t count = std::min(step, shape[0] - first);
    const at::Tensor value = file.decode_rows(index, first, count), trained = model.rows(*wanted, first, count).value;
    at::parallel_for(0, 2, 1, [&](int64_t begin, int64_t end) {
      if (begin == 0) add_to_sha(sha, value);
      if (end == 2) differing += count_differing(value, trained);
    });
  }
  return differing;
}

bool may_be_missing(const ShippedModel& model, const std::string& name) {
  return name == "lm_head.weight" && model.config.value("tie_word_embeddings", false);
}

// What the maths depends on; float metadata is compared as float32, which is all that GGUF keeps.
std::vector<std::string> compare_configs(const WeightFile& file, const ShippedModel& model) {
  const auto config = file.config();
  if (!config) return {};
  DecoderConfig of_file = decoder_config_from_json(*config, "the file"),
                of_model = decoder_config_from_json(model.config, "the model");
  of_file.carried = of_model.carried = nlohmann::json::object();
  if (of_file.sliding_window == 0 && of_model.sliding_window == 0)
    of_file.max_window_layers = of_model.max_window_layers;  // of no consequence, and not in every format
  const nlohmann::json held = to_json(of_file), wanted = to_json(of_model);
  std::vector<std::string> differences;
  for (const auto& [key, value] : wanted.items()) {
    const nlohmann::json other = held.value(key, nlohmann::json());
    const bool equal =
        value.is_number() && other.is_number() ? value.get<float>() == other.get<float>() : value == other;
    if (!equal && key != "initializer_range")
      differences.push_back(fmt::format("{}: file {}, model {}", key, other.dump(), value.dump()));
  }
  return differences;
}

void check_not_latent(const std::filesystem::path& path) {
  const bool run = std::filesystem::exists(path / "checkpoints");
  if (run || std::filesystem::exists(path / "quantization.json"))
    fail("{} is a {}, which holds the latent weights; export it and verify the file", path.string(),
         run ? "run" : "checkpoint");
}

constexpr const char* kMissing = "missing";  // the type of a tensor that the file lacks

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A line for each of the first few, then how many more there are.
std::string first_of(const char* what, const std::vector<std::string>& items) {
  constexpr size_t kShown = 5;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, items.size()); ++i) text += fmt::format("{}: {}\n", what, items[i]);
  if (items.size() > kShown) text += fmt::format("{}: {} more; --json lists all\n", what, items.size() - kShown);
  return text;
}

}  // namespace

bool VerifyReport::equal() const {
  return missing.empty() && unexpected.empty() && config_differences.empty() &&
         std::all_of(tensors.begin(), tensors.end(), [](const VerifyRow& row) { return row.equal(); });
}

VerifyReport verify_file(const std::filesystem::path& path, const ShippedModel& model) {
  check_not_latent(path);
  const auto file = open_weight_file(path);
  VerifyReport report;
  report.path = path.string();
  std::map<std::string, size_t> by_name;
  for (size_t i = 0; i < file->tensors().size(); ++i) by_name[file->tensors()[i].name] = i;
  io::Sha256 sha;
  for (const auto& [name, index] : by_name) {
    const auto wanted = find_wanted(model, name);
    if (!wanted) report.unexpected.push_back(name);
    report.tensors.push_back({name, file->tensors()[index].type, compare_tensor(*file, index, model, wanted, sha)});
  }
  for (const auto& [name, tensor] : model.tensors) {
    if (by_name.contains(name) || may_be_missing(model, name)) continue;
    report.missing.push_back(name);
    report.tensors.push_back({name, kMissing, tensor.value.numel()});
  }
  std::sort(report.tensors.begin(), report.tensors.end(),
            [](const VerifyRow& a, const VerifyRow& b) { return a.name < b.name; });
  report.config_differences = compare_configs(*file, model);
  report.sha256 = io::to_hex(sha.finish());
  return report;
}

nlohmann::json to_json(const VerifyReport& report) {
  nlohmann::json tensors = nlohmann::json::array();
  for (const VerifyRow& row : report.tensors)
    tensors.push_back({{"name", row.name}, {"type", row.type}, {"equal", row.equal()}, {"differing", row.differing}});
  return {{"equal", report.equal()},
          {"tensors", tensors},
          {"missing", report.missing},
          {"unexpected", report.unexpected},
          {"config_differences", report.config_differences},
          {"sha256", report.sha256}};
}

std::string to_text(const VerifyReport& report) {
  std::vector<std::string> differing;
  for (const VerifyRow& row : report.tensors) {
    const bool in_both = row.type != kMissing && !contains(report.unexpected, row.name);
    if (in_both && !row.equal())
      differing.push_back(fmt::format("{} ({}): {} elements", row.name, row.type, row.differing));
  }
  std::string text = first_of("differs", differing) + first_of("missing from the file", report.missing) +
                     first_of("not a tensor of the model", report.unexpected) +
                     first_of("config", report.config_differences);
  text += fmt::format("{}: {} tensors, {}\nsha256 {}\n", report.path, report.tensors.size(),
                      report.equal() ? "every weight is bit-equal" : "NOT equal", report.sha256);
  return text;
}

}  // namespace detent
