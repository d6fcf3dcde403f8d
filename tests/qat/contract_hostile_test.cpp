// Hostile inputs and thread counts, for every accepted spec.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/support/bits.h"
#include "tests/support/subjects.h"

namespace detent {
namespace {

using test::all_specs;
using test::all_subjects;
using test::gaussian;
using test::Rig;
using test::same_bits;
using test::Subject;

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

struct Hostile {
  const char* name;
  std::vector<float> repeated;  // over the row
};
const std::vector<Hostile>& finite_rows() {
  static const std::vector<Hostile> rows = {{"zeros", {0}},
                                            {"negative zeros", {-0.0f}},
                                            {"constant", {0.37f}},
                                            {"negative constant", {-0.37f}},
                                            {"subnormal", {1e-40f, -3e-41f}},
                                            {"smallest", {std::numeric_limits<float>::denorm_min()}},
                                            {"tiny", {1e-30f, -2e-30f}},
                                            {"huge", {1e36f, -3e36f}},
                                            {"ties", {0.5f, -0.5f, 1.5f, 2.5f, -3.5f, 1, -1, 0}}};
  return rows;
}

at::Tensor row_of(const std::vector<float>& repeated) {
  at::Tensor row = at::empty({1, 96});
  for (int64_t i = 0; i < 96; ++i) row.data_ptr<float>()[i] = repeated[i % repeated.size()];
  return row;
}

TEST(ContractHostile, FiniteInputsStayFiniteAndTrainedIsShipped) {
  at::Tensor outlier = gaussian({1, 96}, 1, 1e-4f);
  outlier[0][50] = 1e4;
  std::vector<std::pair<const char*, at::Tensor>> inputs = {{"one outlier", outlier}};
  for (const Hostile& hostile : finite_rows()) inputs.emplace_back(hostile.name, row_of(hostile.repeated));
  for (const Subject& subject : all_specs())
    for (const auto& [name, x] : inputs) {
      SCOPED_TRACE(subject.name() + ": " + name);
      Rig rig(subject, x);
      const at::Tensor stored = dequantize(rig.codes(x));
      ASSERT_TRUE(stored.isfinite().all().item<bool>());
      ASSERT_TRUE(same_bits(rig.quantizer->weight_value(x), stored));
      rig.phase->training = true;
      const at::Tensor leaf = x.clone().set_requires_grad(true);
      const at::Tensor value = rig.quantizer->weight_value(leaf);
      ASSERT_TRUE(same_bits(value, stored));
      value.backward(at::ones_like(value));
      ASSERT_TRUE(leaf.grad().isfinite().all().item<bool>());
      if (subject.learned()) {
        ASSERT_TRUE(rig.quantizer->learned().grad().isfinite().all().item<bool>());
      }
    }
}

// Dynamic scales: one bad element makes its group's values NaN, as the stored codes and scale would; a mask lets none
// of that group's gradient pass. Nothing else changes.
TEST(ContractHostile, OneBadElementSpoilsItsGroupOnly) {
  const at::Tensor clean = gaussian({3, 96}, 2), g = gaussian({3, 96}, 3, 1);
  for (const Subject& subject : all_subjects()) {
    if (subject.learned() || subject.spec.scale_format != ScaleFormat::kFp32) continue;
    const bool whole = subject.spec.granularity.kind == GranularityKind::kTensor;
    const bool masks = std::isfinite(subject.method->surrogate(subject.spec).u_hi);
    for (const float bad : {kNan, kInfinity, -kInfinity}) {
      SCOPED_TRACE(subject.name());
      at::Tensor x = clean.clone();
      x[1][70] = bad;
      Rig rig(subject, x);
      const at::Tensor stored = dequantize(rig.codes(x)), expected = dequantize(rig.codes(clean));
      rig.phase->training = true;
      const at::Tensor leaf = x.clone().set_requires_grad(true);
      const at::Tensor value = rig.quantizer->weight_value(leaf);
      ASSERT_TRUE(same_bits(value, stored));
      value.backward(g);
      const bool group = subject.spec.granularity.kind == GranularityKind::kGroup;  // 32 is a Hadamard block, too
      const at::Tensor poisoned = group ? value[1].narrow(0, 64, 32) : value[1];
      ASSERT_TRUE(poisoned.isnan().all().item<bool>());
      const at::Tensor dx = group ? leaf.grad()[1].narrow(0, 64, 32) : leaf.grad()[1];
      if (masks) {
        ASSERT_TRUE((dx == 0).all().item<bool>());
      }
      if (group) {
        ASSERT_TRUE(same_bits(value[1].narrow(0, 0, 64), expected[1].narrow(0, 0, 64)));
      }
      if (!whole) {
        ASSERT_TRUE(same_bits(value[0], expected[0]) && same_bits(value[2], expected[2]));
      }
    }
  }
}

struct ThreadCount {
  int before = at::get_num_threads();
  ~ThreadCount() { at::set_num_threads(before); }
};

// Large enough that seven threads all get rows; every surrogate and every rule with every granularity and rotation.
TEST(ContractHostile, ThreadsDoNotChangeABit) {
  const ThreadCount restore;
  const at::Tensor x = gaussian({64, 2048}, 4), g = gaussian({64, 2048}, 5, 1);
  std::set<std::string> seen;
  int count = 0;
  for (const Subject& subject : all_subjects()) {
    const std::string where = subject.spec.granularity.name() + rotation_name(subject.spec.rotation);
    const bool new_surrogate = seen.insert(subject.surrogate + where).second;
    const bool new_rule = seen.insert(scale_rule_name(subject.spec.scale_rule) + where).second;
    if (!new_surrogate && !new_rule) continue;
    SCOPED_TRACE(subject.name());
    std::vector<at::Tensor> first;
    for (const int threads : {1, 2, 7}) {
      at::set_num_threads(threads);
      Rig rig(subject, x);
      rig.phase->training = true;
      const at::Tensor leaf = x.detach().set_requires_grad(true);
      const at::Tensor value = rig.quantizer->weight_value(leaf);
      value.backward(g);
      std::vector<at::Tensor> all = {value, leaf.grad(), rig.codes(x).scales};
      if (subject.learned()) all.push_back(rig.quantizer->learned().grad());
      if (first.empty()) first = all;
      for (size_t i = 0; i < all.size(); ++i) ASSERT_TRUE(at::equal(all[i], first[i])) << threads << " threads: " << i;
    }
    ++count;
  }
  EXPECT_GE(count, 90);
}

}  // namespace
}  // namespace detent
