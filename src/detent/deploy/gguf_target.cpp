#include "detent/deploy/gguf_target.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>

#include "detent/base/error.h"
#include "detent/deploy/block_fit.h"
#include "detent/deploy/dense_target.h"
#include "detent/deploy/gguf_tensor.h"
#include "detent/deploy/gguf_write.h"
#include "detent/format/ggml_blocks.h"

namespace detent {

namespace {

// llama.cpp's number for "mostly this type", and the grid a training run for this target uses.
struct Row {
  const char* type;
  uint32_t file_type;
  const char* grid;
  int bits;
  ScaleRule rule;
};
constexpr Row kRows[] = {
    {"Q4_0", 2, "int", 4, ScaleRule::kAbsmaxSigned}, {"Q5_0", 8, "int", 5, ScaleRule::kAbsmaxSigned},
    {"Q8_0", 7, "int", 8, ScaleRule::kAbsmax},       {"Q2_0", 41, "int_high", 2, ScaleRule::kAbsmaxSigned},
    {"Q1_0", 40, "binary", 1, ScaleRule::kMean},     {"TQ1_0", 36, "ternary", 2, ScaleRule::kMean},
    {"TQ2_0", 37, "ternary", 2, ScaleRule::kMean},   {"MXFP4", 38, "e2m1", 4, ScaleRule::kAbsmaxFull},
    {"F16", 1, nullptr, 0, ScaleRule::kAbsmax},      {"F32", 0, nullptr, 0, ScaleRule::kAbsmax}};

const Row& row_of(const std::string& type) {
  return *std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& row) { return type == row.type; });
}

std::string target_name(const Row& row) {
  std::string name = std::string("gguf:") + row.type;
  for (char& c : name) c = static_cast<char>(std::tolower(c));
  return name;
}

class BlockTarget : public ExportTarget {
 public:
  explicit BlockTarget(const Row& row)
      : row_(row), type_(*io::find_ggml_type(row.type)), block_(*find_level_block(row.type)) {}
  std::string name() const override { return target_name(row_); }
  std::string summary() const override {
    return fmt::format("GGUF; {} weights share {}, levels are {}; {} bits a weight", block_.elements,
                       block_.scale_format == ScaleFormat::kE8M0 ? "a power of two" : "an fp16 scale",
                       block_levels_text(block_), 8.0 * block_.bytes / block_.elements);
  }
  std::optional<std::string> refusal(const QuantSpec& spec, int64_t, int64_t columns) const override {
    return block_refusal(block_, spec, columns);
  }
  std::optional<QuantSpec> nearest(const QuantSpec& spec, int64_t, int64_t columns) const override {
    return nearest_block_spec(block_, spec, columns);
  }
  std::optional<QuantSpec> preferred() const override {
    return QuantSpec{
        make_grid(row_.grid, row_.bits), {GranularityKind::kGroup, block_.elements}, row_.rule, block_.scale_format};
  }
  bool holds(const at::Tensor& value) const override { return holds_values(type_, value); }
  ExportReport write(const ShippedModel& model, const std::string& path) const override {
    return write_gguf(model, path, {name(), type_, row_.file_type});
  }

 private:
  const Row& row_;
  const io::GgmlType& type_;
  const LevelBlock& block_;
};

class FloatTarget : public DenseTarget {
 public:
  explicit FloatTarget(const Row& row) : row_(row), type_(*io::find_ggml_type(row.type)) {}
  std::string name() const override { return target_name(row_); }
  std::string summary() const override { return fmt::format("GGUF; not packed, weights as {}", row_.type); }
  std::optional<std::string> refusal(const QuantSpec& spec, int64_t rows, int64_t columns) const override {
    const auto refused = DenseTarget::refusal(spec, rows, columns);
    return refused || !is_half() ? refused : half_refusal(spec);
  }
  std::optional<QuantSpec> nearest(const QuantSpec& spec, int64_t rows, int64_t columns) const override {
    return is_half() ? nearest_half_spec(spec) : DenseTarget::nearest(spec, rows, columns);
  }
  bool holds(const at::Tensor& value) const override { return holds_values(type_, value); }
  ExportReport write(const ShippedModel& model, const std::string& path) const override {
    return write_gguf(model, path, {name(), type_, row_.file_type});
  }

 private:
  bool is_half() const { return type_.name == "F16"; }
  const Row& row_;
  const io::GgmlType& type_;
};

}  // namespace

std::unique_ptr<const ExportTarget> gguf_block_target(const std::string& block) {
  return std::make_unique<BlockTarget>(row_of(block));
}

std::unique_ptr<const ExportTarget> gguf_float_target(const std::string& type) {
  return std::make_unique<FloatTarget>(row_of(type));
}

}  // namespace detent
