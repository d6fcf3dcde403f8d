#include "detent/data/encoder.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace detent {

namespace {

constexpr size_t kJobBytes = size_t{1} << 18;  // of text, or one part that cannot be cut

// Text for one thread, and what becomes of it.
struct Job {
  struct Part {
    size_t end;      // of its text
    bool continues;  // the document began in an earlier part
    bool ends_document;
    size_t ids_end = 0;
  };
  std::string text;
  std::vector<Part> parts;
  std::vector<int32_t> ids;
  std::exception_ptr error;
  bool taken = false, done = false;

  void run(const Tokenizer& tokenizer) {
    size_t begin = 0;
    for (Part& part : parts) {
      const std::string_view all = std::string_view(text).substr(begin, part.end - begin);
      const std::vector<int32_t> made = part.continues ? tokenizer.encode_next(all) : tokenizer.encode(all);
      ids.insert(ids.end(), made.begin(), made.end());
      part.ids_end = ids.size();
      begin = part.end;
    }
  }

  void run_safely(const Tokenizer& tokenizer) {
    try {
      run(tokenizer);
    } catch (...) {
      error = std::current_exception();
    }
  }
};

}  // namespace

class Encoder::Impl {
 public:
  Impl(const Tokenizer& tokenizer, int threads, Take take) : tokenizer_(tokenizer), take_(std::move(take)) {
    for (int i = 0; threads > 1 && i < threads; ++i) workers_.emplace_back([this] { work(); });
  }

  ~Impl() {
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void add(std::string_view bytes, bool ends_document) {
    text_.erase(0, std::exchange(begin_, 0));
    text_ += bytes;
    cut_long_text();
    if (!ends_document) return;
    end_part(rest().size(), true);
    if (job_->text.size() >= kJobBytes) submit();
  }

  void finish() {
    if (!job_->parts.empty()) submit();
    while (!queue_.empty()) hand_out();
  }

 private:
  std::string_view rest() const { return std::string_view(text_).substr(begin_); }

  // Takes a long document's text up to places where it may be cut.
  void cut_long_text() {
    while (rest().size() - searched_ > kJobBytes) {
      const size_t cut = tokenizer_.find_cut(rest(), std::max(searched_, kJobBytes));
      if (cut == std::string_view::npos) {
        searched_ = rest().size() - 1;  // at its end only, a place can turn out to be one when the text goes on
        return;
      }
      end_part(cut, false);
      submit();
    }
  }

  void end_part(size_t size, bool ends_document) {
    job_->text += rest().substr(0, size);
    job_->parts.push_back({job_->text.size(), continues_, ends_document});
    continues_ = !ends_document;
    begin_ += size;
    searched_ = 0;
  }

  void submit() {
    if (workers_.empty()) {
      job_->run(tokenizer_);
      give(*job_);
      job_ = std::make_unique<Job>();
      return;
    }
    {
      const std::lock_guard guard(mutex_);
      queue_.push_back(std::exchange(job_, std::make_unique<Job>()));
    }
    changed_.notify_all();
    while (queue_.size() > 2 * workers_.size()) hand_out();
  }

  // Waits for the oldest job. Only this thread takes jobs out of the queue.
  void hand_out() {
    std::unique_ptr<Job> job;
    {
      std::unique_lock guard(mutex_);
      changed_.wait(guard, [&] { return queue_.front()->done; });
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    if (job->error) std::rethrow_exception(job->error);
    give(*job);
  }

  void give(const Job& job) {
    size_t begin = 0, first = 0;
    for (const Job::Part& part : job.parts) {
      take_({std::span(job.ids).subspan(first, part.ids_end - first), part.end - begin, part.ends_document});
      begin = part.end;
      first = part.ids_end;
    }
  }

  void work() {
    std::unique_lock guard(mutex_);
    while (true) {
      Job* mine = nullptr;
      changed_.wait(guard, [&] {
        const auto free = std::find_if(queue_.begin(), queue_.end(), [](const auto& job) { return !job->taken; });
        mine = free == queue_.end() ? nullptr : free->get();
        return stopping_ || mine;
      });
      if (stopping_) return;
      mine->taken = true;
      guard.unlock();
      mine->run_safely(tokenizer_);
      guard.lock();
      mine->done = true;
      changed_.notify_all();
    }
  }

  const Tokenizer& tokenizer_;
  Take take_;
  std::string text_;  // of the current document; from begin_ on not yet in a job
  size_t begin_ = 0;
  size_t searched_ = 0;  // no cut of the rest lies before
  bool continues_ = false;
  std::unique_ptr<Job> job_ = std::make_unique<Job>();
  std::deque<std::unique_ptr<Job>> queue_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

Encoder::Encoder(const Tokenizer& tokenizer, int threads, Take take)
    : impl_(std::make_unique<Impl>(tokenizer, threads, std::move(take))) {}
Encoder::~Encoder() = default;
void Encoder::add(std::string_view bytes, bool ends_document) { impl_->add(bytes, ends_document); }
void Encoder::finish() { impl_->finish(); }

int default_threads() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

}  // namespace detent
