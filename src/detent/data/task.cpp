#include "detent/data/task.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/corpus_files.h"
#include "detent/data/hellaswag.h"
#include "detent/data/json_line.h"
#include "detent/data/whitespace.h"

namespace detent {

namespace {

using nlohmann::json;

struct Format {
  const char* name;
  const char* key;  // that lines of this format have, and no others
  const char* delimiter;
  void (*read)(const json& line, Question& question);
};

void read_hellaswag(const json& line, Question& question) {
  const auto text = [&](const char* key) { return text_of(line, key, question.where); };
  const std::string context = line.contains("ctx_b") ? text("ctx_a") + " " + capitalized(text("ctx_b")) : text("ctx");
  question.context =
      hellaswag_text(line.contains("activity_label") ? text("activity_label") + ": " + context : context);
  for (const std::string& ending : texts_of(line, "endings", question.where))
    question.choices.push_back(hellaswag_text(ending));
  question.answer = index_of(line, "label", question.choices.size(), question.where);
}

void read_arc(const json& line, Question& question) {
  const json& choices = field_of(line, "choices", question.where);
  const std::string key = text_of(line, "answerKey", question.where);
  question.context = "Question: " + text_of(line, "question", question.where) + "\nAnswer:";
  question.choices = texts_of(choices, "text", question.where + ": choices");
  const std::vector<std::string> labels = texts_of(choices, "label", question.where + ": choices");
  if (labels.size() != question.choices.size())
    fail("{}: {} choices with {} labels", question.where, question.choices.size(), labels.size());
  const auto found = std::find(labels.begin(), labels.end(), key);
  if (found == labels.end())
    fail("{}: the answerKey {} is none of the labels {}", question.where, in_quotes(key),
         in_quotes(fmt::format("{}", fmt::join(labels, ", "))));
  question.answer = static_cast<size_t>(found - labels.begin());
}

void read_piqa(const json& line, Question& question) {
  question.context = "Question: " + text_of(line, "goal", question.where) + "\nAnswer:";
  question.choices = {text_of(line, "sol1", question.where), text_of(line, "sol2", question.where)};
  question.answer = index_of(line, "label", 2, question.where);
}

void read_choices(const json& line, Question& question) {
  question.context = text_of(line, "context", question.where);
  question.choices = texts_of(line, "choices", question.where);
  question.answer = index_of(line, "answer", question.choices.size(), question.where);
}

constexpr Format kFormats[] = {{"hellaswag", "endings", " ", read_hellaswag},
                               {"arc", "answerKey", " ", read_arc},
                               {"piqa", "goal", " ", read_piqa},
                               {"choices", "context", "", read_choices}};

const Format& format_of(const json& line, const std::string& where) {
  if (!line.is_object()) fail("{}: {} instead of a JSON object", where, line.type_name());
  for (const Format& format : kFormats)
    if (line.contains(format.key)) return format;
  fail(
      "{}: not a known kind of question; known: hellaswag (endings, label, ctx ...), arc (question, choices, "
      "answerKey), "
      "piqa (goal, sol1, sol2, label), choices (context, choices, answer)",
      where);
}

void check(const Question& question) {
  if (question.choices.size() < 2)
    fail("{}: {} choices; a question needs two", question.where, question.choices.size());
  for (size_t i = 0; i < question.choices.size(); ++i)
    if (question.choices[i].empty()) fail("{}: choice {} is empty", question.where, i);
}

}  // namespace

Task read_task(const std::string& path) {
  Task task;
  const Format* format = nullptr;
  for_each_line(expand_paths({path}), kMaxJsonLine, {}, [&](std::string_view text, const std::string& where) {
    const json line = parse_json(text, where);
    if (!format) format = &format_of(line, where);
    Question question{where, {}, {}, 0};
    format->read(line, question);
    check(question);
    task.questions.push_back(std::move(question));
  });
  task.format = format->name;
  task.delimiter = format->delimiter;
  return task;
}

Continuation encode_continuation(const std::string& context, const std::string& choice, const Tokenizer& tokenizer,
                                 bool with_bos) {
  const size_t before = tokenizer.encode(strip_right(context)).size();
  Continuation result;
  if (with_bos && tokenizer.bos())
    result.ids.push_back(*tokenizer.bos());
  else if (before == 0)
    result.ids.push_back(tokenizer.bos() ? *tokenizer.bos() : tokenizer.end_of_text());
  const std::vector<int32_t> both = tokenizer.encode(context + choice);
  result.scored_from = result.ids.size() + before;
  result.ids.insert(result.ids.end(), both.begin(), both.end());
  return result;
}

}  // namespace detent
