#include "detent/data/eval_cut.h"

#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

using Row = std::vector<int64_t>;  // ids that the model is given; -1: the prefix
using Scored = std::vector<int64_t>;

std::pair<std::vector<Row>, std::vector<Scored>> rows(const EvalCut& cut) {
  std::pair<std::vector<Row>, std::vector<Scored>> result;
  for (const EvalWindow& window : cut.windows) {
    Row row(window.prefix ? 1 : 0, -1);
    for (int64_t i = 0; i < window.length; ++i) row.push_back(window.first + i);
    result.first.push_back({row.begin(), row.end() - 1});
    result.second.push_back({row.begin() + window.scored_from, row.end()});
  }
  return result;
}

// lm_eval/utils.py 0.4.13, get_rolling_token_windows with context_len = 1 and make_disjoint_window, restated: what the
// model reads is (context + continuation)[-(max_seq_len + 1):][:-1], of which the last len(continuation) predict.
std::pair<std::vector<Row>, std::vector<Scored>> rolling(int64_t length, int64_t max_seq_len) {
  std::pair<std::vector<Row>, std::vector<Scored>> result;
  for (int64_t predicted = 0; predicted < length;) {
    const int64_t count = std::min(length - predicted, max_seq_len), end = predicted + count;
    Row input;
    if (predicted == 0) {
      input.push_back(-1);
      for (int64_t i = 0; i < count - 1; ++i) input.push_back(i);
    } else {
      for (int64_t i = end - max_seq_len - 1; i < end - 1; ++i) input.push_back(i);
    }
    Scored targets;
    for (int64_t i = end - count; i < end; ++i) targets.push_back(i);
    result.first.push_back(input);
    result.second.push_back(targets);
    predicted = end;
  }
  return result;
}

TEST(EvalCut, RollingIsTheHarnesss) {
  for (int64_t length = 0; length < 30; ++length)
    for (int64_t context = 2; context < 12; ++context)
      for (const bool bos : {false, true}) {
        const EvalCut cut = cut_document(length, {.context = context, .convention = Convention::kRolling}, bos);
        EXPECT_EQ(rows(cut), rolling(length, context)) << length << " " << context;
        EXPECT_EQ(cut.dropped, 0);
      }
}

// GPTQ's evaluation: testenc of seqlen * nsamples ids as rows of seqlen, shifted labels inside each row.
TEST(EvalCut, GptqCutsTheTextWithItsBosIntoFullRows) {
  for (int64_t length = 0; length < 30; ++length)
    for (int64_t context = 2; context < 12; ++context)
      for (const bool bos : {false, true}) {
        std::vector<int64_t> text;
        if (bos) text.push_back(-1);
        for (int64_t i = 0; i < length; ++i) text.push_back(i);
        std::pair<std::vector<Row>, std::vector<Scored>> expected;
        for (size_t row = 0; row < text.size() / context; ++row) {
          const auto begin = text.begin() + row * context, end = begin + context;
          expected.first.push_back({begin, end - 1});
          expected.second.push_back({begin + 1, end});
        }
        const EvalCut cut = cut_document(length, {.context = context, .convention = Convention::kGptq}, bos);
        EXPECT_EQ(rows(cut), expected) << length << " " << context << " " << bos;
        EXPECT_EQ(cut.dropped_ids, std::min<int64_t>(length, static_cast<int64_t>(text.size()) % context));
      }
}

TEST(EvalCut, NamesAndRefusals) {
  EXPECT_EQ(parse_convention("windows"), Convention::kWindows);
  EXPECT_EQ(parse_convention("gptq"), Convention::kGptq);
  EXPECT_EQ(parse_convention("lm-eval"), Convention::kRolling);
  EXPECT_THAT(error_of([] { parse_convention("lm_eval"); }), HasSubstr("known: windows, gptq, lm-eval"));
  EXPECT_THAT(error_of([] { check_eval_options({.context = 8, .stride = 4, .convention = Convention::kGptq}, false); }),
              HasSubstr("a stride has no effect"));
}

}  // namespace
}  // namespace detent
