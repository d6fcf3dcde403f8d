#include "detent/data/eval_windows.h"

#include <algorithm>

#include "detent/base/error.h"

namespace detent {

namespace {

constexpr int64_t kChunk = 1 << 16;  // ids read at a time

std::shared_ptr<const Tokens> encode_documents(const std::vector<std::string>& documents, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (const std::string& document : documents) {
    const std::vector<int32_t> encoded = tokenizer.encode(document);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    ids.push_back(tokenizer.end_of_text());
  }
  return std::make_shared<TokensInMemory>(std::move(ids));
}

std::vector<int32_t> bytes_of_each_id(const Tokenizer& tokenizer) {
  std::vector<int32_t> bytes(tokenizer.vocab_size());
  for (int32_t id = 0; id < static_cast<int32_t>(bytes.size()); ++id)
    bytes[id] = static_cast<int32_t>(tokenizer.piece(id).size());
  return bytes;
}

}  // namespace

EvalWindows::EvalWindows(std::shared_ptr<const Tokens> shard, const Tokenizer& tokenizer, const EvalOptions& options)
    : source_(std::move(shard)),
      options_(options),
      bos_(tokenizer.bos()),
      padding_(tokenizer.end_of_text()),
      id_bytes_(bytes_of_each_id(tokenizer)) {
  check();
  read_documents(tokenizer.end_of_text());
}

EvalWindows::EvalWindows(const std::vector<std::string>& documents, const Tokenizer& tokenizer,
                         const EvalOptions& options)
    : EvalWindows(encode_documents(documents, tokenizer), tokenizer, options) {}

void EvalWindows::check() const {
  if (options_.context < 2 || options_.context > INT32_MAX)
    fail("[eval] a context of {} ids has nothing to predict; give at least 2", options_.context);
  if (options_.stride < 0 || options_.stride > text_ids())
    fail("[eval] a stride of {} ids skips text: it must be from 1 to {}, the ids of text in a window of {}",
         options_.stride, text_ids(), options_.context);
}

int64_t EvalWindows::text_ids() const { return options_.context - (bos_ ? 1 : 0); }

void EvalWindows::read_documents(int32_t end_of_text) {
  std::vector<int32_t> chunk;
  int64_t start = 0;
  for (int64_t first = 0; first < source_->size(); first += kChunk) {
    chunk.resize(std::min(kChunk, source_->size() - first));
    source_->read(first, chunk);
    for (int64_t i = 0; i < static_cast<int64_t>(chunk.size()); ++i) {
      const int32_t id = chunk[i];
      if (id < 0 || id >= static_cast<int64_t>(id_bytes_.size()))
        fail("[eval] the data holds token {} but the tokenizer has {}; tokenize it again", id, id_bytes_.size());
      text_bytes_ += id_bytes_[id];
      if (id != end_of_text) continue;
      cut(start, first + i - start);
      start = first + i + 1;
    }
  }
  if (start < source_->size()) cut(start, source_->size() - start);  // a shard that another program cut short
}

void EvalWindows::cut(int64_t first, int64_t length) {
  ++documents_;
  const int64_t step = options_.stride > 0 ? options_.stride : text_ids();
  const int64_t always_unscored = bos_ ? 0 : 1;
  for (int64_t start = 0, scored = 0; scored < length; start += step) {
    const int64_t end = std::min(start + text_ids(), length);
    if (end - start > always_unscored) {
      windows_.push_back({first + start, static_cast<int32_t>(end - start),
                          static_cast<int32_t>(std::max(scored - start, always_unscored))});
    } else {
      ++dropped_;
    }
    scored = end;
  }
}

std::vector<int32_t> EvalWindows::ids(const Window& window) const {
  std::vector<int32_t> ids(window.length + (bos_ ? 1 : 0), bos_.value_or(0));
  source_->read(window.first, std::span(ids).last(window.length));
  return ids;
}

int64_t EvalWindows::tokens() const {
  int64_t sum = 0;
  for (const Window& window : windows_) sum += window.length - window.scored_from;
  return sum;
}

int64_t EvalWindows::bytes() const {
  int64_t sum = 0;
  for (const Window& window : windows_) {
    const std::vector<int32_t> all = ids(window);
    for (const int32_t id : std::span(all).last(window.length - window.scored_from)) sum += id_bytes_[id];
  }
  return sum;
}

Batch EvalWindows::batch(int64_t first, int64_t count) const {
  const int64_t rows = std::clamp<int64_t>(size() - first, 0, count);
  int64_t longest = 0;
  for (int64_t row = 0; row < rows; ++row) longest = std::max<int64_t>(longest, windows_[first + row].length);
  const int64_t extra = bos_ ? 1 : 0;
  Batch batch(rows, std::max<int64_t>(longest + extra - 1, 0), padding_);
  for (int64_t row = 0; row < rows; ++row) {
    const Window& window = windows_[first + row];
    batch.fill_row(row, ids(window), window.scored_from + extra);
  }
  return batch;
}

EvalWindows EvalWindows::spread(int64_t n) const {
  EvalWindows chosen = *this;
  if (n >= size()) return chosen;
  chosen.windows_.clear();
  for (int64_t i = 0; i < n; ++i) chosen.windows_.push_back(windows_[(2 * i + 1) * size() / (2 * n)]);
  return chosen;
}

}  // namespace detent
