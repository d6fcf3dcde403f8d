#include "detent/report/runs_page.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "detent/base/error.h"
#include "detent/report/run_charts.h"

namespace detent::report {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class RunsPage : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(root_); }
  void TearDown() override { fs::remove_all(root_); }
  void add_run(const std::string& name, int bits, const std::string& log) {
    fs::create_directories(root_ / name);
    write_text((root_ / name / "config.yaml").string(),
               "quant:\n  weights: {bits: " + std::to_string(bits) + "}\ntrain: {steps: 2}\n");
    write_text((root_ / name / "log.jsonl").string(), log);
  }
  void add_finished_run(const std::string& name, int bits, double loss) {
    add_run(name, bits,
            fmt::format(
                "{{\"kind\":\"train\",\"step\":1,\"loss\":3,\"lr\":0.1}}\n"
                "{{\"kind\":\"eval\",\"step\":2,\"validation_loss\":{0}}}\n"
                "{{\"kind\":\"final\",\"validation_loss\":{0},\"steps\":2,\"seconds\":4,\"tokens_per_second\":1000}}\n",
                loss));
  }
  std::string error_of(const std::string& arms) {
    write_text((root_ / "arms.json").string(), arms);
    try {
      load_report({root_.string()});
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  fs::path root_ = fs::path(testing::TempDir()) /
                   ("report " + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST_F(RunsPage, RunsWithoutAComparison) {
  add_finished_run("w4 <cage>", 4, 1.25);
  add_run("w2", 2, "{\"kind\":\"train\",\"step\":1,\"loss\":3}\n{\"kind\"");
  const std::string html = report_html(load_report({root_.string()}));
  EXPECT_THAT(html, HasSubstr("w4 &lt;cage&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("<cage>")));
  EXPECT_THAT(html, HasSubstr("1.2500"));
  EXPECT_THAT(html, HasSubstr("unfinished, last line cut off"));
  EXPECT_THAT(html, HasSubstr("quant.weights.bits"));                    // differs
  EXPECT_THAT(html, Not(HasSubstr("<th class=\"right\">train.steps")));  // does not
  EXPECT_THAT(html, HasSubstr("<pre>quant:\n  weights: {bits: 4}"));
  EXPECT_THAT(html, HasSubstr("Learning rate"));
  EXPECT_THAT(html, Not(HasSubstr("Moving codes")));
}

TEST_F(RunsPage, ArmsFile) {
  add_finished_run("float", 32, 1.0);
  add_finished_run("ste", 2, 1.5);
  write_text((root_ / "arms.json").string(),
             "[{\"name\":\"float\",\"run\":\"float\",\"seed\":0,\"bits\":32,\"role\":\"control\",\"file_bytes\":4096},"
             "{\"name\":\"rtn\",\"bits\":2,\"role\":\"rounding\",\"validation_loss\":3,\"note\":\"rounded\"},"
             "{\"name\":\"ste\",\"run\":\"ste\",\"bits\":2,\"role\":\"baseline\"},"
             "{\"name\":\"lost\",\"run\":\"gone\",\"bits\":2,\"role\":\"arm\"}]");
  const Report report = load_report({root_.string()});
  const Comparison& comparison = report.comparisons.at(0);
  EXPECT_DOUBLE_EQ(comparison.rows[2].recovered, 0.75);
  EXPECT_EQ(comparison.rows[0].file_bytes, 4096);
  EXPECT_EQ(comparison.rows[0].tokens_per_second, 1000);
  EXPECT_THAT(comparison.rows[3].notes, ElementsAre(HasSubstr("gone"), "seed 0 has no result"));
  EXPECT_THAT(report_html(report), HasSubstr("rtn: rounded"));
}

TEST_F(RunsPage, BadArmsFilesNameTheEntry) {
  EXPECT_THAT(error_of("{}"), HasSubstr("expected a list"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("entry 1: expected an object"));
  EXPECT_THAT(error_of("[{\"name\":\"a\",\"bits\":2,\"role\":\"arms\"}]"), HasSubstr("role 'arms' is none of control"));
  EXPECT_THAT(error_of("[{\"name\":\"a\",\"bit\":2,\"role\":\"arm\"}]"), HasSubstr("did you mean 'bits'?"));
  EXPECT_THAT(error_of("[{\"name\":\"a\",\"role\":\"arm\"}]"), HasSubstr("\"bits\" is missing"));
  EXPECT_THAT(error_of("[{\"bits\":2,\"role\":\"arm\"}]"), HasSubstr("\"name\" must be a text"));
  EXPECT_THAT(error_of("[{\"name\":\"a\",\"bits\":2,\"role\":\"arm\",\"seed\":0.5}]"), HasSubstr("integer"));
  EXPECT_THAT(error_of("[{\"name\":\"a\",\"bits\":2,\"role\":\"arm\",\"file_bytes\":\"1\"}]"), HasSubstr("number"));
  EXPECT_THAT(error_of("["), HasSubstr("not valid JSON"));
}

TEST_F(RunsPage, PathsThatAreNothing) {
  EXPECT_THROW(load_report({}), Error);
  EXPECT_THROW(load_report({(root_ / "missing").string()}), Error);
  EXPECT_THROW(load_report({root_.string()}), Error);  // an empty folder
}

TEST(WindowMeans, LastWindowMayBeShorter) {
  const Points means = window_means({{1, 2, 3, 4, 5}, {1, 3, 5, 7, 10}}, 2);
  EXPECT_THAT(means.x, ElementsAre(2, 4, 5));
  EXPECT_THAT(means.y, ElementsAre(2, 6, 10));
}

}  // namespace
}  // namespace detent::report
