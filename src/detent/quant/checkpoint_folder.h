// What every reader of a run goes by: which of its checkpoints is the newest, and whether a checkpoint's files are
// those that were written.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace detent {

// Complete ones (step-NNNNNN with a state.json) of a run, oldest first. A folder under another name is not ours.
std::vector<std::filesystem::path> complete_checkpoints(const std::filesystem::path& run);
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& run);

// state.json with the SHA-256 of every file that is in the folder already, and of itself.
void write_state(const std::filesystem::path& folder, nlohmann::json state);
// state.json; fails, naming the file, when it or any file it lists is missing or not as it was written. `version` is
// looked at first: another one's checksums may mean something else.
nlohmann::json read_state(const std::filesystem::path& folder, int version);
// Only the files that state.json lists; nothing in a folder without one.
void check_files(const std::filesystem::path& folder);

}  // namespace detent
