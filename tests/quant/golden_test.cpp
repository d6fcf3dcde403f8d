// quantize() and dequantize() against the numpy restatement of the papers' formulas
// (tests/golden/quantizers.safetensors).
#include <gtest/gtest.h>

#include <map>

#include "detent/quant/quantizer.h"
#include "tests/support/bits.h"
#include "tests/support/golden.h"

namespace detent {
namespace {

using nlohmann::json;
using test::golden_spec;
using test::is_kind;
using test::worst_ulps;

const test::Golden& golden() {
  static const test::Golden file("quantizers.safetensors");
  return file;
}

// Raw learned steps: those of the case, or the step that a tie case gives by hand, for every row.
at::Tensor given_steps(const json& entry, const at::Tensor& x) {
  if (entry.contains("given_step") && !entry.at("given_step").is_null())
    return at::full({x.size(0), 1}, entry.at("given_step").get<double>(), at::kFloat);
  return is_kind(entry, {"learned"}) ? golden().of(entry, "s").view({-1, 1}) : at::Tensor();
}

struct Outcome {
  at::Tensor x;
  Quantized ours, theirs;
  at::Tensor value, boundary;  // theirs
};

Outcome run(const json& entry) {
  const QuantSpec spec = golden_spec(entry);
  const at::Tensor x = golden().of(entry, "x");
  const Quantized ours = quantize(x, spec, given_steps(entry, x));
  const at::Tensor scale = golden().of(entry, "scale").view(ours.scales.sizes());
  const std::string boundary = entry.at("id").get<std::string>() + ".boundary";
  return {x,
          ours,
          {golden().of(entry, "codes"), scale, spec},
          golden().of(entry, "value"),
          golden().has(boundary) ? golden().tensor(boundary) : at::zeros_like(x, at::kChar)};
}

template <class Check>
int for_kinds(std::initializer_list<const char*> kinds, const Check& check) {
  int count = 0;
  for (const json& entry : golden().cases()) {
    if (!is_kind(entry, kinds)) continue;
    SCOPED_TRACE(entry.dump());
    check(run(entry));
    ++count;
  }
  return count;
}

void expect_codes_off_boundaries(const Outcome& o) {
  EXPECT_EQ(((o.ours.codes != o.theirs.codes) & (o.boundary == 0)).sum().item<int64_t>(), 0);
}

TEST(QuantizerGolden, ScalesAreWithinTwoUlp) {
  int64_t worst = 0;
  const int count = for_kinds({"plain", "extreme", "ties"}, [&](const Outcome& o) {
    const int64_t ulps = worst_ulps(o.ours.scales, o.theirs.scales);
    EXPECT_LE(ulps, 2);
    worst = std::max(worst, ulps);
  });
  EXPECT_GE(count, 500);
  RecordProperty("worst_ulps", std::to_string(worst));
}

TEST(QuantizerGolden, SixteenBitScalesAreEqual) {
  int count = 0;
  for_kinds({"plain", "extreme"}, [&](const Outcome& o) {
    if (o.ours.spec.scale_format == ScaleFormat::kFp32) return;
    EXPECT_TRUE(test::same_bits(o.ours.scales, o.theirs.scales));
    ++count;
  });
  EXPECT_GE(count, 300);
}

TEST(QuantizerGolden, CodesAreEqualOffRoundingBoundaries) {
  for_kinds({"plain", "extreme", "learned", "rotated"}, expect_codes_off_boundaries);
}

// The value of equal codes and scales is one float32 product, so no bit may differ, but for the sign of a zero: a code
// has one zero, numpy's rounding two.
TEST(QuantizerGolden, ValuesOfTheirCodesAndScalesAreEqual) {
  const int count = for_kinds({"plain", "extreme", "ties", "learned"},
                              [](const Outcome& o) { EXPECT_TRUE(at::equal(dequantize(o.theirs), o.value)); });
  EXPECT_GE(count, 550);
}

TEST(QuantizerGolden, ValuesWithoutCodesAreTheSame) {
  for_kinds({"plain", "extreme"}, [](const Outcome& o) {
    EXPECT_TRUE(test::same_bits(quantized_value(o.x, o.ours.spec), dequantize(o.ours)));
  });
}

TEST(QuantizerGolden, LearnedScalesAndValuesAreEqual) {
  const int count = for_kinds({"learned"}, [](const Outcome& o) {
    EXPECT_TRUE(test::same_bits(o.ours.scales, o.theirs.scales));
    EXPECT_TRUE(at::equal(dequantize(o.ours), o.value));
  });
  EXPECT_GE(count, 20);
}

// Exact ties. Grids with a zero round half to even, as numpy does. Grids without one round half up in detent, half to
// even of code + 1 in QuEST's code: on a tie those differ by one code, and both are equally near.
TEST(QuantizerGolden, TiesAreHalfToEvenOrHalfUp) {
  int half_up = 0;
  for_kinds({"ties"}, [&](const Outcome& o) {
    EXPECT_TRUE(test::same_bits(o.ours.scales, o.theirs.scales));
    const at::Tensor differ = o.ours.codes != o.theirs.codes;
    if (o.ours.spec.grid.kind != GridKind::kMidrise) {
      EXPECT_FALSE(differ.any().item<bool>());
      return;
    }
    const at::Tensor u = o.x / o.theirs.scales;
    EXPECT_TRUE((differ.logical_not() | (u == u.floor())).all().item<bool>());
    EXPECT_TRUE(at::equal(o.ours.codes.to(at::kFloat), u.floor().clamp(o.ours.spec.grid.lo(), o.ours.spec.grid.hi())));
    EXPECT_TRUE(at::equal((o.x - dequantize(o.ours)).abs(), (o.x - o.value).abs()));
    half_up += differ.sum().item<int>();
  });
  EXPECT_GT(half_up, 0);
}

// Rotations are float32 here and float64 there, so scales of h and values that were rotated back differ in rounding.
TEST(QuantizerGolden, RotatedScalesAndValues) {
  std::map<std::string, double> worst;
  const int count = for_kinds({"rotated"}, [&](const Outcome& o) {
    const int64_t ulps = worst_ulps(o.ours.scales, o.theirs.scales);
    const double error = test::relative_error(dequantize(o.ours), o.value);
    EXPECT_LE(ulps, 4);
    EXPECT_LE(error, 1e-6);
    worst["ulps"] = std::max(worst["ulps"], static_cast<double>(ulps));
    worst["value"] = std::max(worst["value"], error);
    if (o.ours.spec.rotation != Rotation::kHadamardHalf) return;
    EXPECT_TRUE(at::equal(dequantize(o.theirs), o.value));
  });
  EXPECT_GE(count, 30);
  for (const auto& [name, error] : worst) RecordProperty("worst_" + name, std::to_string(error));
}

}  // namespace
}  // namespace detent
