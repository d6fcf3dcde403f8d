#include "detent/import/gguf_runtime.h"

namespace detent {

std::optional<QuantSpec> runtime_input(const io::GgmlType& type) {
  if (type.block_elements == 1) return std::nullopt;
  const bool ternary = type.name.starts_with("TQ");
  const bool super_block = ternary || type.name.ends_with("_K");
  return QuantSpec{make_grid("int", 8),
                   {GranularityKind::kGroup, super_block ? 256 : 32},
                   ScaleRule::kAbsmax,
                   super_block ? ScaleFormat::kFp32 : ScaleFormat::kFp16};
}

}  // namespace detent
