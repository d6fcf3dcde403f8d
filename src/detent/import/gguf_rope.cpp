#include "detent/import/gguf_rope.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <optional>

#include "detent/base/error.h"
#include "detent/io/bytes.h"

namespace detent {

namespace {

constexpr const char *kType = "llama.rope.scaling.type", *kFactor = "llama.rope.scaling.factor";
// Without consequence for a scaling that is handled; an attention factor of one is none.
constexpr const char* kIdle[] = {"llama.rope.scaling.original_context_length", "llama.rope.scaling.finetuned",
                                 "llama.rope.scaling.attn_factor"};

double shortest(float value) { return std::strtod(fmt::format("{}", value).c_str(), nullptr); }

bool near(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](float x, float y) { return std::fabs(x - y) <= 1e-5f * std::fabs(y); });
}

// What models in use have first: Llama 3.1 and later take 1, 4 and 8192.
std::optional<RopeScaling> take_apart(const std::vector<float>& factors, DecoderConfig config) {
  const double factor = shortest(*std::max_element(factors.begin(), factors.end()));
  std::vector<int64_t> lengths = {8192};
  for (int64_t length = 64; length <= int64_t{1} << 20; length *= 2) lengths.push_back(length);
  for (const int64_t length : lengths)
    for (const double low : {1.0, 2.0})
      for (const double high : {4.0, 2.0, 8.0, 16.0, 32.0}) {
        config.rope_scaling = {RopeType::kLlama3, factor, low, high, length};
        if (high > low && near(rope_factors(config), factors)) return config.rope_scaling;
      }
  return std::nullopt;
}

std::vector<float> read_factors(const io::GgufTensor& tensor, const std::string& source, int64_t size) {
  if (tensor.type->name != "F32" || tensor.ne != std::vector<int64_t>{size})
    fail("{}: {} is {} of {} values, expected F32 of {}", source, kRopeFactors, tensor.type->name, tensor.ne.at(0),
         size);
  std::vector<float> factors(static_cast<size_t>(size));
  for (size_t i = 0; i < factors.size(); ++i) factors[i] = io::load<float>(tensor.bytes, i * sizeof(float));
  return factors;
}

}  // namespace

std::vector<float> rope_factors(const DecoderConfig& config) {
  const RopeScaling& s = config.rope_scaling;
  if (s.type != RopeType::kLlama3) return {};
  const auto original = static_cast<double>(s.original_max_position_embeddings);
  std::vector<float> factors;
  for (int64_t i = 0; i < config.head_size(); i += 2) {
    const double frequency =
        std::pow(config.rope_theta, -static_cast<double>(i) / static_cast<double>(config.head_size()));
    const double turns = original * frequency / (2 * std::numbers::pi);  // in the length trained on
    const double smooth = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
    const double factor = turns > s.high_freq_factor  ? 1
                          : turns < s.low_freq_factor ? s.factor
                                                      : 1 / ((1 - smooth) / s.factor + smooth);
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

void check_rope_fits_gguf(const DecoderConfig& config) {
  const RopeScaling& s = config.rope_scaling;
  if (s.type == RopeType::kDynamic)
    fail(
        "[export] GGUF has no dynamic scaling of the rotary embedding, which the model has; use "
        "safetensors:dequantized");
  if (s.type == RopeType::kLlama3 && !take_apart(rope_factors(config), config))
    fail(
        "[export] GGUF keeps Llama 3's rope scaling as factors, from which low_freq_factor {}, high_freq_factor {} and "
        "original_max_position_embeddings {} cannot be told again; use safetensors:dequantized",
        s.low_freq_factor, s.high_freq_factor, s.original_max_position_embeddings);
}

std::vector<io::GgufKeyValue> rope_metadata(const DecoderConfig& config) {
  if (config.rope_scaling.type != RopeType::kLinear) return {};
  return {{kType, std::string("linear")}, {kFactor, static_cast<float>(config.rope_scaling.factor)}};
}

bool is_rope_key(std::string_view key) {
  return key == kType || key == kFactor || std::find(std::begin(kIdle), std::end(kIdle), key) != std::end(kIdle);
}

void read_rope_scaling(const io::GgufReader& file, const std::string& source, DecoderConfig& config) {
  const std::string type = file.find_value(kType) ? file.get<std::string>(kType) : "none";
  if (type != "none" && type != "linear")
    fail("{}: {} = {} is not handled, only linear and Llama 3's factors", source, kType, type);
  if (file.find_value(kIdle[2]) && file.get<float>(kIdle[2]) != 1)
    fail("{}: {} = {} is not handled, only 1", source, kIdle[2], file.get<float>(kIdle[2]));
  if (type == "linear") {
    config.rope_scaling.type = RopeType::kLinear;
    config.rope_scaling.factor = shortest(file.get<float>(kFactor));
  }
  const io::GgufTensor* tensor = file.find_tensor(kRopeFactors);
  if (!tensor) return;
  const std::vector<float> factors = read_factors(*tensor, source, config.head_size() / 2);
  if (std::all_of(factors.begin(), factors.end(), [](float factor) { return factor == 1; })) return;
  const auto found = take_apart(factors, config);
  if (!found || type == "linear")
    fail("{}: {} scales the rotary embedding in a way that is not handled, only as Llama 3 does", source, kRopeFactors);
  config.rope_scaling = *found;
}

}  // namespace detent
