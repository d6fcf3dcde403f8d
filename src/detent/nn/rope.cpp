#include "detent/nn/rope.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace detent::nn {

namespace {

at::Tensor inverse_powers(double theta, int64_t head_size) {
  const at::Tensor exponent = at::arange(0, head_size, 2, at::kFloat) / static_cast<double>(head_size);
  return 1.0 / at::pow(at::Scalar(theta), exponent);
}

// Short wavelengths stay, long ones are stretched by the factor, those between are interpolated.
at::Tensor llama3(const at::Tensor& frequency, const RopeScaling& s) {
  const auto original = static_cast<double>(s.original_max_position_embeddings);
  const double longest = original / s.low_freq_factor, shortest = original / s.high_freq_factor;
  const at::Tensor wavelength = 2 * std::numbers::pi / frequency;
  const at::Tensor scaled = at::where(wavelength > longest, frequency / s.factor, frequency);
  const at::Tensor smooth = (original / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  const at::Tensor between = (1 - smooth) * scaled / s.factor + smooth * scaled;
  return at::where((wavelength < shortest).logical_or(wavelength > longest), scaled, between);
}

at::Tensor positions(int64_t count) { return at::arange(count, at::kFloat); }

Rotation rotation_of(const at::Tensor& angle) { return {angle.cos(), angle.sin()}; }

}  // namespace

Rope::Rope(const DecoderConfig& config)
    : head_size_(config.head_size()),
      trained_length_(config.max_position_embeddings),
      theta_(config.rope_theta),
      scaling_(config.rope_scaling) {}

bool Rope::depends_on(int64_t length) const { return scaling_.type == RopeType::kDynamic && length > trained_length_; }

at::Tensor Rope::frequencies(int64_t length) const {
  switch (scaling_.type) {
    case RopeType::kLinear:
      return inverse_powers(theta_, head_size_) / scaling_.factor;
    case RopeType::kLlama3:
      return llama3(inverse_powers(theta_, head_size_), scaling_);
    case RopeType::kDynamic: {
      const auto stretch =
          static_cast<double>(std::max(length, trained_length_)) / static_cast<double>(trained_length_);
      const auto size = static_cast<double>(head_size_);
      const double growth = scaling_.factor * stretch - (scaling_.factor - 1);
      return inverse_powers(theta_ * std::pow(growth, size / (size - 2)), head_size_);
    }
    case RopeType::kDefault:
      break;
  }
  return inverse_powers(theta_, head_size_);
}

Rotation Rope::of_context(int64_t first, int64_t count) {
  const int64_t length = first + count;
  if (depends_on(length)) return rotation_of(at::outer(positions(length), frequencies(length)).narrow(0, first, count));
  if (const int64_t known = table_.cos.defined() ? table_.cos.size(0) : 0; known < length)
    table_ = rotation_of(at::outer(positions(std::max(length, 2 * known)), frequencies(length)));
  return {table_.cos.narrow(0, first, count), table_.sin.narrow(0, first, count)};
}

Rotation Rope::of_documents(const at::Tensor& lengths) {
  const int64_t count = lengths.size(1);
  if (!depends_on(count)) return of_context(0, count);
  const auto [distinct, which] = at::_unique(lengths, /*sorted=*/true, /*return_inverse=*/true);
  std::vector<at::Tensor> each;
  for (int64_t i = 0; i < distinct.numel(); ++i) each.push_back(frequencies(distinct[i].item<int64_t>()));
  const at::Tensor frequency = at::stack(each).index_select(0, which.view(-1)).view({lengths.size(0), count, -1});
  return rotation_of(positions(count).unsqueeze(1) * frequency);
}

}  // namespace detent::nn
