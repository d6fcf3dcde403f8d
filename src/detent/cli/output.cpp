#include <cstdio>

#include "detent/base/error.h"
#include "detent/cli/commands.h"

namespace detent::cli {

void print_json(const nlohmann::json& document) {
  fmt::print("{}\n", document.dump(2));
  if (std::fflush(stdout) != 0) fail_machine("cannot write the result to standard output");
}

}  // namespace detent::cli
