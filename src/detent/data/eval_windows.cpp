#include "detent/data/eval_windows.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/data/corpus.h"

namespace detent {

namespace {

constexpr uint64_t kChunk = 1 << 16;  // ids read at a time

std::shared_ptr<const Tokens> encode_documents(const std::vector<std::string>& documents, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  std::vector<uint64_t> ends;
  for (const std::string& document : documents) {
    const std::vector<int32_t> encoded = tokenizer.encode(document);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    ends.push_back(ids.size());
  }
  return std::make_shared<TokensInMemory>(std::move(ids), std::move(ends));
}

std::vector<int32_t> bytes_of_each_id(const Tokenizer& tokenizer) {
  std::vector<int32_t> bytes(tokenizer.vocab_size());
  for (int32_t id = 0; id < static_cast<int32_t>(bytes.size()); ++id)
    bytes[id] = static_cast<int32_t>(tokenizer.piece(id).size());
  return bytes;
}

}  // namespace

EvalWindows::EvalWindows(std::shared_ptr<const Tokens> shard, const Tokenizer& tokenizer, const EvalOptions& options)
    : EvalWindows(std::move(shard), Source::kShard, tokenizer, options) {}

EvalWindows::EvalWindows(const std::vector<std::string>& documents, const Tokenizer& tokenizer,
                         const EvalOptions& options)
    : EvalWindows(encode_documents(documents, tokenizer), Source::kText, tokenizer, options) {}

EvalWindows::EvalWindows(std::shared_ptr<const Tokens> tokens, Source kind, const Tokenizer& tokenizer,
                         const EvalOptions& options)
    : source_(std::move(tokens)),
      options_(options),
      answers_only_(!source_->scored().empty()),
      padding_(tokenizer.eos().value_or(0)),
      id_bytes_(bytes_of_each_id(tokenizer)) {
  if (!answers_only_) prefix_ = tokenizer.bos();
  check_eval_options(options, prefix_.has_value());
  if (options.convention != Convention::kWindows && answers_only_)
    fail("[eval] this convention is for text; answers of instruction data are scored in windows");
  read_documents(kind, tokenizer);
  if (!prefix_ && options.convention == Convention::kRolling) prefix_ = tokenizer.end_of_text();
}

void EvalWindows::check_ids(std::span<const int32_t> ids) const {
  for (const int32_t id : ids)
    if (id < 0 || id >= static_cast<int64_t>(id_bytes_.size()))
      fail("[eval] the data holds token {} but the tokenizer has {}; tokenize it again", id, id_bytes_.size());
}

void EvalWindows::read_documents(Source kind, const Tokenizer& tokenizer) {
  documents_ = source_->documents();
  for (int64_t i = 0; i < documents_; ++i) {
    const TokenRange document = source_->document(i);
    const TokenRange text = kind == Source::kShard ? text_of(document, tokenizer) : document;
    for (uint64_t first = text.begin; first < text.end; first += kChunk) {
      const auto chunk =
          source_->read(static_cast<int64_t>(first), static_cast<int64_t>(std::min(kChunk, text.end - first)));
      check_ids(chunk);
      for (const int32_t id : chunk) text_bytes_ += id_bytes_[id];
    }
    cut(text);
  }
}

// A document without the BOS and the end of text that encode_text put around it.
TokenRange EvalWindows::text_of(TokenRange document, const Tokenizer& tokenizer) const {
  if (answers_only_) return document;
  const auto id_at = [&](uint64_t i) { return source_->read(static_cast<int64_t>(i), 1)[0]; };
  if (document.begin < document.end && prefix_ && id_at(document.begin) == *prefix_) ++document.begin;
  if (document.begin < document.end && tokenizer.eos() && id_at(document.end - 1) == *tokenizer.eos()) --document.end;
  return document;
}

void EvalWindows::cut(TokenRange text) {
  EvalCut cut = cut_document(static_cast<int64_t>(text.end - text.begin), options_, prefix_.has_value());
  dropped_ += cut.dropped;
  dropped_ids_ += cut.dropped_ids;
  for (EvalWindow& window : cut.windows) {
    window.first += static_cast<int64_t>(text.begin);
    if (scored_in(window).empty())
      ++unscored_;
    else
      windows_.push_back(window);
  }
}

// The parts of a window that are scored, as indices of its ids.
std::vector<TokenRange> EvalWindows::scored_in(const EvalWindow& window) const {
  const int64_t from = window.first - window.prefix + window.scored_from;
  std::vector<TokenRange> ranges = source_->scored_in(from, window.ids() - window.scored_from);
  for (TokenRange& range : ranges) {
    range.begin += static_cast<uint64_t>(window.scored_from);
    range.end += static_cast<uint64_t>(window.scored_from);
  }
  return ranges;
}

std::vector<int32_t> EvalWindows::ids(const EvalWindow& window) const {
  std::vector<int32_t> ids(window.ids(), prefix_.value_or(0));
  source_->read(window.first, std::span(ids).last(window.length));
  return ids;
}

int64_t EvalWindows::tokens() const {
  int64_t sum = 0;
  for (const EvalWindow& window : windows_)
    for (const TokenRange& range : scored_in(window)) sum += static_cast<int64_t>(range.end - range.begin);
  return sum;
}

int64_t EvalWindows::bytes() const {
  int64_t sum = 0;
  for (const EvalWindow& window : windows_) {
    const std::vector<int32_t> all = ids(window);
    for (const TokenRange& range : scored_in(window))
      for (uint64_t i = range.begin; i < range.end; ++i) sum += id_bytes_[all[i]];
  }
  return sum;
}

Batch EvalWindows::batch(int64_t first, int64_t count) const {
  const int64_t rows = std::clamp<int64_t>(size() - first, 0, count);
  int64_t longest = 1;
  for (int64_t row = 0; row < rows; ++row) longest = std::max<int64_t>(longest, windows_[first + row].ids());
  Batch batch(rows, longest - 1, padding_);
  for (int64_t row = 0; row < rows; ++row) {
    const EvalWindow& window = windows_[first + row];
    batch.fill_row(row, ids(window), scored_in(window));
  }
  return batch;
}

int64_t EvalWindows::equal_length(int64_t first, int64_t most) const {
  int64_t count = 0;
  while (count < most && first + count < size() && windows_[first + count].ids() == windows_[first].ids()) ++count;
  return count;
}

EvalWindows EvalWindows::spread(int64_t n) const {
  EvalWindows chosen = *this;
  if (n >= size()) return chosen;
  chosen.windows_.clear();
  for (int64_t i = 0; i < n; ++i) chosen.windows_.push_back(windows_[(2 * i + 1) * size() / (2 * n)]);
  return chosen;
}

EvalWindows EvalWindows::by_length() const {
  EvalWindows sorted = *this;
  std::stable_sort(sorted.windows_.begin(), sorted.windows_.end(),
                   [](const EvalWindow& a, const EvalWindow& b) { return a.ids() > b.ids(); });
  return sorted;
}

}  // namespace detent
