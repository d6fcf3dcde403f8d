// Optimizers, CAGE, alpha-blending and schedules against torch.optim and a PyTorch restatement of the papers
// (tests/golden/optimizers.safetensors). Errors are relative to the largest magnitude of the tensor.
#include <gtest/gtest.h>

#include <set>

#include "detent/optim/optimizer.h"
#include "detent/optim/schedule.h"
#include "detent/qat/alpha_blending.h"
#include "detent/qat/cage.h"
#include "detent/qat/quantizer_rule.h"
#include "tests/support/bits.h"
#include "tests/support/golden.h"

namespace detent {
namespace {

using nlohmann::json;
using test::relative_error;

const test::Golden& golden() {
  static const test::Golden file("optimizers.safetensors");
  return file;
}

ScheduleOptions schedule_of(const json& value, const char* kind_key) {
  return {value.at(kind_key), value.at("warmup"), value.at("final")};
}

// One golden run in detent's terms: options, schedules and the quantizer (int4 absmax by row) that CAGE and blending
// use.
struct Training {
  explicit Training(const json& c) : steps(c.at("steps")), peak(c.at("options").at("lr")) {
    const json& given = c.at("options");
    options.name = c.at("optimizer") == "SGD" ? "sgd" : "adamw";
    options.betas = given.value("betas", std::vector<double>{0.9, 0.95});
    options.epsilon = given.value("eps", 1e-8);
    options.momentum = given.value("momentum", 0.0);
    options.nesterov = given.value("nesterov", false);
    weight_decay = given.value("weight_decay", 0.0);
    if (!c.at("lr_schedule").is_null()) schedule = schedule_of(c.at("lr_schedule"), "kind");
    if (const json& given_cage = c.at("cage"); !given_cage.is_null()) {
      cage.emplace();
      cage->lambda = given_cage.at("lambda");
      cage->start = given_cage.at("silence");
      cage->ramp = given_cage.at("ramp");
      cage->mode = given_cage.at("form");
    }
    if (const json& given_blend = c.at("blend"); !given_blend.is_null())
      blend = AlphaBlendingOptions{given_blend.at("t0").get<double>() / static_cast<double>(steps),
                                   given_blend.at("t1").get<double>() / static_cast<double>(steps),
                                   given_blend.at("exponent")};
    const QuantSpec spec{make_grid("int", 4), parse_granularity("row")};
    phase->training = phase->blending = blend.has_value();
    quantizer = std::make_shared<TensorQuantizer>("w", spec, make_surrogate("ste", {}), phase, 0);
    w = golden().tensor("w0").set_requires_grad(true);
    optimizer = make_optimizer(options, {{"w", w, weight_decay, 1, make_quantized_target(quantizer)}});
  }

  double rate(int64_t t) const { return peak * (schedule ? learning_rate_share(*schedule, t, steps) : 1); }

  PullTerms pull(int64_t t) const {
    if (!cage) return {};
    const double now = *cage->lambda * cage_ramp(*cage, t, steps);
    return cage->mode == "coupled" ? PullTerms{0, now} : PullTerms{now, 0};
  }

  // The forward of step t, whose gradient is given. Blending hands 1 - alpha of it down to the weight.
  at::Tensor forward(int64_t t) {
    phase->blend = blend ? blend_at(*blend, t, steps) : 0;
    optimizer->parameters()[0].learning_rate_factor = phase->blend >= 1 ? 0 : 1;
    return blend ? quantizer->weight_value(w) : w * 1;
  }

  int64_t steps;
  double peak, weight_decay;
  OptimizerOptions options;
  std::optional<ScheduleOptions> schedule;
  std::optional<CageOptions> cage;
  std::optional<AlphaBlendingOptions> blend;
  std::shared_ptr<Phase> phase = std::make_shared<Phase>();
  std::shared_ptr<TensorQuantizer> quantizer;
  at::Tensor w;
  std::unique_ptr<Optimizer> optimizer;
};

class OptimizerGolden : public testing::TestWithParam<json> {
 protected:
  void compare(const std::string& key, const at::Tensor& ours) {
    const std::string name = GetParam().at("id").get<std::string>() + "." + key;
    if (!golden().has(name)) return;
    const double error = relative_error(ours, golden().tensor(name));
    EXPECT_LE(error, 1e-6) << key;
    worst_ = std::max(worst_, error);
    ++compared_;
  }
  double worst_ = 0;
  int compared_ = 0;
};

TEST_P(OptimizerGolden, WeightsAndMomentsAfterEverySavedStep) {
  Training run(GetParam());
  const at::Tensor gradients = golden().tensor("grads");
  for (int64_t t = 1; t <= run.steps; ++t) {
    const std::string step = std::to_string(t);
    const at::Tensor seen = run.forward(t);
    compare("blended" + step, seen);
    run.w.mutable_grad().reset();
    if (seen.requires_grad()) seen.backward(gradients[t - 1]);
    run.optimizer->step(t, run.rate(t), 1, run.pull(t));
    compare("w" + step, run.w);
    for (const auto& [name, moment] : run.optimizer->state()) compare((name == "adamw.v.w" ? "v" : "m") + step, moment);
  }
  EXPECT_GE(compared_, static_cast<int>(GetParam().at("saved").size()));
  RecordProperty("worst", std::to_string(worst_ * 1e9) + "e-9");
}

std::vector<json> of_kind(const char* kind) {
  std::vector<json> all;
  for (const json& entry : golden().cases())
    if (entry.at("kind") == kind) all.push_back(entry);
  return all;
}
std::string name_of(const testing::TestParamInfo<json>& info) { return info.param.at("id"); }

INSTANTIATE_TEST_SUITE_P(All, OptimizerGolden, testing::ValuesIn(of_kind("optimizer")), name_of);

TEST(ScheduleGolden, EveryStepOfEverySchedule) {
  const std::vector<json> cases = of_kind("schedule");
  EXPECT_GE(cases.size(), 6u);
  for (const json& entry : cases) {
    SCOPED_TRACE(entry.dump());
    const at::Tensor expected = golden().of(entry, "lr");
    const int64_t total = entry.at("steps");
    for (int64_t t = 1; t <= total; ++t) {
      const double rate =
          entry.at("peak").get<double>() * learning_rate_share(schedule_of(entry, "schedule"), t, total);
      EXPECT_NEAR(rate, expected[t - 1].item<double>(), 1e-12 * entry.at("peak").get<double>()) << t;
    }
  }
}

TEST(OptimizerGoldenFile, HoldsTheCasesThatMatter) {
  std::set<std::string> names;
  for (const json& entry : of_kind("optimizer")) names.insert(entry.at("id"));
  for (const char* name : {"adamw", "adamw_cosine", "sgd", "sgd_momentum_decay", "sgd_nesterov", "cage_decoupled",
                           "cage_decoupled_cap", "cage_coupled", "cage_sgd", "blend_sgd", "blend_sgd_momentum_decay"})
    EXPECT_TRUE(names.contains(name)) << name;
}

}  // namespace
}  // namespace detent
