#include "detent/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <optional>

#include "detent/base/error.h"
#include "detent/base/key_error.h"
#include "detent/io/atomic_file.h"
#include "detent/io/dir_lock.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/train/interrupt.h"
#include "detent/train/losses.h"
#include "detent/train/machine_line.h"
#include "detent/train/not_finite.h"
#include "detent/train/run_start.h"

namespace detent {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

// Steps and their time, to be held against the least time a step could take.
struct Pace {
  double seconds = 0;
  int64_t steps = 0;
  void add(double more) { seconds += more, ++steps; }
  double share(double least_seconds) const {
    return steps > 0 ? least_seconds * static_cast<double>(steps) / std::max(seconds, 1e-9) : 0;
  }
};

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Trainer {
 public:
  // content: of `checkpoint`, to go on from; null to begin.
  Trainer(const TrainConfig& config, const CheckpointContent* content, const fs::path& checkpoint, bool quiet)
      : session_(config, quiet), quiet_(quiet) {
    if (content) restore(*content, checkpoint);
    log_.emplace(config.output, content ? step_ : -1, config.train.steps);  // last: it drops lines of steps to come
  }
  TrainResult run();

 private:
  void restore(const CheckpointContent& content, const fs::path& checkpoint);
  void step(int64_t t);
  double forward_backward(const std::vector<Batch>& batches);
  void log_step(int64_t t, double lr, double norm, const PullTerms& pull);
  void see_first_batch();
  void describe_machine();
  void describe_data();
  void log_end(const TrainResult& result);
  void validate(int64_t t);
  void save(int64_t t);
  bool due(int64_t every, int64_t t) const { return every > 0 && t % every == 0 && t < config().train.steps; }
  const TrainConfig& config() const { return session_.config; }

  Session session_;
  std::optional<RunLog> log_;
  bool quiet_;
  int64_t step_ = 0;
  double loss_ = 0;
  Evaluation validation_;
  int64_t trained_tokens_ = 0;
  double trained_seconds_ = 0;
  fs::path last_good_;
  double least_seconds_ = 0;  // of a step
  Pace pace_, pace_of_line_;  // of this process; since the last line of the log
  std::string begun_on_;      // the device of the steps before those of this process; empty: there are none
};

void Trainer::restore(const CheckpointContent& content, const fs::path& checkpoint) {
  session_.restore(content);
  step_ = content.state.step;
  loss_ = content.state.last_loss;
  trained_tokens_ = content.state.tokens;
  trained_seconds_ = content.state.seconds;
  last_good_ = checkpoint;
  begun_on_ = content.state.device;
}

double Trainer::forward_backward(const std::vector<Batch>& batches) {
  int64_t scored = 0;
  for (const Batch& batch : batches) scored += batch.scored;
  double nats = 0;
  for (const Batch& batch : batches) {
    const Hidden hidden = training_states(*session_.model, batch);
    nats += backpropagate(*session_.model, hidden, batch, static_cast<double>(scored),
                          positions_at_a_time(*session_.model, session_.quantized));
    ++session_.quantized.phase->forward;
  }
  trained_tokens_ += scored;
  return nats / static_cast<double>(scored);
}

// One step on one screen.
void Trainer::step(int64_t t) {
  const auto begin = Clock::now();
  Optimizer& optimizer = *session_.optimizer;
  std::vector<Batch> batches;
  for (int64_t i = 0; i < config().train.gradient_accumulation; ++i)
    batches.push_back(session_.loader->next(config().train.batch_size));

  Phase& phase = *session_.quantized.phase;
  phase.training = true;
  phase.forward = static_cast<uint32_t>((t - 1) * config().train.gradient_accumulation);
  session_.methods->before_step(t);
  for (OptimizedParameter& parameter : optimizer.parameters()) parameter.value.mutable_grad() = at::Tensor();
  loss_ = forward_backward(batches);

  const double norm = gradient_norm(optimizer.parameters());
  check_step(optimizer.parameters(), loss_, norm, {t, last_good_});
  const double limit = config().optimizer.max_grad_norm;
  const double gradient_scale = limit > 0 && norm > limit ? limit / (norm + 1e-6) : 1;
  const double lr = session_.methods->learning_rate(t);
  const PullTerms pull = session_.methods->pull_terms(t);
  {
    const at::NoGradGuard guard;
    optimizer.step(t, lr, gradient_scale, pull);
    session_.methods->after_step(t);
  }
  phase.training = false;
  const double seconds = seconds_since(begin);
  trained_seconds_ += seconds;
  pace_.add(seconds);
  pace_of_line_.add(seconds);
  if (t % config().train.log_every == 0 || t == config().train.steps) log_step(t, lr, norm, pull);
}

void Trainer::log_step(int64_t t, double lr, double norm, const PullTerms& pull) {
  json line = {{"kind", "train"}, {"step", t}, {"loss", loss_}, {"lr", lr}, {"grad_norm", norm}};
  line["tokens"] = trained_tokens_;
  line["tokens_per_second"] = static_cast<double>(trained_tokens_) / std::max(trained_seconds_, 1e-9);
  line["seconds"] = trained_seconds_;
  line["speed_of_light"] = pace_of_line_.share(least_seconds_);
  pace_of_line_ = {};
  session_.methods->describe(line, t);
  if (config().cage) {
    double squared = 0;
    for (OptimizedParameter& parameter : session_.optimizer->parameters())
      squared += pareto_distance_squared(parameter.value, parameter.target.get(), pull.decoupled + pull.coupled);
    line["pareto_distance"] = std::sqrt(squared);
  }
  log_->write(line);
}

void Trainer::validate(int64_t t) {
  validation_ = evaluate(*session_.model, *session_.validation, config().train.batch_size);
  if (!std::isfinite(validation_.loss)) fail_not_finite("the validation loss", {t, last_good_});
  json line = {{"kind", "eval"}, {"step", t}, {"validation_loss", validation_.loss}};
  line["bits_per_byte"] = validation_.bits_per_byte;
  log_->write(line);
}

void Trainer::save(int64_t t) {
  check_weights(session_.optimizer->parameters(), {t, last_good_});
  TrainState progress;
  progress.step = t;
  progress.last_loss = loss_;
  progress.tokens = trained_tokens_;
  progress.seconds = trained_seconds_;
  save_checkpoint(config().output, session_.content(progress), *session_.tokenizer, config().checkpoint.keep);
  last_good_ = fs::path(config().output) / "checkpoints" / fmt::format("step-{:06}", t);
}

// Learned activation scales start from the first training batch, whatever is validated on.
void Trainer::see_first_batch() {
  if (session_.quantized.learned().empty()) return;
  const at::NoGradGuard guard;
  CausalLm& model = *session_.model;
  const Hidden hidden =
      training_states(model, session_.loader->at(session_.loader->cursor(), config().train.batch_size));
  const at::Tensor states = hidden.states.view({-1, hidden.states.size(-1)});
  model.output_layer(states.narrow(0, 0, std::min(states.size(0), positions_at_a_time(model, session_.quantized))),
                     hidden.table);
}

void Trainer::describe_machine() {
  const MachineLine machine = machine_line(session_, step_);
  least_seconds_ = machine.least_seconds;
  log_->write(machine.line);
  if (!quiet_) print_machine(session_, step_, begun_on_);
}

void Trainer::describe_data() {
  const DataSummary summary{session_.loader->counts(), session_.loader->windows()};
  json line = to_json(summary);
  line["kind"] = "data";
  line["step"] = 0;
  log_->write(line);
  if (!quiet_ && is_packed(config().data)) fmt::print(stderr, "{}\n", to_text(summary, config().data));
}

void Trainer::log_end(const TrainResult& result) {
  const int64_t steps = config().train.steps;
  json line = {{"kind", "final"},
               {"step", steps},
               {"final_loss", loss_},
               {"validation_loss", validation_.loss},
               {"bits_per_byte", validation_.bits_per_byte},
               {"tokens_per_second", result.tokens_per_second},
               {"seconds", trained_seconds_},
               {"parameters", session_.model->config().parameter_count()},
               {"steps", steps}};
  if (result.speed_of_light > 0) line["speed_of_light"] = result.speed_of_light;
  log_->write(line);
}

TrainResult Trainer::run() {
  const int64_t steps = config().train.steps;
  if (step_ < steps) describe_machine();
  if (!quiet_ && step_ < steps)
    for (const std::string& note : session_.methods->notes()) fmt::print(stderr, "{}\n", note);
  if (step_ == 0 && steps > 0) {
    describe_data();
    see_first_batch();
    validate(0);
  }
  Progress bar(fs::path(config().output).filename(), steps, "step", step_, quiet_);
  bool stopped = false;
  while (step_ < steps && !stopped) {
    step(++step_);
    if (due(config().eval.every, step_)) validate(step_);
    stopped = InterruptGuard::requested() && step_ < steps;
    if (due(config().checkpoint.every, step_) || stopped) save(step_);
    bar.update(step_, fmt::format("loss {:.4f}", loss_));
  }
  if (!stopped) {
    validate(steps);
    save(steps);
    bar.finish(fmt::format("validation loss {:.4f}", validation_.loss));
  }
  TrainResult result{loss_, validation_, 0, trained_seconds_, 0, step_, stopped, config().output};
  result.speed_of_light = pace_.share(least_seconds_);
  result.tokens_per_second = static_cast<double>(trained_tokens_) / std::max(trained_seconds_, 1e-9);
  if (!stopped) log_end(result);
  return result;
}

}  // namespace

TrainResult train(const TrainConfig& config, bool resume, bool quiet) {
  const InterruptGuard interrupt;
  const fs::path run = config.output;
  if (config.train.threads > 0) at::set_num_threads(static_cast<int>(config.train.threads));
  if (resume) check_begun(run);
  std::error_code error;
  const bool made = !fs::exists(run, error);
  at_key("output", [&] { io::create_folder(run); });
  const io::DirLock lock(run);
  io::remove_stale_temporaries(run);
  io::remove_stale_temporaries(run / "checkpoints");
  if (!resume) check_fresh(run);
  const std::optional<fs::path> newest = resume ? newest_checkpoint(run) : std::nullopt;
  std::optional<CheckpointContent> content = load_to_resume(config, newest);
  std::optional<Trainer> trainer;
  try {
    io::write_file_atomically(run / "config.yaml", resolved_yaml(config));
    trainer.emplace(config, content ? &*content : nullptr, newest.value_or(""), quiet);
  } catch (const Error& cause) {
    if (made && cause.code() != ExitCode::kInterrupted) fs::remove_all(run, error);  // a run that cannot begin
    throw;
  }
  content.reset();  // the weights are in the model now
  return trainer->run();
}

}  // namespace detent
