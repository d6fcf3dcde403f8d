#include "detent/ops/coded.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <limits>
#include <vector>

#include "detent/base/aligned.h"
#include "detent/base/error.h"
#include "detent/kernels/int_gemm/int_gemm.h"
#include "detent/ops/fake_quant.h"
#include "detent/ops/share.h"

namespace detent::ops {

namespace {

using kernels::kPanelOutputs;

// level = unit * (multiply * code + add).
struct WholeLevels {
  int multiply, add;
  float unit;
};
WholeLevels whole_levels(const Grid& grid) {
  if (grid.offset() == 0) return {1, 0, grid.stride()};
  return {2, 1, grid.stride() / 2};  // the offset is a half
}

kernels::IntGemmShape shape_of(const CodePair& pair, int64_t outputs) {
  const int multiply = whole_levels(pair.input.grid).multiply * whole_levels(pair.weight.grid).multiply;
  return {outputs,
          pair.depth,
          pair.segment,
          multiply == 4 ? 2 : multiply / 2,
          pair.input.grid.level_count() - 1,
          std::max(-pair.weight.grid.lo(), pair.weight.grid.hi())};
}

// A byte of the input stands for multiply * byte + this.
int byte_add(const Grid& grid) {
  const WholeLevels levels = whole_levels(grid);
  return levels.multiply * grid.lo() + levels.add;
}

// Whether every partial sum and the whole stay in int32.
bool sums_fit(const CodePair& pair) {
  const WholeLevels a = whole_levels(pair.input.grid), w = whole_levels(pair.weight.grid);
  const int64_t bytes = pair.input.grid.level_count() - 1,
                codes = std::max(-pair.weight.grid.lo(), pair.weight.grid.hi()),
                add = std::abs(byte_add(pair.input.grid));
  const int64_t most =
      a.multiply * w.multiply * bytes * codes + a.multiply * w.add * bytes + add * w.multiply * codes + add * w.add;
  return most <= std::numeric_limits<int32_t>::max() / pair.segment;
}

// Codes do not know that a value was not a number; the scale of such a row does.
float scale_or_nan(const float* row, int64_t n, float scale) {
  int64_t bad = 0;
  for (int64_t i = 0; i < n; ++i) bad += std::isnan(row[i]) ? 1 : 0;
  return bad > 0 ? std::numeric_limits<float>::quiet_NaN() : scale;
}

// One row to codes, mask bits and scales as they will be multiplied.
class RowCoder {
 public:
  RowCoder(const QuantSpec& spec, int64_t columns, const kernels::Surrogate& surrogate, const at::Tensor& given)
      : rows_(spec, columns, surrogate),
        per_tensor_(spec.granularity.kind == GranularityKind::kTensor),
        given_(given.defined() ? given.const_data_ptr<float>() : nullptr) {}

  int64_t groups() const { return rows_.groups(); }

  void run(int64_t row, const float* x, float* scratch, int8_t* codes, uint8_t* mask, float* scales) const {
    const float* basis = rows_.basis(x, scratch);
    if (!given_) {
      rows_.find_scales(basis, scales);
      return rows_.quantize(basis, scales, {.codes = codes, .mask = mask});
    }
    for (int64_t g = 0; g < groups(); ++g)
      scales[g] = scale_or_nan(basis + g * rows_.group(), rows_.group(), given_[per_tensor_ ? 0 : row * groups() + g]);
    rows_.quantize(basis, scales, {.codes = codes, .mask = mask});
  }

 private:
  RowQuantizer rows_;
  bool per_tensor_;
  const float* given_;
};

bool masks(const kernels::Surrogate& surrogate) { return std::isfinite(surrogate.u_hi); }

// Scales of a weight as the panels are multiplied by them, and what the input's offset adds to each sum.
void finish_panels(const CodePair& pair, const at::Tensor& sums, CodedWeight& w) {
  const float unit = whole_levels(pair.input.grid).unit * whole_levels(pair.weight.grid).unit;
  w.terms = sums.mul_(byte_add(pair.input.grid) * whole_levels(pair.weight.grid).multiply);
  w.unit_scales = at::zeros(sums.sizes(), at::kFloat);
  const int64_t segments = sums.size(0), columns = sums.size(1), outputs = w.scales.size(0), groups = w.scales.size(1);
  const float* scales = w.scales.const_data_ptr<float>();
  float* to = w.unit_scales.mutable_data_ptr<float>();
  for (int64_t s = 0; s < segments; ++s)
    for (int64_t o = 0; o < outputs; ++o) to[s * columns + o] = scales[o * groups + s * groups / segments] * unit;
}

// What the weight's offset adds to each sum of a row.
at::Tensor row_terms(const CodePair& pair, const at::Tensor& sums) {
  const WholeLevels a = whole_levels(pair.input.grid), w = whole_levels(pair.weight.grid);
  if (w.add == 0) return {};
  return sums.mul(a.multiply * w.add).add_(pair.segment * byte_add(pair.input.grid) * w.add);
}

// By rows where there are many, else by panels.
void for_parts(int64_t rows, int64_t panels, const std::function<void(const kernels::IntGemmPart&)>& body) {
  constexpr int64_t kRowGrain = 32;
  if (rows / kRowGrain >= std::min<int64_t>(2 * at::get_num_threads(), panels / 4))
    share(rows, kRowGrain, [&](int64_t first, int64_t last) { body({first, last, 0, panels}); });
  else
    share(panels, 4, [&](int64_t first, int64_t last) { body({0, rows, first, last}); });
}

}  // namespace

std::optional<CodePair> code_pair(const QuantSpec& input, const QuantSpec& weight, int64_t depth) {
  if (input.rotation != weight.rotation) return std::nullopt;
  if (!input.grid.uniform() || !weight.grid.uniform()) return std::nullopt;  // their codes are not their levels
  const auto group = [&](const QuantSpec& spec) {
    return spec.granularity.kind == GranularityKind::kGroup ? spec.granularity.size : depth;
  };
  const int64_t segment = std::min(group(input), group(weight));
  if (std::max(group(input), group(weight)) % segment != 0) return std::nullopt;
  if (segment != depth && (segment % kernels::kPanelDepth != 0 || depth % segment != 0)) return std::nullopt;
  CodePair pair{input, weight, depth, segment};
  // The rotation is orthogonal and the same for both: rotated back or not, the rows have the same product.
  if (input.rotation == Rotation::kHadamard) pair.input.rotation = pair.weight.rotation = Rotation::kHadamardHalf;
  return sums_fit(pair) ? std::optional(pair) : std::nullopt;
}

CodedRows code_rows(const CodePair& pair, const at::Tensor& x, const at::Tensor& scales,
                    const kernels::Surrogate& surrogate) {
  check_float_rows(x, "code_rows");
  const Rows shape = rows_of(x);
  check_shape(pair.input, shape.rows, shape.columns, "the input of a linear layer");
  if (shape.columns != pair.depth) fail("[code_rows] got {} columns, expected {}", shape.columns, pair.depth);
  const RowCoder coder(pair.input, pair.depth, surrogate, scales);
  const kernels::IntGemmShape product = shape_of(pair, 1);
  const int64_t padded = kernels::padded_depth(pair.depth), segments = product.segments();
  CodedRows coded{at::empty({shape.rows, padded}, at::kByte),
                  at::empty({shape.rows, segments}, at::kInt),
                  at::empty({shape.rows, coder.groups()}, at::kFloat),
                  {}};
  if (masks(surrogate)) coded.mask = at::empty({shape.rows, kernels::mask_bytes(pair.depth)}, at::kByte);
  const float* in = x.const_data_ptr<float>();
  uint8_t *bytes = coded.bytes.mutable_data_ptr<uint8_t>(),
          *mask = coded.mask.defined() ? coded.mask.mutable_data_ptr<uint8_t>() : nullptr;
  int32_t* sums = coded.sums.mutable_data_ptr<int32_t>();
  float* stored = coded.scales.mutable_data_ptr<float>();
  for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    AlignedVector<float> scratch(pair.depth);
    std::vector<int8_t> codes(pair.depth);
    for (int64_t r = first; r < last; ++r) {
      coder.run(r, in + r * pair.depth, scratch.data(), codes.data(),
                mask ? mask + r * kernels::mask_bytes(pair.depth) : nullptr, stored + r * coder.groups());
      kernels::offset_row(codes.data(), product, pair.input.grid.lo(), bytes + r * padded, sums + r * segments);
    }
  });
  return coded;
}

CodedWeight code_weight(const CodePair& pair, const at::Tensor& w, const at::Tensor& scales,
                        const kernels::Surrogate& surrogate) {
  check_float_rows(w, "code_weight");
  const int64_t outputs = w.size(0), depth = pair.depth, panels = kernels::padded_outputs(outputs) / kPanelOutputs;
  const bool per_tensor = pair.weight.granularity.kind == GranularityKind::kTensor;
  const at::Tensor given = scales.defined() || !per_tensor ? scales : dynamic_scales(w, pair.weight);
  const RowCoder coder(pair.weight, depth, surrogate, given);
  const kernels::IntGemmShape product = shape_of(pair, outputs);
  CodedWeight coded;
  coded.panels = at::empty({panels * kPanelOutputs * kernels::padded_depth(depth)}, at::kChar);
  coded.scales = at::empty({outputs, coder.groups()}, at::kFloat);
  if (masks(surrogate)) coded.mask = at::empty({outputs, kernels::mask_bytes(depth)}, at::kByte);
  const at::Tensor sums = at::empty({product.segments(), panels * kPanelOutputs}, at::kInt);
  const float* in = w.const_data_ptr<float>();
  float* stored = coded.scales.mutable_data_ptr<float>();
  uint8_t* mask = coded.mask.defined() ? coded.mask.mutable_data_ptr<uint8_t>() : nullptr;
  int8_t* packed = coded.panels.mutable_data_ptr<int8_t>();
  int32_t* column_sums = sums.mutable_data_ptr<int32_t>();
  for_rows(panels, kPanelOutputs * depth, [&](int64_t first, int64_t last) {
    AlignedVector<float> scratch(depth);
    std::vector<int8_t> codes(kPanelOutputs * depth);
    for (int64_t panel = first; panel < last; ++panel) {
      const int64_t begin = panel * kPanelOutputs, end = std::min(begin + kPanelOutputs, outputs);
      for (int64_t o = begin; o < end; ++o)
        coder.run(o, in + o * depth, scratch.data(), codes.data() + (o - begin) * depth,
                  mask ? mask + o * kernels::mask_bytes(depth) : nullptr, stored + o * coder.groups());
      kernels::pack_panel(codes.data(), product, panel, packed, column_sums);
    }
  });
  finish_panels(pair, sums, coded);
  return coded;
}

at::Tensor int_linear(const CodePair& pair, const CodedRows& x, const CodedWeight& w) {
  const int64_t rows = x.bytes.size(0), outputs = w.scales.size(0);
  const kernels::IntGemmShape shape = shape_of(pair, outputs);
  const bool grouped = x.scales.size(1) > 1;
  const at::Tensor terms = row_terms(pair, x.sums);
  const at::Tensor scales =
      grouped ? x.scales.repeat_interleave(shape.segments() / x.scales.size(1), 1).contiguous() : x.scales;
  at::Tensor out = at::empty({rows, outputs}, at::kFloat);
  const kernels::IntRows left{x.bytes.const_data_ptr<uint8_t>(),
                              terms.defined() ? terms.const_data_ptr<int32_t>() : nullptr,
                              scales.const_data_ptr<float>(), grouped};
  const kernels::IntPanels right{w.panels.const_data_ptr<int8_t>(), w.terms.const_data_ptr<int32_t>(),
                                 w.unit_scales.const_data_ptr<float>()};
  float* to = out.mutable_data_ptr<float>();
  for_parts(rows, kernels::padded_outputs(outputs) / kPanelOutputs,
            [&](const kernels::IntGemmPart& part) { kernels::int_gemm(left, right, shape, part, to); });
  return out;
}

at::Tensor row_values(const CodePair& pair, const CodedRows& x) {
  const int64_t rows = x.bytes.size(0), depth = pair.depth, padded = x.bytes.size(1);
  const RowQuantizer quantizer(pair.input, depth);
  at::Tensor values = at::empty({rows, depth}, at::kFloat);
  const uint8_t* bytes = x.bytes.const_data_ptr<uint8_t>();
  const float* scales = x.scales.const_data_ptr<float>();
  float* to = values.mutable_data_ptr<float>();
  for_rows(rows, depth, [&](int64_t first, int64_t last) {
    std::vector<int8_t> codes(depth);
    for (int64_t r = first; r < last; ++r) {
      kernels::restore_row(bytes + r * padded, depth, pair.input.grid.lo(), codes.data());
      quantizer.dequantize(codes.data(), scales + r * quantizer.groups(), to + r * depth);
    }
  });
  return values;
}

at::Tensor weight_values(const CodePair& pair, const CodedWeight& w) {
  const int64_t outputs = w.scales.size(0), depth = pair.depth;
  const RowQuantizer quantizer(pair.weight, depth);
  const kernels::IntGemmShape shape = shape_of(pair, outputs);
  at::Tensor values = at::empty({outputs, depth}, at::kFloat);
  const int8_t* panels = w.panels.const_data_ptr<int8_t>();
  const float* scales = w.scales.const_data_ptr<float>();
  float* to = values.mutable_data_ptr<float>();
  for_rows(kernels::padded_outputs(outputs) / kPanelOutputs, kPanelOutputs * depth, [&](int64_t first, int64_t last) {
    std::vector<int8_t> codes(kPanelOutputs * depth);
    for (int64_t panel = first; panel < last; ++panel) {
      const int64_t begin = panel * kPanelOutputs, end = std::min(begin + kPanelOutputs, outputs);
      kernels::unpack_panel(panels, shape, panel, codes.data());
      for (int64_t o = begin; o < end; ++o)
        quantizer.dequantize(codes.data() + (o - begin) * depth, scales + o * quantizer.groups(), to + o * depth);
    }
  });
  return values;
}

}  // namespace detent::ops
