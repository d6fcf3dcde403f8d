// The data of a run: batches to train on and windows to validate on.
#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "detent/data/eval_windows.h"
#include "detent/data/loader.h"
#include "detent/train/config.h"

namespace detent {

struct RunData {
  std::unique_ptr<Loader> loader;  // null when train.steps is 0
  std::unique_ptr<EvalWindows> validation;
  std::string digest;  // SHA-256 over all ids, ends of documents and scored ranges
};
// Whether token shards that are missing in the cache beside config.output are built there, or the text is read into
// memory and nothing written.
enum class Cache { kBuilt, kReadOnly };
// quiet: no progress.
RunData open_run_data(const TrainConfig& config, const Tokenizer& tokenizer, bool quiet, Cache use);

// What the training data comes to.
struct DataSummary {
  PackingCounts counts;
  int64_t windows = 0;
};
// Whether there is more to say of the data than its windows: documents are packed, or only answers are learned.
bool is_packed(const DataOptions& options);
nlohmann::json to_json(const DataSummary& summary);
std::string to_text(const DataSummary& summary, const DataOptions& options);

}  // namespace detent
