// Stretched rotary embeddings through GGUF: the formulas are the model's own, and what is written comes back.
#include "detent/import/gguf_rope.h"

#include <ATen/ATen.h>

#include "detent/nn/rope.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

using testing::HasSubstr;

DecoderConfig scaled(const RopeScaling& scaling, double theta = 500000, int64_t head_dim = 16) {
  DecoderConfig config = tiny_config();
  config.rope_theta = theta;
  config.head_dim = head_dim;
  config.rope_scaling = scaling;
  return config;
}

TEST(GgufRope, FactorsDivideTheFrequencies) {
  for (const RopeScaling& scaling : {RopeScaling{RopeType::kLlama3, 8, 1, 4, 8192},
                                     {RopeType::kLlama3, 32, 1, 4, 8192},
                                     {RopeType::kLlama3, 3, 2, 8, 256}}) {
    const DecoderConfig config = scaled(scaling, 500000, 128);
    const std::vector<float> factors = rope_factors(config);
    const at::Tensor plain = nn::Rope(scaled({}, 500000, 128)).frequencies(1), model = nn::Rope(config).frequencies(1);
    ASSERT_EQ(factors.size(), 64u);
    EXPECT_EQ(factors.front(), 1);
    EXPECT_EQ(factors.back(), static_cast<float>(scaling.factor));
    for (int64_t i = 0; i < 64; ++i) {
      const auto expected = model[i].item<float>();
      EXPECT_NEAR(plain[i].item<float>() / factors[i], expected, 1e-5f * expected) << i;
    }
  }
}

TEST(GgufRope, ComesBackFromTheFile) {
  const TemporaryFolder folder;
  for (const RopeScaling& scaling : {RopeScaling{RopeType::kLinear, 2.5},
                                     {RopeType::kLlama3, 8, 1, 4, 8192},
                                     {RopeType::kLlama3, 4, 2, 8, 64},
                                     {RopeType::kLlama3, 32, 1, 16, 1024}}) {
    const ShippedModel model = tiny_model(int4(), Storage::kF16, scaled(scaling, 10000, 32));
    export_to(model, "gguf:q4_0", folder / "x.gguf");
    const VerifyReport report = verify_file(folder / "x.gguf", model);
    EXPECT_TRUE(report.equal()) << to_text(report);
    EXPECT_EQ(io::GgufReader(folder / "x.gguf").find_tensor(kRopeFactors) != nullptr,
              scaling.type == RopeType::kLlama3);
  }
}

TEST(GgufRope, WhatCannotBeKeptIsRefused) {
  const auto why = [](const RopeScaling& scaling) {
    return error_of([&] { check_rope_fits_gguf(scaled(scaling, 10000, 64)); });
  };
  EXPECT_THAT(why({RopeType::kDynamic, 2}), HasSubstr("dynamic"));
  EXPECT_THAT(why({RopeType::kLlama3, 8, 1.37, 5.1, 1000}), HasSubstr("low_freq_factor 1.37"));
}

class GgufRopeFile : public testing::Test {
 protected:
  // A file with these keys and factors besides.
  std::string error(const std::vector<io::GgufKeyValue>& keys, const std::vector<float>& factors,
                    const char* type = "F32", const DecoderConfig& config = tiny_config()) {
    const ShippedModel model = tiny_model(std::nullopt, Storage::kF32, config);
    export_to(model, "gguf:f32", folder_ / "plain.gguf");
    const io::GgufReader file(folder_ / "plain.gguf");
    auto values = file.values();
    values.insert(values.end(), keys.begin(), keys.end());
    std::vector<io::GgufTensorInfo> infos;
    for (const io::GgufTensor& tensor : file.tensors()) infos.push_back({tensor.name, tensor.type, tensor.ne});
    if (!factors.empty())
      infos.push_back({kRopeFactors, io::find_ggml_type(type), {static_cast<int64_t>(factors.size())}});
    io::GgufWriter writer(folder_ / "x.gguf", values, infos);
    for (const io::GgufTensor& tensor : file.tensors()) writer.write(tensor.name, tensor.bytes);
    if (!factors.empty()) writer.write(std::as_bytes(std::span(factors)));
    writer.finish();
    try {
      load_model_any(folder_ / "x.gguf");
    } catch (const Error& found) {
      return found.what();
    }
    return "accepted";
  }
  TemporaryFolder folder_;
};

TEST_F(GgufRopeFile, KeysAndFactors) {
  const auto type = [](const char* name) { return io::GgufKeyValue{"llama.rope.scaling.type", std::string(name)}; };
  const io::GgufKeyValue factor{"llama.rope.scaling.factor", 4.0f};
  EXPECT_EQ(error({type("none")}, {}), "accepted");
  EXPECT_EQ(error({type("linear"), factor}, {}), "accepted");
  EXPECT_EQ(error({}, std::vector<float>(8, 1.0f)), "accepted");
  EXPECT_EQ(error({}, rope_factors(scaled({RopeType::kLlama3, 8, 1, 4, 8192}))), "accepted");
  EXPECT_EQ(error({{"llama.rope.scaling.attn_factor", 1.0f}}, {}), "accepted");
  EXPECT_THAT(error({{"llama.rope.scaling.attn_factor", 2.0f}}, {}), HasSubstr("attn_factor = 2"));
  EXPECT_THAT(error({type("yarn"), factor}, {}), HasSubstr("llama.rope.scaling.type = yarn"));
  EXPECT_THAT(error({type("linear")}, {}), HasSubstr("llama.rope.scaling.factor"));
  DecoderConfig qwen = tiny_config();
  qwen.architecture = "qwen2";
  qwen.qkv_bias = true;
  EXPECT_EQ(error({}, {}, "F32", qwen), "accepted");
  EXPECT_THAT(error({}, std::vector<float>(8, 2.0f), "F32", qwen), HasSubstr("rope_freqs.weight"));  // not dropped
  EXPECT_THAT(error({}, {1, 1, 2, 3, 5, 8, 13, 21}), HasSubstr("rope_freqs.weight scales"));
  EXPECT_THAT(error({}, {1, 1, 1}), HasSubstr("expected F32 of 8"));
  EXPECT_THAT(error({}, std::vector<float>(8, 1.0f), "I32"), HasSubstr("rope_freqs.weight is I32"));
  EXPECT_THAT(error({}, {1, 1, 1, 1, 1, 1, 1, NAN}), HasSubstr("rope_freqs.weight scales"));
}

}  // namespace
}  // namespace detent::test
