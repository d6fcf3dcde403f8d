#include "detent/ops/layers.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "detent/kernels/rms_norm/rms_norm.h"
#include "detent/kernels/rope/rope.h"
#include "detent/kernels/swiglu/swiglu.h"
#include "detent/ops/device.h"
#include "detent/ops/fake_quant.h"
#include "detent/ops/with_backward.h"

namespace detent::ops {

namespace {

bool has_kernel(const at::Tensor& x) { return has_kernels(x) && x.scalar_type() == at::kFloat; }

at::Tensor plain(const at::Tensor& x) { return x.detach().contiguous(); }

const float* data(const at::Tensor& x) { return x.const_data_ptr<float>(); }
float* to(at::Tensor& x) { return x.mutable_data_ptr<float>(); }

constexpr int64_t kRowsOfASum = 64;  // one partial sum; fixed, so that no thread count changes the total

// Gradients of x and weight. The weight's is summed over blocks of rows, then over blocks.
std::vector<at::Tensor> rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& inverse,
                                          const at::Tensor& gradient) {
  const at::Tensor g = gradient.contiguous();
  const Rows shape = rows_of(x);
  const int64_t n = shape.columns, blocks = (shape.rows + kRowsOfASum - 1) / kRowsOfASum;
  at::Tensor dx = at::empty_like(x), partial = at::zeros({blocks, n}, x.options()), dweight = at::zeros_like(weight);
  const float *in = data(x), *w = data(weight), *inverses = data(inverse), *from = data(g);
  float *out = to(dx), *sums = to(partial), *total = to(dweight);
  for_rows(blocks, n * kRowsOfASum, [&](int64_t first, int64_t last) {
    for (int64_t r = first * kRowsOfASum; r < std::min(shape.rows, last * kRowsOfASum); ++r)
      kernels::rms_norm_backward_row(in + r * n, w, inverses[r], from + r * n, n, out + r * n,
                                     sums + r / kRowsOfASum * n);
  });
  for (int64_t i = 0; i < blocks * n; ++i) total[i % n] += sums[i];
  return {dx, dweight};
}

// Rotates every position; sign -1 is the way back.
at::Tensor rope_values(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, float sign) {
  at::Tensor out = at::empty_like(x);
  const int64_t heads = x.size(2), size = x.size(3), width = heads * size, positions = cos.numel() / (size / 2);
  const float *in = data(x), *cosines = data(cos), *sines = data(sin);
  float* rotated = to(out);
  for_rows(x.size(0) * x.size(1), width, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const int64_t angle = r % positions * (size / 2);
      kernels::rope_heads(in + r * width, cosines + angle, sines + angle, heads, size, sign, rotated + r * width);
    }
  });
  return out;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (!has_kernel(x)) return composite::rms_norm(x, weight, epsilon);
  const at::Tensor in = plain(x), scale = plain(weight);
  const Rows shape = rows_of(in);
  at::Tensor out = at::empty_like(in), inverse = at::empty({shape.rows}, in.options());
  const float *from = data(in), *w = data(scale);
  float *values = to(out), *inverses = to(inverse);
  for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    for (int64_t r = first, i = r * shape.columns; r < last; ++r, i += shape.columns)
      inverses[r] = kernels::rms_norm_row(from + i, w, shape.columns, epsilon, values + i);
  });
  return with_backward(out, {x, weight}, [=](const at::Tensor& g) { return rms_norm_backward(in, scale, inverse, g); });
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  if (!has_kernel(gate)) return composite::swiglu(gate, up);
  const at::Tensor a = plain(gate), b = plain(up);
  at::Tensor out = at::empty_like(a);
  float* values = to(out);
  for_rows(a.numel(), 1, [&](int64_t first, int64_t last) {
    kernels::swiglu(data(a) + first, data(b) + first, last - first, values + first);
  });
  return with_backward(out, {gate, up}, [=](const at::Tensor& gradient) {
    const at::Tensor g = gradient.contiguous();
    at::Tensor da = at::empty_like(a), db = at::empty_like(a);
    float *to_gate = to(da), *to_up = to(db);
    for_rows(a.numel(), 1, [&](int64_t first, int64_t last) {
      kernels::swiglu_backward(data(a) + first, data(b) + first, data(g) + first, last - first, to_gate + first,
                               to_up + first);
    });
    return std::vector<at::Tensor>{da, db};
  });
}

at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  if (!has_kernel(x)) return composite::rope(x, cos, sin);
  const at::Tensor cosines = plain(cos), sines = plain(sin);
  return with_backward(rope_values(plain(x), cosines, sines, 1), {x}, [=](const at::Tensor& g) {
    return std::vector<at::Tensor>{rope_values(g.contiguous(), cosines, sines, -1)};
  });
}

namespace composite {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return x * at::rsqrt(x.square().mean(-1, true) + epsilon) * weight;
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate) * up; }

at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t half = x.size(3) / 2;
  const at::Tensor left = x.narrow(3, 0, half), right = x.narrow(3, half, half);
  const at::Tensor c = cos.unsqueeze(-2), s = sin.unsqueeze(-2);  // every head by the same angle
  return at::cat({left * c - right * s, right * c + left * s}, 3);
}

}  // namespace composite
}  // namespace detent::ops
