// Against lm-evaluation-harness and transformers on a tiny model (tests/golden/make_eval.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "detent/data/tokenizer.h"
#include "detent/train/choices.h"
#include "detent/train/evaluate.h"
#include "detent/train/model_folder.h"
#include "tests/io/support.h"
#include "tests/support/golden.h"

namespace detent {
namespace {

namespace fs = std::filesystem;

class EvalGolden : public testing::Test {
 protected:
  static std::string file(const std::string& name) { return test::golden_path("eval/" + name).string(); }
  std::vector<nlohmann::json> cases(const std::string& kind) const {
    std::vector<nlohmann::json> found;
    for (const nlohmann::json& entry : golden_.cases())
      if (entry.at("kind") == kind) found.push_back(entry);
    EXPECT_FALSE(found.empty()) << kind;
    return found;
  }
  std::vector<std::string> text() const {
    const at::Tensor bytes = golden_.tensor("text");
    const std::string all(static_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel()));
    std::vector<std::string> documents{""};
    for (const char c : all) {
      if (c == '\0')
        documents.emplace_back();
      else
        documents.back() += c;
    }
    return documents;
  }
  void check_perplexity(const nlohmann::json& entry, const std::vector<std::string>& documents) {
    SCOPED_TRACE(entry.at("id").get<std::string>());
    const EvalOptions options{.context = entry.at("context"),
                              .stride = entry.at("stride"),
                              .convention = parse_convention(entry.at("convention"))};
    const Evaluation result = evaluate(*model_, EvalWindows(documents, *tokenizer_, options), 3);
    EXPECT_EQ(result.tokens, entry.at("tokens").get<int64_t>());
    const int64_t windows = entry.at("windows");
    if (windows > 0) {
      EXPECT_EQ(result.windows, windows);
    }
    const double nats = golden_.of(entry, "nats").item<double>();
    EXPECT_NEAR(result.loss * static_cast<double>(result.tokens) / nats, 1, 1e-5);
  }

  test::Golden golden_{"eval/eval.safetensors"};
  std::unique_ptr<Tokenizer> tokenizer_ = load_tokenizer(file(""));
  std::unique_ptr<CausalLm> model_ = load_latent_model(file(""));
};

TEST_F(EvalGolden, Perplexity) {
  for (const nlohmann::json& entry : cases("perplexity"))
    if (entry.at("text") == "text") check_perplexity(entry, text());
}

TEST_F(EvalGolden, PerplexityOfWikitext) {
  const char* chosen = std::getenv("DETENT_SHARED_DATA");
  const fs::path path = fs::path(chosen ? chosen : DETENT_SOURCE_DIR "/../shared/data") / "text/wikitext2-valid.txt";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is absent";
  const std::string start = io::test::read_raw(path).substr(0, 100'000);
  for (const nlohmann::json& entry : cases("perplexity"))
    if (entry.at("text") == "wikitext") check_perplexity(entry, {start});
}

TEST_F(EvalGolden, WordsAndBytes) {
  for (const nlohmann::json& entry : cases("counts")) {
    if (entry.at("text") != "text") continue;
    Evaluation evaluation;
    evaluation.loss = 2;
    evaluation.tokens = 10;
    count_documents(evaluation, text());
    EXPECT_EQ(evaluation.words, entry.at("words").get<int64_t>());
    EXPECT_EQ(evaluation.bytes, entry.at("bytes").get<int64_t>());
    EXPECT_DOUBLE_EQ(evaluation.perplexity_per(evaluation.words), std::exp(20.0 / evaluation.words));
    EXPECT_DOUBLE_EQ(evaluation.bits_per_byte, 20 / std::log(2.0) / evaluation.bytes);
  }
}

TEST_F(EvalGolden, MultipleChoice) {
  for (const nlohmann::json& entry : cases("task")) {
    SCOPED_TRACE(entry.at("id").get<std::string>());
    const Task task = read_task(file(entry.at("task").get<std::string>() + ".jsonl"));
    EXPECT_EQ(task.format, entry.at("task"));
    for (const int64_t batch_size : {1, 5, 100}) {
      const TaskResult result =
          evaluate_task(*model_, task, *tokenizer_, {entry.at("context"), batch_size, entry.at("bos")});
      const at::Tensor expected = golden_.of(entry, "log_likelihoods");
      int64_t next = 0;
      for (const Answer& answer : result.answers)
        for (const double value : answer.log_likelihoods) {
          ASSERT_LT(next, expected.numel());
          EXPECT_NEAR(value, expected[next++].item<double>(), 1e-4);
        }
      EXPECT_EQ(next, expected.numel());
      EXPECT_DOUBLE_EQ(result.by_sum.mean, entry.at("acc").get<double>());
      EXPECT_DOUBLE_EQ(result.by_character.mean, entry.at("acc_norm").get<double>());
      EXPECT_DOUBLE_EQ(result.by_byte.mean, entry.at("acc_bytes").get<double>());
      EXPECT_NEAR(result.by_sum.standard_error, entry.at("acc_stderr").get<double>(), 1e-12);
      EXPECT_NEAR(result.by_character.standard_error, entry.at("acc_norm_stderr").get<double>(), 1e-12);
      EXPECT_EQ(result.truncated > 0, entry.at("task") == "choices");
    }
  }
}

}  // namespace
}  // namespace detent
