#include "detent/report/run_log.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <cmath>

#include "detent/base/error.h"

namespace detent::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RunLog parse(const std::string& text) {
  RunLog run;
  parse_log(text, "log.jsonl", run);
  return run;
}

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(RunLog, CurvesByKindAndKey) {
  const RunLog run = parse(
      "{\"kind\":\"train\",\"step\":1,\"loss\":5.5,\"lr\":0.001,\"phase\":\"warm\"}\n"
      "\n"
      "{\"kind\":\"eval\",\"step\":1,\"validation_loss\":5.25}\r\n"
      "{\"kind\":\"train\",\"step\":2,\"loss\":null,\"lr\":0.002}\n");
  EXPECT_THAT(run.curve("train", "lr").x, ElementsAre(1, 2));
  EXPECT_THAT(run.curve("train", "lr").y, ElementsAre(0.001, 0.002));
  EXPECT_TRUE(std::isnan(run.curve("train", "loss").y[1]));  // null is NaN
  EXPECT_THAT(run.curve("eval", "validation_loss").y, ElementsAre(5.25));
  EXPECT_TRUE(run.curve("train", "phase").empty());  // text has no curve
  EXPECT_TRUE(run.curve("train", "nothing").empty());
  EXPECT_TRUE(run.curve("spectrum", "trace").empty());
  EXPECT_FALSE(run.finished());
  EXPECT_FALSE(run.torn);
  EXPECT_EQ(run.last_step, 2);
  EXPECT_EQ(run.result("validation_loss"), 5.25);  // unfinished: the newest evaluation
  EXPECT_TRUE(std::isnan(run.final_value("validation_loss")));
}

TEST(RunLog, FinalRecordWins) {
  const RunLog run = parse(
      "{\"kind\":\"eval\",\"step\":9,\"validation_loss\":2.0}\n"
      "{\"kind\":\"final\",\"validation_loss\":1.5,\"steps\":10,\"run\":\"x\"}");  // whole, though no newline ends it
  EXPECT_TRUE(run.finished());
  EXPECT_EQ(run.result("validation_loss"), 1.5);
  EXPECT_EQ(run.final_value("steps"), 10);
  EXPECT_FALSE(run.torn);
}

TEST(RunLog, TornLastLineIsLeftOut) {
  const RunLog run = parse("{\"kind\":\"train\",\"step\":1,\"loss\":5}\n{\"kind\":\"train\",\"st");
  EXPECT_TRUE(run.torn);
  EXPECT_THAT(run.curve("train", "loss").y, ElementsAre(5));
}

// Steps 1-3 and an evaluation at 3, killed, resumed from a checkpoint at step 1: step 2 is trained again, and the
// evaluation at 3 belongs to a past that did not happen.
TEST(RunLog, ResumeReplacesWhatCameAfterTheCheckpoint) {
  const RunLog run = parse(
      "{\"kind\":\"train\",\"step\":1,\"loss\":5}\n{\"kind\":\"train\",\"step\":2,\"loss\":4}\n"
      "{\"kind\":\"train\",\"step\":3,\"loss\":3}\n{\"kind\":\"eval\",\"step\":1,\"validation_loss\":9}\n"
      "{\"kind\":\"eval\",\"step\":3,\"validation_loss\":8}\n{\"kind\":\"final\",\"steps\":3}\n"
      "{\"kind\":\"train\",\"step\":2,\"loss\":4.5}\n");
  EXPECT_THAT(run.curve("train", "loss").x, ElementsAre(1, 2));
  EXPECT_THAT(run.curve("train", "loss").y, ElementsAre(5, 4.5));
  EXPECT_THAT(run.curve("eval", "validation_loss").x, ElementsAre(1));
  EXPECT_FALSE(run.finished());
}

TEST(RunLog, BadLinesNameFileAndLine) {
  const std::string good = "{\"kind\":\"train\",\"step\":1,\"loss\":5}\n";
  EXPECT_THAT(error_of(good + "{\"kind\":\n" + good), HasSubstr("log.jsonl:2: not valid JSON"));
  EXPECT_THAT(error_of("{\"kind\":\"train\",\"step\":1} {}\n"), HasSubstr("log.jsonl:1"));
  EXPECT_THAT(error_of("{\"kind\":\"train\",\"step\":1,\"a\":1,\"a\":2}\n"), HasSubstr("twice"));
  EXPECT_THAT(error_of(good + "[1]\n"), HasSubstr("log.jsonl:2: expected one JSON object"));
  EXPECT_THAT(error_of("{\"step\":1}\n"), HasSubstr("needs a \"kind\""));
  EXPECT_THAT(error_of("{\"kind\":\"train\"}\n"), HasSubstr("a \"train\" record needs an integer \"step\""));
  EXPECT_THAT(error_of("{\"kind\":\"eval\",\"step\":1.5}\n"), HasSubstr("integer \"step\""));
  EXPECT_THAT(error_of("{\"kind\":\"eval\",\"step\":-1}\n"), HasSubstr("negative"));
  EXPECT_THAT(error_of("{\"kind\":\"train\",\"step\":1,\"loss\":NaN}\n"), HasSubstr("log.jsonl:1"));
  EXPECT_THAT(error_of("7"), HasSubstr("log.jsonl:1: expected one JSON object"));  // valid JSON, so it was not torn
}

TEST(RunLog, MissingDirectoryIsAnError) { EXPECT_THROW(load_run("/no/such/run"), Error); }

TEST(Flatten, LeavesInOrder) {
  const auto flat = flatten(parse_yaml("a: 1\nquant:\n  skip: [x, y]\n  weights: {bits: 4}\ne: {}\n", "c"));
  ASSERT_EQ(flat.size(), 4u);
  EXPECT_EQ(flat[0], (std::pair<std::string, std::string>{"a", "1"}));
  EXPECT_EQ(flat[1], (std::pair<std::string, std::string>{"quant.skip", "[x, y]"}));
  EXPECT_EQ(flat[2], (std::pair<std::string, std::string>{"quant.weights.bits", "4"}));
  EXPECT_EQ(flat[3].first, "e");
}

}  // namespace
}  // namespace detent::report
