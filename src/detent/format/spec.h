// QuantSpec: everything that decides a quantized value. Plain data, kept in checkpoints, free of gradients.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "detent/format/grid.h"
#include "detent/format/scale.h"

namespace detent {

// Which elements share a scale. A matrix is seen as rows of its last dimension.
enum class GranularityKind { kTensor, kRow, kGroup };  // row: an output channel of a weight, a token of an activation

struct Granularity {
  GranularityKind kind = GranularityKind::kRow;
  int64_t size = 0;  // group only: consecutive elements of one row

  // Elements that share a scale for rows of `columns` elements (tensor: rows * columns).
  int64_t group_length(int64_t rows, int64_t columns) const;
  std::string name() const;  // "tensor", "row", "32"
  bool operator==(const Granularity&) const = default;
};
// "tensor", "row", "token" (the same as row) or a group size.
Granularity parse_granularity(const std::string& text);

// kHadamard rotates before quantizing and back after; kHadamardHalf stays rotated (both operands must).
enum class Rotation { kNone, kHadamard, kHadamardHalf };
Rotation parse_rotation(const std::string& name);
std::string rotation_name(Rotation rotation);
// QuEST: the largest power of two up to 128 that divides the last dimension.
int64_t hadamard_block(int64_t columns);

struct QuantSpec {
  Grid grid;
  Granularity granularity;
  ScaleRule scale_rule = ScaleRule::kAbsmax;
  ScaleFormat scale_format = ScaleFormat::kFp32;
  Rotation rotation = Rotation::kNone;
  // A learned parameter s stands for the scale d = s / learned_unit (SEQ: 1.5 ternary, 2 at 2 bits); else 1.
  float learned_unit = 1;

  std::string name() const;  // "int4 absmax group 32 fp16"
  bool operator==(const QuantSpec&) const = default;
};

// Why the parts do not fit together; nothing when they do.
std::optional<std::string> spec_problem(const QuantSpec& spec);
// Fails with the reason when the parts do not fit together or the shape [rows, columns] cannot be grouped so.
void check_spec(const QuantSpec& spec);
void check_shape(const QuantSpec& spec, int64_t rows, int64_t columns, const std::string& tensor);

// Learned steps never come nearer to zero than this (ParetoQ's floor); their sign is kept.
inline constexpr float kLearnedFloor = 1e-5f;
// The scale a learned parameter stands for: floored, divided by the unit, rounded to a format of one level.
float learned_scale(float parameter, const QuantSpec& spec);

nlohmann::json to_json(const QuantSpec& spec);
QuantSpec spec_from_json(const nlohmann::json& json);

}  // namespace detent
