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

void Rope::extend(int64_t positions, int64_t length) {
  const at::Tensor angle = at::outer(at::arange(positions, at::kFloat), frequencies(length));
  cos_ = angle.cos();
  sin_ = angle.sin();
  table_length_ = length;
}

at::Tensor Rope::apply(const at::Tensor& x, int64_t first, int64_t length) {
  const int64_t count = x.size(2), half = head_size_ / 2, needed = first + count;
  const bool stale = (depends_on(length) || depends_on(table_length_)) && table_length_ != length;
  if (!cos_.defined() || cos_.size(0) < needed || stale) extend(needed, length);
  const at::Tensor cos = cos_.narrow(0, first, count), sin = sin_.narrow(0, first, count);
  const at::Tensor left = x.narrow(3, 0, half), right = x.narrow(3, half, half);
  return at::cat({left * cos - right * sin, right * cos + left * sin}, 3);
}

}  // namespace detent::nn
