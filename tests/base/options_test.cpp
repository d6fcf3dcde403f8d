// The options visitor: what is read, what is refused and in which words.
#include "detent/base/options.h"

#include <gtest/gtest.h>

#include "detent/base/error.h"

namespace detent {
namespace {

struct Inner {
  int64_t steps = 5;
  template <class V>
  void visit(V& v) {
    v.field("steps", steps, "how many", Range{0, 100});
  }
};

struct Sample {
  double rate = 0.5;
  bool on = false;
  std::string name = "cosine";
  std::vector<double> betas = {0.9, 0.95};
  std::vector<std::string> files;
  std::optional<double> lambda;
  Inner inner;
  std::optional<Inner> extra;
  template <class V>
  void visit(V& v) {
    v.field("rate", rate, "a rate", kPositive);
    v.field("on", on, "a switch");
    v.field("name", name, "a choice", Choices{"cosine", "linear"});
    v.field("betas", betas, "numbers");
    v.field("files", files, "texts");
    v.field("lambda", lambda, "optional", kNonNegative);
    v.group("inner", inner, "a block");
    v.group("extra", extra, "an optional block");
  }
};

Sample read(const std::string& yaml, const std::vector<std::string>& sets = {}) {
  Node node = parse_yaml(yaml, "c.yaml");
  for (const std::string& set : sets) apply_set(node, set);
  Sample sample;
  read_options(node, sample);
  return sample;
}

std::string refusal(const std::string& yaml, const std::vector<std::string>& sets = {}) {
  try {
    read(yaml, sets);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput);
    return error.what();
  }
  return "accepted";
}

TEST(Options, ReadsWhatIsThereAndKeepsTheRest) {
  const Sample sample = read("rate: 2e-3\nfiles: [a, 'b c']\ninner: {steps: 7}\nextra: {}\nlambda: 3");
  EXPECT_EQ(sample.rate, 2e-3);
  EXPECT_EQ(sample.files, (std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(sample.inner.steps, 7);
  EXPECT_EQ(sample.name, "cosine");
  ASSERT_TRUE(sample.extra.has_value());
  EXPECT_EQ(sample.extra->steps, 5);
  EXPECT_EQ(sample.lambda, 3.0);
}

TEST(Options, SetChangesOneKeyAndCreatesBlocks) {
  const Sample sample = read("rate: 1", {"extra.steps=9", "betas=[0.1, 0.2]", "on=true"});
  EXPECT_EQ(sample.extra->steps, 9);
  EXPECT_EQ(sample.betas, (std::vector<double>{0.1, 0.2}));
  EXPECT_TRUE(sample.on);
}

TEST(Options, NullSwitchesABlockOff) {
  EXPECT_FALSE(read("extra: {steps: 3}", {"extra=null"}).extra.has_value());
  EXPECT_FALSE(read("extra: none").extra.has_value());
}

TEST(Options, RefusalsNameLineKeyAndWayOut) {
  struct Case {
    const char *yaml, *fragment;
  };
  const Case cases[] = {
      {"rate: 1\nratte: 2", "c.yaml:2: unknown key 'ratte'; did you mean 'rate'?"},
      {"inner:\n  stepz: 1", "c.yaml:2: unknown key 'inner.stepz'; did you mean 'inner.steps'?"},
      {"zzzzzzzzzz: 1", "known here: rate, on"},
      {"rate: fast", "c.yaml:1: rate expects a number, got 'fast'"},
      {"rate: '1'", "expects a number"},
      {"rate: nan", "expects a number"},
      {"rate: 0", "must be above 0"},
      {"on: yes", "expects true or false"},
      {"name: cosin", "did you mean 'cosine'?"},
      {"inner: {steps: 1.5}", "expects an integer"},
      {"inner: {steps: 101}", "at least 0 and at most 100"},
      {"inner: {steps: 99999999999999999999}", "expects an integer"},
      {"inner: 3", "expects a block of keys"},
      {"extra: 3", "expects a block of keys, or null"},
      {"betas: 1", "expects a list"},
      {"files: {a: 1}", "expects a list"},
      {"rate: 1\nrate: 2", "appears twice"},
      {"rate: [", "not valid YAML"},
      {"rate: 1\n---\nrate: 2", "2 YAML documents"},
  };
  for (const Case& c : cases)
    EXPECT_NE(refusal(c.yaml).find(c.fragment), std::string::npos) << c.yaml << "\n" << refusal(c.yaml);
  EXPECT_NE(refusal("rate: 1", {"rate"}).find("expected KEY=VALUE"), std::string::npos);
  EXPECT_NE(refusal("rate: 1", {"rate.x=1"}).find("not a block"), std::string::npos);
  EXPECT_NE(refusal("rate: 1", {"inner..steps=1"}).find("empty part"), std::string::npos);
}

TEST(Options, DeepNestingIsRefused) {
  std::string yaml = "rate: ";
  for (int i = 0; i < 100; ++i) yaml += "[";
  for (int i = 0; i < 100; ++i) yaml += "]";
  EXPECT_NE(refusal(yaml).find("nested deeper"), std::string::npos);
}

TEST(Options, WrittenAndReadBackIsTheSame) {
  Sample sample =
      read("rate: 0.1\nfiles: ['a: b', '- c', '1', \"q\\\"\"]\nextra: {steps: 2}\nlambda: 0.30000000000000004");
  const std::string yaml = to_yaml(write_options(sample));
  Sample again = read(yaml);
  EXPECT_EQ(again.files, sample.files);
  EXPECT_EQ(again.lambda, sample.lambda);
  EXPECT_EQ(again.extra->steps, 2);
  EXPECT_EQ(to_yaml(write_options(again)), yaml);
}

TEST(Options, TableShowsDefaultsAndRanges) {
  Sample sample;
  const auto rows = options_table(sample);
  ASSERT_EQ(rows.size(), 9u);  // seven keys, the block extra and its key
  EXPECT_EQ(rows[0].name, "rate");
  EXPECT_EQ(rows[0].default_value, "0.5");
  EXPECT_EQ(rows[0].range, "> 0");
  EXPECT_EQ(rows[2].range, "cosine | linear");
}

}  // namespace
}  // namespace detent
