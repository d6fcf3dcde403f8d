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
#include "detent/train/run_totals.h"

namespace detent {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Trainer {
 public:
  // content: of `checkpoint`, to go on from; null to begin.
  Trainer(const TrainConfig& config, const CheckpointContent* content, const fs::path& checkpoint, bool quiet)
      : session_(config, quiet), quiet_(quiet) {
    if (content) restore(*content, checkpoint);
    // Last: it drops lines of steps to come.
    log_.emplace(config.output, content ? totals_.step : -1, config.train.steps);
  }
  TrainResult run();

 private:
  void restore(const CheckpointContent& content, const fs::path& checkpoint);
  void step();
  double forward_backward(const std::vector<Batch>& batches);
  void log_step(double lr, double norm, const PullTerms& pull);
  void see_first_batch();
  void describe_machine();
  void describe_data();
  void finish(Progress& bar);
  void validate();
  void save();
  bool due(int64_t every) const {
    return every > 0 && totals_.step % every == 0 && totals_.step < config().train.steps;
  }
  const TrainConfig& config() const { return session_.config; }

  Session session_;
  std::optional<RunLog> log_;
  bool quiet_;
  RunTotals totals_;
  double least_seconds_ = 0;  // of a step
  Evaluation validation_;
  fs::path last_good_;
  std::string begun_on_;  // the device of the steps before those of this process; empty: there are none
};

void Trainer::restore(const CheckpointContent& content, const fs::path& checkpoint) {
  session_.restore(content);
  totals_.restore(content.state);
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
  totals_.add_tokens(scored);
  return nats / static_cast<double>(scored);
}

// One step on one screen.
void Trainer::step() {
  const auto begin = Clock::now();
  const int64_t t = ++totals_.step;
  Optimizer& optimizer = *session_.optimizer;
  std::vector<Batch> batches;
  for (int64_t i = 0; i < config().train.gradient_accumulation; ++i)
    batches.push_back(session_.loader->next(config().train.batch_size));

  Phase& phase = *session_.quantized.phase;
  phase.training = true;
  phase.forward = static_cast<uint32_t>((t - 1) * config().train.gradient_accumulation);
  session_.methods->before_step(t);
  for (OptimizedParameter& parameter : optimizer.parameters()) parameter.value.mutable_grad() = at::Tensor();
  totals_.loss = forward_backward(batches);

  const double norm = gradient_norm(optimizer.parameters());
  check_step(optimizer.parameters(), totals_.loss, norm, {t, last_good_});
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
  totals_.add_step(seconds_since(begin));
  if (t % config().train.log_every == 0 || t == config().train.steps) log_step(lr, norm, pull);
}

void Trainer::log_step(double lr, double norm, const PullTerms& pull) {
  json line = totals_.step_line(lr, norm, least_seconds_);
  session_.methods->describe(line, totals_.step);
  if (config().cage) {
    double squared = 0;
    for (OptimizedParameter& parameter : session_.optimizer->parameters())
      squared += pareto_distance_squared(parameter.value, parameter.target.get(), pull.decoupled + pull.coupled);
    line["pareto_distance"] = std::sqrt(squared);
  }
  log_->write(line);
}

void Trainer::validate() {
  validation_ = evaluate(*session_.model, *session_.validation, config().train.batch_size);
  if (!std::isfinite(validation_.loss)) fail_not_finite("the validation loss", {totals_.step, last_good_});
  json line = {{"kind", "eval"}, {"step", totals_.step}, {"validation_loss", validation_.loss}};
  line["bits_per_byte"] = validation_.bits_per_byte;
  log_->write(line);
}

void Trainer::save() {
  check_weights(session_.optimizer->parameters(), {totals_.step, last_good_});
  TrainState progress;
  totals_.put_into(progress);
  save_checkpoint(config().output, session_.content(progress), *session_.tokenizer, config().checkpoint.keep);
  last_good_ = fs::path(config().output) / "checkpoints" / fmt::format("step-{:06}", totals_.step);
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
  const MachineLine machine = machine_line(session_, totals_.step);
  least_seconds_ = machine.least_seconds;
  log_->write(machine.line);
  if (!quiet_) print_machine(session_, totals_.step, begun_on_);
}

void Trainer::describe_data() {
  const DataSummary summary{session_.loader->counts(), session_.loader->windows()};
  json line = to_json(summary);
  line["kind"] = "data";
  line["step"] = 0;
  log_->write(line);
  if (!quiet_ && is_packed(config().data)) fmt::print(stderr, "{}\n", to_text(summary, config().data));
}

TrainResult Trainer::run() {
  const int64_t steps = config().train.steps;
  if (totals_.step < steps) describe_machine();
  if (!quiet_ && totals_.step < steps)
    for (const std::string& note : session_.methods->notes()) fmt::print(stderr, "{}\n", note);
  if (totals_.step == 0 && steps > 0) {
    describe_data();
    see_first_batch();
    validate();
  }
  Progress bar(fs::path(config().output).filename(), steps, "step", totals_.step, quiet_);
  bool stopped = false;
  while (totals_.step < steps && !stopped) {
    step();
    if (due(config().eval.every)) validate();
    stopped = InterruptGuard::requested() && totals_.step < steps;
    if (due(config().checkpoint.every) || stopped) save();
    bar.update(totals_.step, fmt::format("loss {:.4f}", totals_.loss));
  }
  if (!stopped) finish(bar);
  return {totals_.loss,
          validation_,
          totals_.tokens_per_second(),
          totals_.seconds(),
          totals_.speed_of_light(least_seconds_),
          totals_.step,
          stopped,
          config().output};
}

void Trainer::finish(Progress& bar) {
  validate();
  save();
  bar.finish(fmt::format("validation loss {:.4f}", validation_.loss));
  json line = totals_.end_line(validation_, least_seconds_);
  line["parameters"] = session_.model->config().parameter_count();
  log_->write(line);
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
