// Zero-shot multiple choice from a local jsonl file, worded as lm-evaluation-harness words it (version 0.4.13, tasks
// hellaswag, arc_easy and piqa).
#pragma once
#include <span>
#include <string>
#include <vector>

#include "detent/data/tokenizer.h"

namespace detent {

struct Question {
  std::string where;  // file:line
  std::string context;
  std::vector<std::string> choices;
  size_t answer = 0;
};

struct Task {
  std::string format;     // hellaswag, arc, piqa or choices
  std::string delimiter;  // stands between a context and each choice
  std::vector<Question> questions;
};

// The questions of a .jsonl file (or .jsonl.zst). Its first line tells the format, which all lines share:
//   hellaswag  endings, label, and activity_label, ctx_a, ctx_b; or ctx in place of the last two
//   arc        question, choices {text, label}, answerKey
//   piqa       goal, sol1, sol2, label
//   choices    context, choices, answer (counted from 0): each choice directly after its context
// Other keys are passed over. Fails with file and line on a missing field, a label that names no choice, fewer than two
// choices and an empty one.
Task read_task(const std::string& path);

// A choice after its context, as ids; those from scored_from on are the choice's. As the harness splits them: white
// space at the end of the context goes with the choice, and the choice's ids are those of both together beyond the
// number of the context's own. A BOS comes first if with_bos; without any context a BOS, or else the end of text, does.
struct Continuation {
  std::vector<int32_t> ids;
  size_t scored_from = 0;
};
Continuation encode_continuation(const std::string& context, const std::string& choice, const Tokenizer& tokenizer,
                                 bool with_bos);

}  // namespace detent
