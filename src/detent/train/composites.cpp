#include "detent/train/composites.h"

#include <ATen/ATen.h>

#include <cmath>

#include "detent/format/scale.h"

namespace detent::composites {

at::Tensor hadamard_matrix() {
  at::Tensor h = at::ones({1, 1});
  while (h.size(0) < kBlock) h = at::cat({at::cat({h, h}, 1), at::cat({h, -h}, 1)}, 0);
  return h / std::sqrt(static_cast<double>(kBlock));
}

at::Tensor rotated(const at::Tensor& x, const at::Tensor& h) { return x.view({-1, kBlock}).matmul(h).view(x.sizes()); }

Quantized quest(const at::Tensor& x, const at::Tensor& h) {
  const at::Tensor y = rotated(x, h);
  const at::Tensor clip = y.square().mean(-1, true).sqrt() * gaussian_clip(4) + 1e-8, step = clip * (2.0 / 15);
  return {((y / step).floor().clamp(-8, 7) + 0.5) * step, y.abs() <= clip};
}

at::Tensor int4_groups(const at::Tensor& x) {
  const at::Tensor groups = x.view({-1, 32}), scale = groups.abs().amax(1, true) / 7;
  return ((groups / scale).round().clamp(-8, 7) * scale).view(x.sizes());
}

at::Tensor learned(const at::Tensor& x, const at::Tensor& steps) { return (x / steps).round().clamp(-8, 7) * steps; }

std::pair<at::Tensor, at::Tensor> learned_backward(const at::Tensor& x, const at::Tensor& g, const at::Tensor& steps) {
  const at::Tensor u = x / steps, q = u.round().clamp(-8, 7);
  const at::Tensor inside = (u >= -8).logical_and(u <= 7);
  return {g * inside, (g * at::where(inside, q - u, q)).sum(-1, true)};
}

}  // namespace detent::composites
