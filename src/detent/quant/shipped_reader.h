// The tensors of a checkpoint folder as they ship, one or some of its rows at a time.
#pragma once
#include "detent/io/safetensors.h"
#include "detent/quant/shipped.h"

namespace detent {

class ShippedReader {
 public:
  // A folder whose record and learned scales have been read (read_shipped_record) and fit its weights.
  ShippedReader(const ShippedModel& described, Codes codes);
  const std::vector<io::TensorView>& tensors() const { return latent_.tensors(); }
  // Fails, naming the tensor, on values that are not finite, before or after.
  ShippedTensor read(const std::string& name) const;
  // Rows [first, first + count), which must not share their scale with others.
  ShippedTensor read_rows(const std::string& name, int64_t first, int64_t count) const;

 private:
  ShippedTensor ship(const io::TensorView& view, int64_t first_row) const;

  io::SafetensorsReader latent_;
  std::string folder_;
  QuantizationRecord record_;
  std::map<std::string, at::Tensor> learned_;
  Codes codes_;
};

}  // namespace detent
