// Quantizing to e2m1 with OCP's scale is what the gguf package does, byte for byte.
#include "detent/deploy/gguf_tensor.h"
#include "detent/import/gguf_decode.h"
#include "detent/quant/tensor_file.h"
#include "tests/deploy/support.h"
#include "tests/support/golden.h"

namespace detent::test {
namespace {

TEST(Mxfp4, CodesScalesAndValuesAreTheGgufPackages) {
  const Golden golden("mxfp4.safetensors");
  for (const auto& one : golden.cases()) {
    const std::string id = one.at("id");
    SCOPED_TRACE(id);
    const at::Tensor x = golden.tensor(id + ".x");
    const QuantSpec e2m1 = spec("e2m1", 4, "32", ScaleRule::kAbsmaxFull, ScaleFormat::kE8M0);
    const Quantized quantized = quantize(x, e2m1);
    const ShippedTensor shipped{dequantize(quantized), quantized};
    EXPECT_TRUE(same_bits(shipped.value, golden.tensor(id + ".value")));
    std::vector<std::byte> bytes;
    encode_tensor("x", shipped, *io::find_ggml_type("MXFP4"), {},
                  [&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    const at::Tensor packed = golden.tensor(id + ".packed").contiguous();
    ASSERT_EQ(bytes.size(), packed.nbytes());
    EXPECT_EQ(std::memcmp(bytes.data(), packed.const_data_ptr(), bytes.size()), 0);
    EXPECT_TRUE(same_bits(decode_tensor(bytes, *io::find_ggml_type("MXFP4"), x.sizes(), {}), shipped.value));
  }
}

}  // namespace
}  // namespace detent::test
