// Configurations that must be refused: each names the key, what is near it or right, and the line.
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <fstream>

#include "detent/base/error.h"
#include "detent/train/session.h"

namespace detent {
namespace {

using ::testing::HasSubstr;

constexpr const char* kModel =
    "model: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2}";
constexpr const char* kWinq = "winq: {interpolation: 0.4, every: 3, noise: 1e-3}";
constexpr const char* kRate = "  learning_rate: 1e-3";

const std::vector<std::string>& base_lines() {
  static const std::vector<std::string> lines = {kModel,
                                                 "data:",
                                                 "  train: [a.txt]",
                                                 "  valid: b.txt",
                                                 "  sequence_length: 32",
                                                 "quant:",
                                                 "  weights:",
                                                 "    grid: int",
                                                 "    bits: 4",
                                                 "    scale: absmax",
                                                 "    group: 32",
                                                 "    surrogate: ste",
                                                 "cage:",
                                                 "  pull: 0.06",
                                                 kWinq,
                                                 "optimizer:",
                                                 "  name: adamw",
                                                 kRate,
                                                 "schedule: {name: cosine, warmup: 0.1}",
                                                 "train:",
                                                 "  steps: 6",
                                                 "  batch_size: 4",
                                                 "eval: {every: 0, batches: 1}",
                                                 "checkpoint: {every: 0}",
                                                 "output: run"};
  return lines;
}

struct Case {
  std::string line, instead;  // what is written in place of which line
  std::vector<std::string> says;
  int lower = 0;  // the line to be named stands so much below
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.instead; }

// The configuration with one line changed, and that line's number.
std::pair<std::string, int> edited(const Case& c) {
  std::string text;
  int number = 0;
  for (size_t i = 0; i < base_lines().size(); ++i) {
    const bool here = base_lines()[i] == c.line;
    if (here) number = static_cast<int>(i) + 1;
    text += (here ? c.instead : base_lines()[i]) + "\n";
  }
  EXPECT_GT(number, 0) << "no such line: " << c.line;
  return {text, number};
}

// What is said about a configuration; "" when it is good. Anything but bad input fails the test.
std::string refusal(const std::string& text) {
  try {
    Session::check(train_config_from_node(parse_yaml(text, "config.yaml")));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput) << error.what();
    return error.what();
  }
  return "";
}

TEST(Config, BaseOfTheseTestsIsGood) {
  std::string text;
  for (const std::string& line : base_lines()) text += line + "\n";
  EXPECT_EQ(refusal(text), "");
}

class BadConfig : public ::testing::TestWithParam<Case> {};

TEST_P(BadConfig, IsRefusedByKeyAndLine) {
  const auto [text, line] = edited(GetParam());
  const std::string what = refusal(text);
  ASSERT_NE(what, "") << "accepted";
  EXPECT_EQ(what.find('\n'), std::string::npos) << what;
  EXPECT_THAT(what, HasSubstr(fmt::format("config.yaml:{}: ", line + GetParam().lower)));
  for (const std::string& word : GetParam().says) EXPECT_THAT(what, HasSubstr(word));
}

INSTANTIATE_TEST_SUITE_P(
    Misspelt, BadConfig,
    ::testing::Values(
        Case{"quant:", "qant:", {"qant", "'quant'"}}, Case{"optimizer:", "optimiser:", {"optimiser", "'optimizer'"}},
        Case{"    bits: 4", "    bist: 4", {"quant.weights.bist", "'quant.weights.bits'"}},
        Case{kRate, "  learning_rat: 1e-3", {"learning_rat", "'optimizer.learning_rate'"}},
        Case{"  batch_size: 4", "  batchsize: 4", {"batchsize", "'train.batch_size'"}},
        Case{"  sequence_length: 32", "  sequence_lenght: 32", {"sequence_lenght", "'data.sequence_length'"}},
        Case{"  pull: 0.06", "  pul: 0.06", {"cage.pul", "'cage.pull'"}},
        Case{kWinq, "winq: {interpolation: 0.4, evry: 3}", {"winq.evry", "'winq.every'"}},
        Case{"schedule: {name: cosine, warmup: 0.1}", "schedule: {warmpu: 0.1}", {"warmpu", "'schedule.warmup'"}},
        Case{kModel, "model: {hiden_size: 32}", {"hiden_size", "'model.hidden_size'"}},
        Case{"    grid: int", "    grid: itn", {"quant.weights.grid", "itn", "'int'"}},
        Case{"    scale: absmax", "    scale: abmax", {"quant.weights.scale", "abmax", "'absmax'"}},
        Case{"    surrogate: ste", "    surrogate: trsut", {"quant.weights.surrogate", "trsut", "'trust'"}},
        Case{"  name: adamw", "  name: adamv", {"optimizer.name", "adamv", "'adamw'"}},
        Case{"schedule: {name: cosine, warmup: 0.1}", "schedule: {name: cosin}", {"cosin", "'cosine'"}},
        Case{"output: run", "output: run\nseed: 3", {"'seed'", "train"}, 1},
        Case{"    surrogate: ste", "    surrogate: ste\n  preset: lsq_w5", {"lsq_w5", "lsq_w4"}, 1},
        Case{"    surrogate: ste", "    surrogate: clip\n    surrogate_options: {reech: 2}", {"reech"}, 1},
        Case{"    surrogate: ste",
             "    surrogate: ste\n  layers: [{match: \"*.up_proj\", weigths: {bits: 8}}]",
             {"weigths", "weights"},
             1},
        Case{"    surrogate: ste",
             "    surrogate: ste\n  layers: [{match: \"*.up_proj\", weights: {bist: 8}}]",
             {"bist", "bits"},
             1}));

INSTANTIATE_TEST_SUITE_P(IllTyped, BadConfig,
                         ::testing::Values(Case{"  steps: 6", "  steps: many", {"train.steps", "integer", "many"}},
                                           Case{"  steps: 6", "  steps: 1.5", {"train.steps", "integer", "1.5"}},
                                           Case{"  steps: 6", "  steps: [6]", {"train.steps"}},
                                           Case{"  steps: 6", "  steps: \"6\"", {"train.steps"}},
                                           Case{"  steps: 6", "  steps:", {"train.steps"}},
                                           Case{"  steps: 6", "  steps: 6 steps", {"train.steps"}},
                                           Case{"  steps: 6", "  steps: 99999999999999999999", {"train.steps"}},
                                           Case{"    bits: 4", "    bits: four", {"quant.weights.bits", "four"}},
                                           Case{kRate, "  learning_rate: fast", {"optimizer.learning_rate", "fast"}},
                                           Case{kRate, "  learning_rate: .nan", {"optimizer.learning_rate"}},
                                           Case{kRate, "  learning_rate: .inf", {"optimizer.learning_rate"}},
                                           Case{kRate, "  betas: 0.9", {"optimizer.betas", "list"}},
                                           Case{kRate, "  betas: [0.9]", {"optimizer.betas", "two"}},
                                           Case{kRate, "  betas: [0.9, 0.9, 0.9]", {"optimizer.betas", "two"}},
                                           Case{kRate, "  betas: [0.9, x]", {"optimizer.betas", "x"}},
                                           Case{"  train: [a.txt]", "  train: {file: a.txt}", {"data.train", "list"}},
                                           Case{"  train: [a.txt]", "  train: [[a.txt]]", {"data.train", "list"}},
                                           Case{"  valid: b.txt", "  valid: {file: b.txt}", {"data.valid", "list"}},
                                           Case{"eval: {every: 0, batches: 1}", "eval: 3", {"eval", "block"}},
                                           Case{"cage:", "cage: yes\nunused:", {"cage", "block"}},
                                           Case{kModel, "model: [32, 64]", {"model", "block"}},
                                           Case{"output: run", "output: [run]", {"output"}}));

INSTANTIATE_TEST_SUITE_P(
    OutOfRange, BadConfig,
    ::testing::Values(
        Case{"  steps: 6", "  steps: -1", {"train.steps", "-1", "at least 0"}},
        Case{"  batch_size: 4", "  batch_size: 0", {"train.batch_size", "at least 1"}},
        Case{"  batch_size: 4", "  batch_size: 4\n  gradient_accumulation: 0", {"gradient_accumulation"}, 1},
        Case{"  batch_size: 4", "  batch_size: 4\n  threads: -2", {"train.threads", "-2"}, 1},
        Case{"  sequence_length: 32", "  sequence_length: 0", {"data.sequence_length"}},
        Case{"    bits: 4", "    bits: 99", {"quant.weights.bits", "99"}},
        Case{"    bits: 4", "    bits: 0", {"quant.weights.bits", "0"}},
        Case{"    bits: 4", "    bits: 1", {"quant.weights.bits", "int", "1"}},
        Case{"    group: 32", "    group: 0", {"quant.weights.group", "'0'"}},
        Case{"    group: 32", "    group: -32", {"quant.weights.group", "-32"}},
        Case{"    group: 32", "    group: 48", {"quant.weights.group", "48", "multiple"}},
        Case{"    scale: absmax", "    scale: mean", {"cage", "mean", "absmax"}, 3},
        Case{"  pull: 0.06", "  pull: -1", {"cage.pull", "-1"}}, Case{"  pull: 0.06", "  pull: 0", {"cage.pull", "0"}},
        Case{"  pull: 0.06", "  pull: 0.06\n  start: 1.5", {"cage.start", "1.5"}, 1},
        Case{"  pull: 0.06", "  pull: 0.06\n  start: 1", {"cage.start", "no step"}, 1},
        Case{kWinq, "winq: {interpolation: 1.5, every: 3}", {"winq.interpolation", "1.5"}},
        Case{kWinq, "winq: {interpolation: 0.4, every: -3}", {"winq.every", "-3"}},
        Case{kRate, "  learning_rate: -1e-3", {"optimizer.learning_rate"}},
        Case{kRate, "  betas: [0.9, 1.5]", {"optimizer.betas", "1.5"}},
        Case{kRate, "  weight_decay: -0.1", {"optimizer.weight_decay"}},
        Case{kRate, "  max_grad_norm: -1", {"optimizer.max_grad_norm"}},
        Case{"schedule: {name: cosine, warmup: 0.1}", "schedule: {name: cosine, warmup: 3}", {"warmup", "3"}},
        Case{"schedule: {name: cosine, warmup: 0.1}", "schedule: {name: cosine, warmup: 1}", {"warmup", "cosine"}},
        Case{"eval: {every: 0, batches: 1}", "eval: {every: -1, batches: 1}", {"eval.every", "-1"}},
        Case{"checkpoint: {every: 0}", "checkpoint: {every: 3, keep: 0}", {"checkpoint.keep"}},
        Case{kModel, "model: {hidden_size: 32, num_attention_heads: 3}", {"model", "num_attention_heads", "3"}},
        Case{kModel,
             "model: {hidden_size: 32, num_attention_heads: 4, num_key_value_heads: 3}",
             {"model", "num_key_value_heads", "3"}},
        Case{kModel, "model: {hidden_size: 0, num_attention_heads: 2}", {"model.hidden_size"}},
        Case{kModel, "model: {hidden_size: 32, num_attention_heads: 2, vocab_size: 7}", {"model.vocab_size", "7"}},
        Case{kModel, "model: {architecture: bert, hidden_size: 32}", {"model.architecture", "bert", "llama"}}));

INSTANTIATE_TEST_SUITE_P(
    WithoutEffect, BadConfig,
    ::testing::Values(
        Case{"    surrogate: ste", "    surrogate: trust", {"quant.weights.surrogate", "absmax", "that clips (mean)"}},
        Case{"  pull: 0.06", "  pull: 0.06\n  lambda: 10", {"cage", "lambda", "pull"}, -1},
        Case{"  pull: 0.06", "  pull: 0.06\n  mode: coupled", {"cage.pull", "lambda"}},
        Case{kRate, "  momentum: 0.9", {"optimizer.momentum", "sgd"}},
        Case{"  name: adamw", "  name: sgd\n  betas: [0.9, 0.95]", {"optimizer.betas", "adamw"}, 1},
        Case{"  name: adamw", "  name: sgd", {"cage.pull", "sgd", "lambda"}, -3},
        Case{"schedule: {name: cosine, warmup: 0.1}", "schedule: {name: constant, final: 0.1}", {"schedule.final"}},
        Case{kWinq, "winq: {interpolation: 0.4, every: 0}", {"winq.interpolation", "every"}},
        Case{kWinq, "winq: {every: 0, noise: 0}", {"winq", "no noise", "resets nothing"}},
        Case{kWinq, "winq: {interpolation: 0, noise: 0}", {"winq", "no noise", "resets nothing"}},
        Case{kWinq, "winq: {interpolation: 0.4, every: 7}", {"winq.every", "7", "6"}},
        Case{kWinq, "winq: {interpolation: 0, every: 3}", {"winq.every", "interpolation"}},
        Case{"    surrogate: ste", "    surrogate: ste\n  skip: [no_such_layer]", {"quant.skip", "no_such_layer"}, 1},
        Case{"    surrogate: ste", "    surrogate: ste\n  skip: [\"*.no_such\"]", {"quant.skip", "*.no_such"}, 1},
        Case{"    surrogate: ste",
             "    surrogate: ste\n  layers: [{match: lm_head, weights: {bits: 8}}]",
             {"quant.layers", "lm_head", "quant.skip"},
             1},
        Case{"    surrogate: ste",
             "    surrogate: ste\n  layers: [{match: \"*_proj\", weights: {bits: 8}}, {match: \"*.up_proj\", weights: "
             "{bits: 3}}]",
             {"quant.layers", "*.up_proj", "the first match wins"},
             1},
        Case{"    surrogate: ste",
             "    surrogate: ste\n  layers: [{match: \"*.no_such\", weights: {bits: 8}}]",
             {"quant.layers", "*.no_such", "lm_head"},
             1},
        Case{"    surrogate: ste",
             "    surrogate: ste\n  layers: [{match: \"*.up_proj\", weights: {group: 48}}]",
             {"quant.layers", "up_proj", "48"},
             1},
        Case{"    surrogate: ste",
             "    surrogate: ste\n  scale_learning_rate: 0.5",
             {"scale_learning_rate", "learned"},
             1},
        Case{"    scale: absmax", "    scale: absmax\n    initial_scale: rms", {"initial_scale", "learned"}, 1},
        Case{"  steps: 6", "  steps: 0", {"cage", "train.steps is 0"}, -8}));

TEST(Config, MethodsWithNothingQuantized) {
  for (const std::string block : {"cage: {pull: 0.06}", "winq: {every: 3}", "alpha_blending: {start: 0.1}"}) {
    const std::string what = refusal(std::string(kModel) + "\ndata: {train: [a], valid: b}\n" + block + "\n");
    EXPECT_THAT(what, HasSubstr("config.yaml:3: " + block.substr(0, block.find(':')) + " has no effect")) << block;
    EXPECT_THAT(what, HasSubstr("quant.weights"));
  }
}

TEST(Config, BlendingThatEndsBeforeItStarts) {
  const std::string head = std::string(kModel) + "\ndata: {train: [a], valid: b}\nquant: {preset: q4_0}\n";
  for (const char* window : {"{start: 0.5, end: 0.5}", "{start: 0.8, end: 0.2}"})
    EXPECT_THAT(refusal(head + "alpha_blending: " + window + "\n"), HasSubstr("config.yaml:4: alpha_blending.start"));
}

TEST(Config, KeysThatAppearTwice) {
  EXPECT_THAT(refusal("train:\n  steps: 6\n  steps: 7\n"), HasSubstr("config.yaml:3: key 'steps' appears twice"));
  EXPECT_THAT(refusal("cage: {}\nmodel: {}\ncage: {}\n"), HasSubstr("config.yaml:3: key 'cage' appears twice"));
}

TEST(Config, MissingKeys) {
  const std::string model = std::string(kModel) + "\n";
  EXPECT_THAT(refusal("data: {train: [a], valid: b}\n"), HasSubstr("'model' is missing"));
  EXPECT_THAT(refusal(model + "data: {valid: b}\n"), HasSubstr("data.train is missing"));
  EXPECT_THAT(refusal(model + "data: {train: [a]}\n"), HasSubstr("data.valid is missing"));
}

class BadSet : public ::testing::TestWithParam<std::pair<const char*, std::vector<const char*>>> {};

TEST_P(BadSet, IsNamed) {
  Node node = parse_yaml("train: {steps: 6}\noutput: run\n", "config.yaml");
  std::string what;
  try {
    apply_set(node, GetParam().first);
    train_config_from_node(node);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput);
    what = error.what();
  }
  for (const char* word : GetParam().second) EXPECT_THAT(what, HasSubstr(word));
}

INSTANTIATE_TEST_SUITE_P(Set, BadSet,
                         ::testing::Values(std::pair{"train.stps=3", std::vector{"--set", "stps", "'train.steps'"}},
                                           std::pair{"train.steps", std::vector{"--set train.steps", "KEY=VALUE"}},
                                           std::pair{"train.steps=x", std::vector{"--set", "integer", "'x'"}},
                                           std::pair{"train.steps=-1", std::vector{"--set", "-1", "at least 0"}},
                                           std::pair{"steps=3", std::vector{"--set steps=3", "'steps'"}},
                                           std::pair{"=3", std::vector{"--set =3"}},
                                           std::pair{"train..steps=3", std::vector{"--set train..steps", "empty"}},
                                           std::pair{"cage={pull: 0.1", std::vector{"--set cage", "YAML"}},
                                           std::pair{"train=3", std::vector{"--set", "train", "block"}},
                                           std::pair{"output.x=3", std::vector{"'x'", "config.yaml:2"}}));

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

// Eight aliases of eight aliases of ...: 8^12 values in a few hundred bytes.
std::string alias_bomb() {
  std::string text = "a0: &a0 [x]\n";
  for (int i = 1; i <= 12; ++i)
    text += fmt::format("a{}: &a{} [{}*a{}]\n", i, i, repeated(fmt::format("*a{}, ", i - 1), 7), i - 1);
  return text;
}

std::string stairs(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  return text;
}

class NoConfig : public ::testing::TestWithParam<std::pair<const char*, std::string>> {};

TEST_P(NoConfig, IsRefusedWithTheFileNamed) {
  const std::string path = ::testing::TempDir() + "no_config.yaml";
  std::ofstream(path, std::ios::binary) << GetParam().second;
  try {
    Session::check(load_train_config(path, {}));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput);
    EXPECT_THAT(error.what(), HasSubstr("no_config.yaml"));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Text, NoConfig,
    ::testing::Values(std::pair{"empty", std::string()}, std::pair{"comment", std::string("# nothing\n")},
                      std::pair{"list", std::string("- a\n- b\n")}, std::pair{"scalar", std::string("steps\n")},
                      std::pair{"null", std::string("~\n")}, std::pair{"unclosed", std::string("model: {a: 32\n")},
                      std::pair{"quote", std::string("output: \"run\n")},
                      std::pair{"tab", std::string("model:\n\thidden_size: 32\n")},
                      std::pair{"nul", std::string("model: {}\0\n", 11)},
                      std::pair{"binary", std::string("\x01\xff\xfe\x7f\x00\x80", 6)},
                      std::pair{"brackets", repeated("[", 100'000)}, std::pair{"stairs", stairs(3000)},
                      std::pair{"documents", std::string("a: 1\n---\nb: 2\n")}, std::pair{"bomb", alias_bomb()},
                      std::pair{"anchor", std::string("model: *nowhere\n")},
                      std::pair{"recursive", std::string("model: &m {from: *m}\n")},
                      std::pair{"comment of 20 MB", "# " + std::string(20'000'000, 'x')}),
    [](const auto& param) {
      std::string name = param.param.first;
      for (char& c : name)
        if (c == ' ') c = '_';
      return name;
    });

// Cut anywhere, a configuration may still be one, but it never does harm.
TEST(Config, CutAnywhere) {
  std::string text;
  for (const std::string& line : base_lines()) text += line + "\n";
  int refused = 0;
  for (size_t cut = 0; cut < text.size(); ++cut) {
    const std::string what = refusal(text.substr(0, cut));
    refused += !what.empty();
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
  }
  EXPECT_GT(refused, 200);
}

}  // namespace
}  // namespace detent
