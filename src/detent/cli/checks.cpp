#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>

#include "detent/base/error.h"
#include "detent/cli/commands.h"
#include "detent/data/corpus_files.h"

namespace detent::cli {

void refuse_given(const CLI::App& app, const std::vector<std::string>& names, const std::string& reason) {
  std::vector<std::string> given;
  for (const std::string& name : names)
    if (app.get_option(name)->count() > 0) given.push_back(name);
  if (!given.empty()) fail("{} {} no effect: {}", fmt::join(given, " and "), given.size() > 1 ? "have" : "has", reason);
}

void check_text_options(const CLI::App& app, const std::vector<std::string>& files) {
  const FileKinds kinds = kinds_of(expand_paths(files));
  if (!kinds.lines) refuse_given(app, {"--field"}, "none of the files is .jsonl; drop it");
  if (!kinds.text) refuse_given(app, {"--separator"}, "none of the files is .txt; drop it");
}

std::string finite(const std::string& text) {
  return std::isfinite(std::strtod(text.c_str(), nullptr)) ? "" : "Value " + text + " is not a finite number";
}

}  // namespace detent::cli
