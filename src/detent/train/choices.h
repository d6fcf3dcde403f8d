// Zero-shot multiple choice: the choice is the one that the model finds likeliest after the context.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "detent/data/task.h"
#include "detent/models/causal_lm.h"
#include "detent/train/evaluate.h"

namespace detent {

struct TaskOptions {
  int64_t context = 2048;   // ids the model reads at most; more are cut from the left of the context
  int64_t batch_size = 16;  // sequences in a forward
  bool bos = true;          // the model's BOS first, where it has one
};

struct Answer {
  std::vector<double> log_likelihoods;  // of each choice, in nats, summed over its ids
  // The best choice by log-likelihood, by that per character and per byte of the choice without its delimiter; the
  // first of equals. lm-evaluation-harness's acc, acc_norm and acc_bytes.
  size_t by_sum = 0, by_character = 0, by_byte = 0;
};

struct Accuracy {
  double mean = 0, standard_error = 0;  // of the mean, from the sample's deviation; NaN for a single question
};

struct TaskResult {
  std::string format;
  std::vector<Answer> answers;  // in the file's order
  Accuracy by_sum, by_character, by_byte;
  int64_t tokens = 0;     // ids of all choices
  int64_t truncated = 0;  // choices whose context was cut
};
nlohmann::json to_json(const TaskResult& result);
std::string to_text(const TaskResult& result);
// One JSON object a question and line: where it stands, the answer, what was chosen and the log-likelihoods.
std::string samples_jsonl(const Task& task, const TaskResult& result);

TaskResult evaluate_task(CausalLm& model, const Task& task, const Tokenizer& tokenizer, const TaskOptions& options,
                         const EvalProgress& progress = {});

}  // namespace detent
