// What targets that write plain values, not codes, have in common.
#pragma once
#include "detent/deploy/target.h"

namespace detent {

class DenseTarget : public ExportTarget {
 public:
  // A half-rotated weight is right only against a rotated input, which no file can ask for.
  std::optional<std::string> refusal(const QuantSpec& spec, int64_t rows, int64_t columns) const override;
  std::optional<QuantSpec> nearest(const QuantSpec& spec, int64_t rows, int64_t columns) const override;
};

// Why values d * level of this spec are not all fp16 numbers, by counting significant bits; nothing when they are,
// unless they leave fp16's range.
std::optional<std::string> half_refusal(const QuantSpec& spec);
QuantSpec nearest_half_spec(const QuantSpec& spec);

}  // namespace detent
