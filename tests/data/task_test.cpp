#include "detent/data/task.h"

#include "detent/data/hellaswag.h"
#include "tests/data/toy_tokenizer.h"
#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using io::test::TemporaryFolder;
using io::test::write_raw;
using test::ToyTokenizer;
using testing::ElementsAre;
using testing::HasSubstr;

class TaskFile : public testing::Test {
 protected:
  Task read(std::string_view text) const {
    write_raw(folder_ / "task.jsonl", text);
    return read_task((folder_ / "task.jsonl").string());
  }
  TemporaryFolder folder_;
};

TEST_F(TaskFile, Hellaswag) {
  const Task task = read(
      R"({"ind": 24, "activity_label": "Roof shingle removal", "ctx_a": "A man is sitting on a roof.", "ctx_b": "he",)"
      R"( "ctx": "A man is sitting on a roof. he", "endings": ["is using wrap [substeps] to wrap.", " holds  a cube."],)"
      R"( "label": 1, "split": "val"})"
      "\n"
      R"({"ctx": " [header] How to  cook [title] Boil", "endings": ["a", "b", "c"], "label": "2"})");
  EXPECT_EQ(task.format, "hellaswag");
  EXPECT_EQ(task.delimiter, " ");
  ASSERT_EQ(task.questions.size(), 2u);
  EXPECT_EQ(task.questions[0].context, "Roof shingle removal: A man is sitting on a roof. He");
  EXPECT_THAT(task.questions[0].choices, ElementsAre("is using wrap to wrap.", "holds a cube."));
  EXPECT_EQ(task.questions[0].answer, 1u);
  EXPECT_EQ(task.questions[1].context, " How to cook. Boil");
  EXPECT_EQ(task.questions[1].answer, 2u);
}

TEST_F(TaskFile, Arc) {
  const Task task =
      read(R"({"id": "x", "question": "What is hot?", "choices": {"text": ["ice", "fire"], "label": ["A", "B"]},)"
           R"( "answerKey": "B"})"
           "\n"
           R"({"question": "1?", "choices": {"label": ["1", "2", "3"], "text": ["p", "q", "r"]}, "answerKey": "1"})");
  EXPECT_EQ(task.format, "arc");
  EXPECT_EQ(task.questions[0].context, "Question: What is hot?\nAnswer:");
  EXPECT_THAT(task.questions[0].choices, ElementsAre("ice", "fire"));
  EXPECT_EQ(task.questions[0].answer, 1u);
  EXPECT_EQ(task.questions[1].answer, 0u);
}

TEST_F(TaskFile, PiqaAndPlainChoices) {
  const Task piqa = read(R"({"goal": "Open a jar", "sol1": "twist", "sol2": "sing", "label": 0})");
  EXPECT_EQ(piqa.questions[0].context, "Question: Open a jar\nAnswer:");
  EXPECT_THAT(piqa.questions[0].choices, ElementsAre("twist", "sing"));
  const Task plain = read(R"({"context": "The sky is ", "choices": ["blue", "red"], "answer": 0})");
  EXPECT_EQ(plain.delimiter, "");
  EXPECT_EQ(plain.questions[0].context, "The sky is ");
}

struct BadLine {
  const char *line, *error;
};

TEST_F(TaskFile, BadLinesAreNamedWithFileAndLine) {
  const std::string good = R"({"context": "a", "choices": ["b", "c"], "answer": 0})";
  for (const auto& [line, error] : std::vector<BadLine>{
           {"[1]", "task.jsonl:1: array instead of a JSON object"},
           {"{}", "task.jsonl:1: not a known kind of question"},
           {"{\"context\": \"a\xff\", \"choices\": [\"b\", \"c\"], \"answer\": 0}", "task.jsonl:1: not valid JSON"},
           {R"({"context": "a", "choices": ["b", "c"]})", "task.jsonl:1: no field 'answer'"},
           {R"({"context": "a", "choices": ["b", "c"], "answer": 2})", "expected a number from 0 to 1"},
           {R"({"context": "a", "choices": ["b", "c"], "answer": -1})", "expected a number from 0 to 1"},
           {R"({"context": "a", "choices": ["b", "c"], "answer": 0.5})", "expected a number from 0 to 1"},
           {R"({"context": "a", "choices": ["b", "c"], "answer": "1 "})", "expected a number from 0 to 1"},
           {R"({"context": "a", "choices": ["b", "c"], "answer": 99999999999999999999})", "expected a number"},
           {R"({"context": "a", "choices": ["b"], "answer": 0})", "1 choices; a question needs two"},
           {R"({"context": "a", "choices": [], "answer": 0})", "expected a number from 0"},
           {R"({"context": "a", "choices": ["b", ""], "answer": 0})", "choice 1 is empty"},
           {R"({"context": "a", "choices": ["b", 3], "answer": 0})", "choices[1] is number, expected a string"},
           {R"({"ctx": "a", "endings": ["[x]", "b"], "label": 0})", "choice 0 is empty"},
           {R"({"ctx": "a", "endings": ["x", "b"], "label": ""})", "the field 'label' is '\"\"'"},
           {R"({"endings": ["x", "b"], "label": "1"})", "no field 'ctx'"},
           {R"({"question": "?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "C"})",
            "the answerKey 'C' is none of the labels 'A, B'"},
           {R"({"question": "?", "choices": {"text": ["x", "y"], "label": ["A"]}, "answerKey": "A"})",
            "2 choices with 1 labels"},
           {R"({"question": "?", "choices": ["x", "y"], "answerKey": "A"})", "array instead of a JSON object"},
           {R"({"goal": "g", "sol1": "a", "label": 0})", "no field 'sol2'"},
           {R"({"goal": "g", "sol1": "a", "sol2": "b", "label": 2})", "expected a number from 0 to 1"}})
    EXPECT_THAT(error_of([&] { read(line); }), testing::AllOf(HasSubstr("task.jsonl:1"), HasSubstr(error))) << line;
  EXPECT_THAT(error_of([&] { read(good + "\n\n" + R"({"goal": "g", "sol1": "a", "sol2": "b", "label": 0})"); }),
              HasSubstr("task.jsonl:3: no field 'context'"));
  EXPECT_THAT(error_of([&] { read(""); }), HasSubstr("task.jsonl holds no line"));
  EXPECT_THAT(error_of([&] { read_task((folder_ / "none.jsonl").string()); }), HasSubstr("does not exist"));
  write_raw(folder_ / "task.txt", good);
  EXPECT_THAT(error_of([&] { read_task((folder_ / "task.txt").string()); }), HasSubstr("a .jsonl file is needed"));
}

// Python 3.11: "ärger GROSS".capitalize() and so on.
TEST(Hellaswag, Capitalized) {
  EXPECT_EQ(capitalized("the iPhone"), "The iphone");
  EXPECT_EQ(capitalized("ärger ÜBER ÉTÉ"), "Ärger über été");
  EXPECT_EQ(capitalized("ǆ"), "ǅ");  // title case, not upper
  EXPECT_EQ(capitalized(""), "");
  EXPECT_EQ(capitalized("\xffX"), "\xffx");
}

TEST(Hellaswag, Text) { EXPECT_EQ(hellaswag_text("  [header] a [title] b   c [x\ny] [[d] e]"), " a. b  c [x\ny] e]"); }

class Continuations : public testing::Test {
 protected:
  // The context's ids and the choice's, as text with special tokens spelled.
  std::string split(const std::string& context, const std::string& choice, bool bos) const {
    const Continuation c = encode_continuation(context, choice, tokenizer_, bos);
    const std::span<const int32_t> ids = c.ids;
    return spelled(tokenizer_, ids.first(c.scored_from), {"<s>", "</s>"}) + "|" +
           spelled(tokenizer_, ids.subspan(c.scored_from), {"<s>", "</s>"});
  }
  ToyTokenizer tokenizer_{{" blue", "e b"}, {"<s>", "</s>"}, "<s>", "</s>"};
};

TEST_F(Continuations, SplitWhereTheContextsOwnIdsEnd) {
  EXPECT_EQ(split("sky is", " blue", false), "sky is| blue");
  EXPECT_EQ(split("sky is", " blue", true), "<s>sky is| blue");
  // White space at the end of the context goes with the choice.
  EXPECT_EQ(split("sky is  \n", "blue", false), "sky is|  \nblue");
  EXPECT_EQ(split("sky is ", "blue", true), "<s>sky is| blue");
  // The context alone has three ids, so the fourth of both together is the choice's: here a merge went across.
  EXPECT_EQ(split("the", " boy", false), "the b|oy");
}

TEST_F(Continuations, WithoutContextABosStandsBeforeIt) {
  EXPECT_EQ(split("", " blue", false), "<s>| blue");
  EXPECT_EQ(split("", " blue", true), "<s>| blue");
  EXPECT_EQ(split(" ", "x", false), "<s>| x");
  const ToyTokenizer without({}, {"</s>"}, "", "</s>");
  EXPECT_EQ(encode_continuation("", "x", without, true).ids, (std::vector<int32_t>{256, 'x'}));
  EXPECT_EQ(encode_continuation("a", "x", without, true).ids, (std::vector<int32_t>{'a', 'x'}));
}

}  // namespace
}  // namespace detent
