#include "detent/train/choices.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "detent/base/error.h"
#include "detent/train/losses.h"

namespace detent {

namespace {

// A choice to score: the last `scored` of `targets` after `inputs`, which is targets shifted by one.
struct Request {
  size_t question = 0, choice = 0;
  std::vector<int32_t> inputs;
  std::vector<int32_t> targets;  // of the choice alone
};

Request make_request(const Task& task, size_t question, size_t choice, const Tokenizer& tokenizer,
                     const TaskOptions& options, int64_t& truncated) {
  const Question& asked = task.questions[question];
  const std::string text = task.delimiter + asked.choices[choice];
  Continuation c = encode_continuation(asked.context, text, tokenizer, options.bos);
  if (c.scored_from >= c.ids.size())
    fail("{}: choice {} adds no token to the context; write them so that a token lies in it", asked.where, choice);
  Request request{question, choice, {}, {c.ids.begin() + static_cast<int64_t>(c.scored_from), c.ids.end()}};
  const auto limit = static_cast<size_t>(options.context);
  if (request.targets.size() > limit)
    fail("{}: choice {} has {} tokens, the model reads {}; shorten it", asked.where, choice, request.targets.size(),
         limit);
  c.ids.pop_back();
  truncated += c.ids.size() > limit;
  request.inputs.assign(c.ids.end() - static_cast<int64_t>(std::min(limit, c.ids.size())), c.ids.end());
  return request;
}

std::vector<Request> make_requests(const Task& task, const Tokenizer& tokenizer, const TaskOptions& options,
                                   TaskResult& result) {
  std::vector<Request> requests;
  for (size_t q = 0; q < task.questions.size(); ++q)
    for (size_t c = 0; c < task.questions[q].choices.size(); ++c) {
      requests.push_back(make_request(task, q, c, tokenizer, options, result.truncated));
      result.tokens += static_cast<int64_t>(requests.back().targets.size());
    }
  // The longest first, equal inputs next to each other: little padding, and each input is read once.
  std::stable_sort(requests.begin(), requests.end(), [](const Request& a, const Request& b) {
    return a.inputs.size() != b.inputs.size() ? a.inputs.size() > b.inputs.size() : a.inputs < b.inputs;
  });
  return requests;
}

// Scores requests first .. until batch_size different inputs are read or none is left, or one that padding would
// change; returns the one after.
size_t score_batch(CausalLm& model, const std::vector<Request>& requests, size_t first, int64_t batch_size,
                   int32_t padding, std::vector<Answer>& answers) {
  std::vector<size_t> row_of;
  size_t end = first;
  const bool pads = model.can_extend(static_cast<int64_t>(requests[first].inputs.size()));
  for (size_t rows = 0; end < requests.size(); ++end) {
    if (!pads && requests[end].inputs.size() != requests[first].inputs.size()) break;
    const bool repeated = end > first && requests[end].inputs == requests[end - 1].inputs;
    if (!repeated && rows == static_cast<size_t>(batch_size)) break;
    rows += !repeated;
    row_of.push_back(rows - 1);
  }
  Batch batch(static_cast<int64_t>(row_of.back()) + 1, static_cast<int64_t>(requests[first].inputs.size()), padding);
  std::vector<Prediction> predictions;
  for (size_t i = first; i < end; ++i) {
    const Request& request = requests[i];
    const int64_t row = static_cast<int64_t>(row_of[i - first]) * batch.columns;
    std::copy(request.inputs.begin(), request.inputs.end(), batch.inputs.begin() + row);
    const auto scored_from = static_cast<int64_t>(request.inputs.size() - request.targets.size());
    for (size_t t = 0; t < request.targets.size(); ++t)
      predictions.push_back({row + scored_from + static_cast<int64_t>(t), request.targets[t]});
  }
  const at::Tensor losses = prediction_losses(model, batch, predictions);
  const float* loss = losses.const_data_ptr<float>();
  for (size_t i = first; i < end; ++i) {
    double sum = 0;
    for (size_t t = 0; t < requests[i].targets.size(); ++t) sum -= *loss++;
    answers[requests[i].question].log_likelihoods[requests[i].choice] = sum;
  }
  return end;
}

// Python's len() of a str: characters of valid UTF-8.
int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; });
}

template <class Length>
size_t best(const Answer& answer, const Question& question, const Length& length) {
  size_t best = 0;
  const auto value = [&](size_t i) {
    return answer.log_likelihoods[i] / static_cast<double>(length(question.choices[i]));
  };
  for (size_t i = 1; i < question.choices.size(); ++i)
    if (value(i) > value(best)) best = i;
  return best;
}

Accuracy accuracy(const Task& task, const std::vector<Answer>& answers, size_t Answer::*chosen) {
  int64_t right = 0;
  for (size_t i = 0; i < answers.size(); ++i) right += answers[i].*chosen == task.questions[i].answer;
  const auto n = static_cast<double>(answers.size());
  const double mean = static_cast<double>(right) / n;
  return {mean, std::sqrt(mean * (1 - mean) / (n - 1))};  // sqrt(sum (x - mean)^2 / (n - 1) / n) of zeros and ones
}

nlohmann::json number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

}  // namespace

TaskResult evaluate_task(CausalLm& model, const Task& task, const Tokenizer& tokenizer, const TaskOptions& options,
                         const EvalProgress& progress) {
  TaskResult result;
  result.format = task.format;
  for (const Question& question : task.questions)
    result.answers.push_back({std::vector<double>(question.choices.size()), 0, 0, 0});
  const std::vector<Request> requests = make_requests(task, tokenizer, options, result);
  for (size_t next = 0; next < requests.size();) {
    next = score_batch(model, requests, next, options.batch_size, tokenizer.eos().value_or(0), result.answers);
    if (progress) progress(static_cast<int64_t>(next), static_cast<int64_t>(requests.size()));
  }
  for (size_t i = 0; i < result.answers.size(); ++i) {
    Answer& answer = result.answers[i];
    const Question& question = task.questions[i];
    for (const double value : answer.log_likelihoods)
      if (!std::isfinite(value))
        fail("{}: the model's log-likelihoods are not finite; check its weights", question.where);
    answer.by_sum = best(answer, question, [](const std::string&) { return 1; });
    answer.by_character = best(answer, question, characters);
    answer.by_byte = best(answer, question, [](const std::string& choice) { return choice.size(); });
  }
  result.by_sum = accuracy(task, result.answers, &Answer::by_sum);
  result.by_character = accuracy(task, result.answers, &Answer::by_character);
  result.by_byte = accuracy(task, result.answers, &Answer::by_byte);
  return result;
}

nlohmann::json to_json(const TaskResult& r) {
  return {{"task", r.format},
          {"questions", r.answers.size()},
          {"acc", r.by_sum.mean},
          {"acc_stderr", number(r.by_sum.standard_error)},
          {"acc_norm", r.by_character.mean},
          {"acc_norm_stderr", number(r.by_character.standard_error)},
          {"acc_bytes", r.by_byte.mean},
          {"acc_bytes_stderr", number(r.by_byte.standard_error)},
          {"tokens", r.tokens},
          {"truncated", r.truncated}};
}

std::string to_text(const TaskResult& r) {
  const auto line = [](const char* name, const Accuracy& accuracy) {
    return fmt::format("{} {:.4f} +- {:.4f}", name, accuracy.mean, accuracy.standard_error);
  };
  return fmt::format("{}: {}, {}, {}; {} questions, {} tokens{}", r.format, line("accuracy", r.by_sum),
                     line("length-normalised by characters", r.by_character), line("by bytes", r.by_byte),
                     r.answers.size(), r.tokens,
                     r.truncated > 0 ? fmt::format(", {} contexts cut from the left", r.truncated) : "");
}

std::string samples_jsonl(const Task& task, const TaskResult& result) {
  std::string text;
  for (size_t i = 0; i < result.answers.size(); ++i) {
    const Answer& answer = result.answers[i];
    const nlohmann::json line = {{"where", task.questions[i].where}, {"answer", task.questions[i].answer},
                                 {"chosen", answer.by_sum},          {"chosen_norm", answer.by_character},
                                 {"chosen_bytes", answer.by_byte},   {"log_likelihoods", answer.log_likelihoods}};
    text += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  return text;
}

}  // namespace detent
