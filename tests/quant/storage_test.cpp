// What survives being stored, by closed form; specs and records as JSON and back.
#include "detent/quant/storage.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "detent/format/half.h"
#include "detent/ops/fake_quant.h"
#include "detent/quant/shipped.h"
#include "tests/io/support.h"
#include "tests/support/bits.h"

namespace detent {
namespace {

using io::test::error_of;
using testing::HasSubstr;

float stored(float x, Storage storage) { return stored_value(at::full({1}, x), storage).item<float>(); }

TEST(Storage, F16RoundsHalfToEvenAndKeepsSubnormals) {
  const std::pair<float, float> cases[] = {{0.0f, 0.0f},
                                           {-0.0f, -0.0f},
                                           {1.0f, 1.0f},
                                           {1.0f + 0x1p-11f, 1.0f},            // tie, even below
                                           {1.0f + 0x3p-11f, 1.0f + 0x1p-9f},  // tie, even above
                                           {-1.0f - 0x1.8p-11f, -1.0f - 0x1p-10f},
                                           {65504.0f, 65504.0f},
                                           {65519.0f, 65504.0f},
                                           {0x1p-24f, 0x1p-24f},
                                           {0x1p-25f, 0.0f},  // tie with zero
                                           {0x1.8p-25f, 0x1p-24f},
                                           {0x1p-14f - 0x1p-24f, 0x1p-14f - 0x1p-24f}};
  for (const auto& [x, expected] : cases) EXPECT_TRUE(test::same_bits(stored(x, Storage::kF16), expected)) << x;
}

TEST(Storage, Bf16RoundsHalfToEven) {
  const std::pair<float, float> cases[] = {{-0.0f, -0.0f},
                                           {1.0f + 0x1p-8f, 1.0f},
                                           {1.0f + 0x3p-8f, 1.0f + 0x1p-6f},
                                           {1.0f + 0x1.8p-8f, 1.0f + 0x1p-7f},
                                           {0x1p-133f, 0x1p-133f},
                                           {1e30f, bf16_bits_to_float(float_to_bf16_bits(1e30f))}};
  for (const auto& [x, expected] : cases) EXPECT_TRUE(test::same_bits(stored(x, Storage::kBf16), expected)) << x;
}

// LibTorch's conversions and those of format/half.h, on values of every exponent.
TEST(Storage, SixteenBitsAgreeWithTheBitTricks) {
  const at::Tensor noise = ops::add_gaussian(at::zeros({4096}), 1.0f, {.seed = 3});
  for (int exponent = -30; exponent < 14; exponent += 4) {
    const at::Tensor x = noise * std::exp2(exponent);
    const at::Tensor half = stored_value(x, Storage::kF16), bf16 = stored_value(x, Storage::kBf16);
    for (int64_t i = 0; i < x.numel(); ++i) {
      const float value = x.const_data_ptr<float>()[i];
      ASSERT_TRUE(test::same_bits(half.const_data_ptr<float>()[i], half_bits_to_float(float_to_half_bits(value))));
      ASSERT_TRUE(test::same_bits(bf16.const_data_ptr<float>()[i], bf16_bits_to_float(float_to_bf16_bits(value))));
    }
    EXPECT_TRUE(test::same_bits(stored_value(half, Storage::kF16), half));
    EXPECT_TRUE(test::same_bits(stored_value(bf16, Storage::kBf16), bf16));
  }
}

// ggml's Q8_0: d = fp16(absmax / 127), value = d * round(x / d) for every 32 elements of a row.
TEST(Storage, Q8IsAnFp16ScaleAnd32Codes) {
  at::Tensor x = ops::add_gaussian(at::zeros({3, 96}), 0.1f, {.seed = 5});
  x[1].narrow(0, 32, 32).zero_();
  const at::Tensor value = stored_value(x.t().contiguous().t(), Storage::kQ8_0);  // a strided view
  for (int64_t block = 0; block < 9; ++block) {
    const float* in = x.const_data_ptr<float>() + 32 * block;
    float absmax = 0;
    for (int i = 0; i < 32; ++i) absmax = std::max(absmax, std::abs(in[i]));
    const float d = half_bits_to_float(float_to_half_bits(absmax / 127));
    for (int i = 0; i < 32; ++i) {
      const float level = d == 0 ? 0 : std::nearbyint(in[i] / d);
      EXPECT_EQ(value.flatten()[32 * block + i].item<float>(), d * level) << block << " " << i;
    }
  }
}

TEST(Storage, WhatQ8DoesNotTakeStaysAsItIs) {
  for (const at::Tensor& x : {at::rand({64}), at::rand({2, 48}), at::rand({3, 16})})
    EXPECT_TRUE(test::same_bits(stored_value(x, Storage::kQ8_0), x));
  const at::Tensor x = at::rand({2, 32});
  EXPECT_TRUE(test::same_bits(stored_value(x, Storage::kF32), x));
}

TEST(Storage, NamesAndUnknownOnes) {
  for (const std::string& name : storage_names()) EXPECT_EQ(storage_name(parse_storage(name)), name);
  EXPECT_THAT(error_of([] { parse_storage("f8"); }), HasSubstr("f32, f16, bf16, q8_0"));
}

QuantizationRecord record() {
  QuantizationRecord all;
  all.unquantized = Storage::kF16;
  const QuantSpec learned{make_grid("ternary", 2), parse_granularity("row"), ScaleRule::kLearned,
                          ScaleFormat::kFp16,      Rotation::kNone,          1.5f};
  const QuantSpec rotated{make_grid("midrise", 3), parse_granularity("64"), ScaleRule::kRms, ScaleFormat::kFp16Bf16,
                          Rotation::kHadamardHalf};
  all.layers["a.weight"] = {learned, std::nullopt};
  all.layers["b.weight"] = {rotated, rotated};
  all.layers["c.weight"] = {std::nullopt, QuantSpec{make_grid("int", 8), parse_granularity("tensor")}};
  return all;
}

TEST(Record, RoundTripsThroughText) {
  const QuantizationRecord before = record();
  const QuantizationRecord after = record_from_json(nlohmann::json::parse(to_json(before).dump()));
  EXPECT_EQ(after.unquantized, before.unquantized);
  ASSERT_EQ(after.layers.size(), before.layers.size());
  for (const auto& [name, layer] : before.layers) {
    EXPECT_EQ(after.layers.at(name).weight, layer.weight) << name;
    EXPECT_EQ(after.layers.at(name).input, layer.input) << name;
  }
}

TEST(Record, RefusesWhatItDoesNotKnow) {
  const auto changed = [](const char* pointer, const nlohmann::json& value) {
    nlohmann::json json = to_json(record());
    json[nlohmann::json::json_pointer(pointer)] = value;
    return error_of([&] { record_from_json(json); });
  };
  EXPECT_THAT(changed("/version", 2), HasSubstr("version 2"));
  EXPECT_THAT(changed("/unquantized", "f8"), HasSubstr("f8"));
  EXPECT_THAT(changed("/layers/a.weight/weight/grid", "nf4"), HasSubstr("nf4"));
  EXPECT_THAT(changed("/layers/a.weight/weight/bits", 9), HasSubstr("1 to 8"));
  EXPECT_THAT(changed("/layers/a.weight/weight/bits", "4"), HasSubstr("malformed"));
  EXPECT_THAT(changed("/layers/a.weight/weight/scale", "absmax_full"), HasSubstr("not defined"));
  EXPECT_THAT(changed("/layers/a.weight/weight/group", "0"), HasSubstr("group size"));
  EXPECT_THAT(changed("/layers/a.weight", 3), HasSubstr("malformed"));
  EXPECT_THAT(error_of([] { record_from_json(nlohmann::json::object()); }), HasSubstr("malformed"));
}

}  // namespace
}  // namespace detent
