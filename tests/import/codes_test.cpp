// Packed files whose codes are multiplied as they lie: the codes are the values, and a model of them computes the same.
#include <ATen/ATen.h>

#include <cstring>
#include <random>

#include "detent/format/ggml_blocks.h"
#include "detent/import/gguf_codes.h"
#include "detent/import/gguf_decode.h"
#include "detent/io/bytes.h"
#include "detent/io/gguf.h"
#include "detent/io/safetensors.h"
#include "detent/ops/product.h"
#include "detent/train/model_folder.h"
#include "tests/deploy/support.h"
#include "tests/support/golden.h"

namespace detent::test {
namespace {

const io::GgmlType& type_of(const char* name) { return *io::find_ggml_type(name); }

std::vector<std::byte> random_bytes(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// One product an element.
at::Tensor products(const Quantized& q) {
  at::Tensor values = at::empty(q.codes.sizes(), at::kFloat);
  const int64_t group = q.codes.numel() / q.scales.numel();
  for (int64_t i = 0; i < values.numel(); ++i)
    values.mutable_data_ptr<float>()[i] =
        q.scales.const_data_ptr<float>()[i / group] * q.spec.grid.level(q.codes.const_data_ptr<int8_t>()[i]);
  return values;
}

// Bits, but for NaN, of which any is one.
bool same_numbers(const at::Tensor& a, const at::Tensor& b) {
  return at::isnan(a).equal(at::isnan(b)) && same_bits(a.nan_to_num(0), b.nan_to_num(0));
}

// Any bytes have values; their scales are negative, subnormal and not finite among others.
TEST(Codes, OfBlocksAreTheirValues) {
  const std::vector<int64_t> order = {2, 0, 4, 1, 3};
  int uniform = 0;
  for (const GgmlBlock* block : ggml_blocks()) {
    SCOPED_TRACE(block->name);
    const LevelBlock* levels = find_level_block(block->name);
    const std::vector<int64_t> shape = {5, 256};
    auto bytes = random_bytes(static_cast<size_t>(5 * 256 / block->elements * block->bytes), 3);
    if (std::string_view(block->name) == "TQ2_0")  // the code that is never written
      for (size_t i = 0; i < bytes.size(); ++i)
        if (i % 66 < 64) bytes[i] &= std::byte{0x55} << static_cast<int>(i % 2);
    const auto codes = decode_codes(bytes, type_of(block->name), shape, order);
    EXPECT_EQ(codes.has_value(), levels && levels->levels.kind != LevelSet::kTwiceE2M1);
    if (!codes) continue;
    EXPECT_TRUE(same_numbers(products(*codes), decode_tensor(bytes, type_of(block->name), shape, order)));
    ++uniform;
  }
  EXPECT_EQ(uniform, 7);  // Q4_0 Q5_0 Q8_0 Q2_0 Q1_0 TQ1_0 TQ2_0
}

TEST(Codes, ThatTheirGridHasNotAreValuesAlone) {
  std::vector<std::byte> bytes(66, std::byte{0x55});
  EXPECT_TRUE(decode_codes(bytes, type_of("TQ2_0"), {1, 256}, {}));
  bytes[17] = std::byte{0x5f};
  EXPECT_FALSE(decode_codes(bytes, type_of("TQ2_0"), {1, 256}, {}));
}

int packed_layers(InferenceModel& inference) {
  int count = 0;
  for (const nn::Slot& slot : inference.model->slots()) count += slot.parameter->is_meta();
  return count;
}

// From 16 rows on both multiply by one chain of fused multiply-adds an output.
void expect_packed(const fs::path& path, int layers) {
  const at::NoGradGuard guard;
  const ShippedModel shipped = open_model_any(path);
  InferenceModel packed = inference_model(shipped, Weights::kPacked), values = inference_model(shipped);
  EXPECT_EQ(packed_layers(packed), layers);
  EXPECT_EQ(packed_layers(values), 0);
  const at::Tensor ids = at::arange(20, at::kLong).unsqueeze(0);
  EXPECT_TRUE(same_bits(packed.model->logits(ids), values.model->logits(ids)));
}

bool fuses() { return ops::has_product(at::zeros({16, 1}), at::zeros({1, 1})); }

TEST(Codes, GgufFilesRunFromThem) {
  if (!fuses()) GTEST_SKIP() << "no fused multiply-adds";
  struct Case {
    const char* target;
    QuantSpec grid;
    bool packed;
  };
  const Case cases[] = {{"gguf:q4_0", int4(), true},
                        {"gguf:q8_0", spec("int", 8, "32", ScaleRule::kAbsmax), true},
                        {"gguf:q2_0", spec("int_high", 2, "64", ScaleRule::kAbsmaxSigned), true},
                        {"gguf:q1_0", spec("binary", 1, "128", ScaleRule::kMean), true},
                        {"gguf:tq2_0", spec("ternary", 2, "256", ScaleRule::kMean), true},
                        {"gguf:f32", int4(), false}};
  for (const bool tied : {true, false})
    for (const Case& c : cases) {
      SCOPED_TRACE(c.target);
      const TemporaryFolder folder;
      DecoderConfig config = wide_config();
      config.vocab_size = 257;  // of the byte tokenizer
      config.tie_word_embeddings = tied;
      ShippedModel model = tiny_model(c.grid, Storage::kQ8_0, config);
      add_tokenizer(model, folder / "t");
      export_to(model, c.target, folder / "x.gguf");
      const int head = !tied && std::string_view(c.target) != "gguf:f32";  // of 8 bits
      expect_packed(folder / "x.gguf", (c.packed ? 7 : 0) + head);
    }
}

// What values would have told, codes must tell too.
TEST(Codes, ScalesThatAreNotFiniteAreRefusedByName) {
  const TemporaryFolder folder;
  DecoderConfig config = wide_config();
  config.vocab_size = 257;
  ShippedModel model = tiny_model(int4(), Storage::kF32, config);
  add_tokenizer(model, folder / "t");
  export_to(model, "gguf:q4_0", folder / "x.gguf");
  const io::GgufReader file(folder / "x.gguf");
  std::string bytes = read_raw(folder / "x.gguf");
  const size_t at = bytes.find(io::as_text(file.tensor("blk.0.ffn_up.weight").bytes));
  ASSERT_NE(at, bytes.npos);
  for (const uint16_t scale : {0x7C00, 0xFC00, 0x7E00}) {
    std::memcpy(&bytes[at + 5 * 18], &scale, sizeof scale);
    write_raw(folder / "y.gguf", bytes);
    const ShippedModel broken = open_model_any(folder / "y.gguf");
    EXPECT_THAT(error_of([&] { inference_model(broken, Weights::kPacked); }), testing::HasSubstr("mlp.up_proj.weight"));
  }
}

TEST(Codes, CompressedFoldersRunFromThem) {
  if (!fuses()) GTEST_SKIP() << "no fused multiply-adds";
  const std::map<std::string, int> layers = {{"w4a16_group", 14}, {"w4a8_group", 14},          {"w8a8_channel", 14},
                                             {"w5_tensor", 14},   {"w3_asymmetric", 0},        {"mxfp4", 0},
                                             {"mixed", 14},       {"w7_asymmetric_channel", 0}};
  for (const auto& [name, count] : layers) {
    SCOPED_TRACE(name);
    expect_packed(golden_path("compressed/" + name), count);
  }
}

// A folder whose matrices are int8 as they are, said to have so many bits.
void write_int8_folder(const ShippedModel& model, const fs::path& folder, int bits) {
  export_to(model, "compressed-tensors", folder);
  nlohmann::json config = parse_json(read_raw(folder / "config.json"), "config.json");
  nlohmann::json& quantization = config["quantization_config"];
  quantization["format"] = quantization["config_groups"]["group_0"]["format"] = "int-quantized";
  quantization["config_groups"]["group_0"]["weights"]["num_bits"] = bits;
  write_raw(folder / "config.json", config.dump());
  std::vector<io::TensorView> views;
  const auto add = [&](const std::string& name, io::Dtype dtype, const at::Tensor& tensor) {
    views.push_back(
        {name, dtype, tensor.sizes().vec(), {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
  };
  for (const auto& [name, tensor] : model.tensors) {
    if (!tensor.quantized) {
      add(name, io::Dtype::kF32, tensor.value);
      continue;
    }
    add(name, io::Dtype::kI8, tensor.quantized->codes);
    add(name + "_scale", io::Dtype::kF32, tensor.quantized->scales);
  }
  io::write_safetensors(folder / "model.safetensors", views);
}

// Decompressed as they are; codes beyond the bits are none of the grid.
TEST(Codes, BeyondTheirBitsAreValuesAlone) {
  if (!fuses()) GTEST_SKIP() << "no fused multiply-adds";
  const ShippedModel model = tiny_model(spec("int", 8, "row", ScaleRule::kAbsmaxFull, ScaleFormat::kFp32));
  for (const auto& [bits, layers] : {std::pair<int, int>{8, 7}, {4, 0}, {1, 0}}) {
    SCOPED_TRACE(bits);
    const TemporaryFolder folder;
    write_int8_folder(model, folder / "x", bits);
    expect_packed(folder / "x", layers);
  }
}

}  // namespace
}  // namespace detent::test
