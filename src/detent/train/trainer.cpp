#include "detent/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>

#include "detent/base/error.h"
#include "detent/io/atomic_file.h"
#include "detent/io/dir_lock.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/train/interrupt.h"
#include "detent/train/losses.h"
#include "detent/train/run_data.h"

namespace detent {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Trainer {
 public:
  Trainer(const TrainConfig& config, int64_t done, bool quiet)
      : session_(config, quiet),
        log_(config.output, done, config.train.steps),
        quiet_(quiet),
        step_(std::max<int64_t>(done, 0)) {}

  void restore(const CheckpointContent& content, const fs::path& checkpoint) {
    session_.restore(content);
    loss_ = content.state.last_loss;
    trained_tokens_ = content.state.tokens;
    trained_seconds_ = content.state.seconds;
    last_good_ = checkpoint;
  }
  TrainResult run();

 private:
  void step(int64_t t);
  double forward_backward(const std::vector<Batch>& batches);
  void check_finite(int64_t t, double loss, double norm) const;
  void log_step(int64_t t, double lr, double norm, const PullTerms& pull);
  void see_first_batch();
  void describe_data();
  void validate(int64_t t);
  void save(int64_t t);
  bool due(int64_t every, int64_t t) const { return every > 0 && t % every == 0 && t < config().train.steps; }
  const TrainConfig& config() const { return session_.config; }

  Session session_;
  RunLog log_;
  bool quiet_;
  int64_t step_;
  double loss_ = 0;
  Evaluation validation_;
  int64_t trained_tokens_ = 0;
  double trained_seconds_ = 0;
  fs::path last_good_;
};

double Trainer::forward_backward(const std::vector<Batch>& batches) {
  int64_t scored = 0;
  for (const Batch& batch : batches) scored += batch.scored;
  double nats = 0;
  for (const Batch& batch : batches) {
    const at::Tensor loss = summed_loss(*session_.model, batch);
    nats += loss.item<double>();
    loss.div(static_cast<double>(scored)).backward();
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
  check_finite(t, loss_, norm);
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
  trained_seconds_ += seconds_since(begin);
  if (t % config().train.log_every == 0 || t == config().train.steps) log_step(t, lr, norm, pull);
}

void Trainer::check_finite(int64_t t, double loss, double norm) const {
  if (std::isfinite(loss) && std::isfinite(norm)) return;
  std::string where = "the loss";
  if (std::isfinite(loss))
    for (const OptimizedParameter& parameter : session_.optimizer->parameters())
      if (parameter.value.grad().defined() && !at::isfinite(parameter.value.grad()).all().item<bool>()) {
        where = "the gradient of " + parameter.name;
        break;
      }
  fail("step {}: {} is not finite; {}; lower optimizer.learning_rate, or set optimizer.max_grad_norm", t, where,
       last_good_.empty() ? "there is no checkpoint yet" : "the last good checkpoint is " + last_good_.string());
}

void Trainer::log_step(int64_t t, double lr, double norm, const PullTerms& pull) {
  json line = {{"kind", "train"}, {"step", t}, {"loss", loss_}, {"lr", lr}, {"grad_norm", norm}};
  line["tokens"] = trained_tokens_;
  line["tokens_per_second"] = static_cast<double>(trained_tokens_) / std::max(trained_seconds_, 1e-9);
  line["seconds"] = trained_seconds_;
  session_.methods->describe(line, t);
  if (config().cage) {
    double squared = 0;
    for (OptimizedParameter& parameter : session_.optimizer->parameters())
      squared += pareto_distance_squared(parameter.value, parameter.target.get(), pull.decoupled + pull.coupled);
    line["pareto_distance"] = std::sqrt(squared);
  }
  log_.write(line);
}

void Trainer::validate(int64_t t) {
  validation_ = evaluate(*session_.model, *session_.validation, config().train.batch_size);
  json line = {{"kind", "eval"}, {"step", t}, {"validation_loss", validation_.loss}};
  line["bits_per_byte"] = validation_.bits_per_byte;
  log_.write(line);
}

void Trainer::save(int64_t t) {
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
  summed_loss(*session_.model, session_.loader->at(session_.loader->cursor(), config().train.batch_size));
}

void Trainer::describe_data() {
  const DataSummary summary{session_.loader->counts(), session_.loader->windows()};
  json line = to_json(summary);
  line["kind"] = "data";
  line["step"] = 0;
  log_.write(line);
  if (!quiet_ && is_packed(config().data)) fmt::print(stderr, "{}\n", to_text(summary, config().data));
}

TrainResult Trainer::run() {
  const int64_t steps = config().train.steps;
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
  TrainResult result{loss_, validation_, 0, trained_seconds_, step_, stopped, config().output};
  result.tokens_per_second = static_cast<double>(trained_tokens_) / std::max(trained_seconds_, 1e-9);
  if (!stopped)
    log_.write({{"kind", "final"},
                {"step", steps},
                {"final_loss", loss_},
                {"validation_loss", validation_.loss},
                {"bits_per_byte", validation_.bits_per_byte},
                {"tokens_per_second", result.tokens_per_second},
                {"seconds", trained_seconds_},
                {"parameters", session_.model->config().parameter_count()},
                {"steps", steps}});
  return result;
}

// Keys that may differ between a run and its continuation: they do not change what is computed.
std::string comparable(const TrainConfig& config) {
  TrainConfig copy = config;
  copy.output.clear();
  copy.checkpoint = {};
  copy.train.threads = 0;
  copy.train.log_every = 1;
  return resolved_yaml(copy);
}

void check_same_config(const TrainConfig& config, const std::string& stored) {
  const std::string now = comparable(config),
                    then = comparable(train_config_from_node(parse_yaml(stored, "stored config")));
  if (now == then) return;
  const auto [a, b] = std::mismatch(now.begin(), now.end(), then.begin(), then.end());
  const auto line_at = [](const std::string& text, size_t at) {
    const size_t begin = text.rfind('\n', at == 0 ? 0 : at - 1) + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  fail(
      "--resume: the configuration is not the one this run began with: '{}' now, '{}' then; restore it, or choose "
      "another "
      "output",
      line_at(now, static_cast<size_t>(a - now.begin())), line_at(then, static_cast<size_t>(b - then.begin())));
}

void check_fresh(const fs::path& run) {
  if (fs::exists(run / "checkpoints") || fs::exists(run / "log.jsonl"))
    fail("{} already holds a run; go on with --resume, or choose another output", run.string());
}

// A path that cannot be a folder is a mistake, one that may not be written a fault of the machine.
[[noreturn]] void fail_folder(const fs::path& run, const std::error_code& error) {
  const auto is = [&](std::errc what) { return error == what; };
  if (run.empty() || is(std::errc::not_a_directory) || is(std::errc::file_exists) ||
      is(std::errc::no_such_file_or_directory) || is(std::errc::filename_too_long))
    fail("output: cannot create the folder '{}': {}; choose another", run.string(), error.message());
  fail_machine("cannot create {}: {}", run.string(), error.message());
}

}  // namespace

TrainResult train(const TrainConfig& config, bool resume, bool quiet) {
  const InterruptGuard interrupt;
  const fs::path run = config.output;
  if (config.train.threads > 0) at::set_num_threads(static_cast<int>(config.train.threads));
  std::error_code error;
  fs::create_directories(run, error);
  if (error) fail_folder(run, error);
  const io::DirLock lock(run);
  io::remove_stale_temporaries(run);
  io::remove_stale_temporaries(run / "checkpoints");
  if (!resume) check_fresh(run);
  const std::optional<fs::path> newest = resume ? newest_checkpoint(run) : std::nullopt;
  std::optional<CheckpointContent> content;
  if (newest) content = load_checkpoint(*newest);
  if (content) check_same_config(config, content->state.config);
  io::write_file_atomically(run / "config.yaml", resolved_yaml(config));
  Trainer trainer(config, content ? content->state.step : -1, quiet);
  if (content) trainer.restore(*content, *newest);
  content.reset();  // the weights are in the model now
  return trainer.run();
}

}  // namespace detent
