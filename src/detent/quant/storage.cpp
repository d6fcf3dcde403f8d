#include "detent/quant/storage.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "detent/base/error.h"
#include "detent/quant/quantizer.h"

namespace detent {

const std::vector<std::string>& storage_names() {
  static const std::vector<std::string> names = {"f32", "f16", "bf16", "q8_0"};
  return names;
}

Storage parse_storage(const std::string& name) {
  const auto& names = storage_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) fail("[storage] unknown type '{}'; known: {}", name, fmt::join(names, ", "));
  return static_cast<Storage>(found - names.begin());
}

std::string storage_name(Storage storage) { return storage_names()[static_cast<int>(storage)]; }

at::Tensor stored_value(const at::Tensor& x, Storage storage) {
  switch (storage) {
    case Storage::kF16:
      return x.to(at::kHalf).to(at::kFloat);
    case Storage::kBf16:
      return x.to(at::kBFloat16).to(at::kFloat);
    case Storage::kQ8_0: {
      if (x.dim() < 2 || x.size(-1) % 32 != 0) return x;
      const QuantSpec spec{make_grid("int", 8), parse_granularity("32"), ScaleRule::kAbsmax, ScaleFormat::kFp16};
      return quantized_value(x.contiguous(), spec);
    }
    case Storage::kF32:
      break;
  }
  return x;
}

}  // namespace detent
