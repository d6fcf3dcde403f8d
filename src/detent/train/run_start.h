// What stands between a configuration and the first step of a run: its folder, and whether it may be gone on with.
#pragma once
#include <filesystem>
#include <optional>

#include "detent/train/checkpoint.h"
#include "detent/train/config.h"
#include "detent/train/run_data.h"

namespace detent {

// Fails when the folder holds a run.
void check_fresh(const std::filesystem::path& run);
// Fails when it holds none to go on with.
void check_begun(const std::filesystem::path& run);
// The newest checkpoint's content, if there is one. Fails, naming the keys, when config would compute something else.
std::optional<CheckpointContent> load_to_resume(const TrainConfig& config,
                                                const std::optional<std::filesystem::path>& newest);

// Fails as train() would before its first step, and writes nothing. Returns what the training data comes to; nothing of
// it where train.steps is 0. quiet: no progress.
DataSummary check_start(const TrainConfig& config, bool resume, bool quiet);

}  // namespace detent
