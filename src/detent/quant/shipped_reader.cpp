#include "detent/quant/shipped_reader.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "detent/quant/tensor_file.h"

namespace detent {

namespace {

constexpr int64_t kPart = int64_t{1} << 22;  // elements

// In parts, in the latent's own memory: the table of embeddings is the largest tensor of most models.
at::Tensor stored_in_place(const at::Tensor& latent, Storage storage) {
  if (latent.dim() < 2) return stored_value(latent, storage);
  const int64_t rows = std::max<int64_t>(1, kPart / std::max<int64_t>(1, latent.numel() / latent.size(0)));
  for (int64_t first = 0; first < latent.size(0); first += rows) {
    const at::Tensor part = latent.narrow(0, first, std::min(rows, latent.size(0) - first));
    part.copy_(stored_value(part, storage));
  }
  return latent;
}

}  // namespace

ShippedReader::ShippedReader(const ShippedModel& described, Codes codes)
    : latent_(described.folder),
      folder_(described.folder),
      record_(described.record),
      learned_(described.learned),
      codes_(codes) {}

ShippedTensor ShippedReader::read(const std::string& name) const { return ship(latent_.at(name), 0); }

ShippedTensor ShippedReader::read_rows(const std::string& name, int64_t first, int64_t count) const {
  return ship(rows_of(latent_.at(name), first, count), first);
}

ShippedTensor ShippedReader::ship(const io::TensorView& view, int64_t first_row) const {
  const at::Tensor latent = read_float_tensor(latent_, view);
  check_finite(latent, view.name, folder_);
  const auto layer = record_.layers.find(view.name);
  ShippedTensor shipped;
  if (layer == record_.layers.end() || !layer->second.weight) {
    shipped.value = stored_in_place(latent, record_.unquantized);
  } else {
    const QuantSpec& spec = *layer->second.weight;
    at::Tensor scales;
    if (spec.scale_rule == ScaleRule::kLearned) scales = learned_.at(view.name + ".scale");
    if (scales.defined() && spec.granularity.kind != GranularityKind::kTensor)
      scales = scales.narrow(0, first_row, view.shape[0]);
    if (codes_ == Codes::kKept) shipped.quantized = quantize(latent, spec, scales);
    shipped.value = shipped.quantized ? dequantize(*shipped.quantized) : quantized_value(latent, spec, scales);
  }
  check_finite(shipped.value, view.name, folder_);  // a finite weight may overflow the type it is stored as
  return shipped;
}

}  // namespace detent
