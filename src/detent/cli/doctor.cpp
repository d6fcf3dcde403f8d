#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <thread>

#include "detent/base/error.h"
#include "detent/base/machine.h"
#include "detent/base/progress.h"
#include "detent/cli/commands.h"
#include "detent/kernels/harness/dispatch.h"
#include "detent/train/device.h"

namespace detent::cli {

namespace {

struct Check {
  std::string name;
  bool ok;
  std::string detail, fix;
};

Check disk_check() {
  std::error_code error;
  const auto space = std::filesystem::space(".", error);
  const double free = error ? 0 : static_cast<double>(space.available);
  return {"disk", free > 1e9, format_bytes(free) + " free here",
          "free some space: checkpoints hold three copies of the weights"};
}

// A machine without a GPU lacks nothing.
Check device_check() {
  const Cuda& cuda = find_cuda();
  if (!cuda.usable) return {"device", true, "cpu; " + cuda.missing, ""};
  return {"device", true,
          fmt::format("{}, {}; this version has not been tested on a GPU", device_name(training_device("auto")),
                      format_bytes(cuda.memory_bytes)),
          ""};
}

std::vector<Check> checks() {
  const std::string target = kernels::dispatch_target();
  const bool simd = target != "EMU128" && target != "SCALAR" && target != "SSE2";
  return {
      {"cpu", simd, fmt::format("kernels use {}; matrix products use {}", target, at::get_cpu_capability()),
       "kernels run without SIMD on this processor: expect a tenth of the speed"},
      {"threads", at::get_num_threads() >= 1,
       fmt::format("{} of {} cores", at::get_num_threads(), std::thread::hardware_concurrency()), "set train.threads"},
      {"torch", std::string(TORCH_VERSION) == "2.11.0", TORCH_VERSION,
       "./run build installs the version that is tested"},
      device_check(),
      {"memory", memory_bytes() > 2e9, format_bytes(memory_bytes()),
       "training needs about 0.3 GB plus 16 bytes a parameter"},
      disk_check()};
}

}  // namespace

Action add_doctor(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("--json", *json, "print JSON");
  app.footer("Example:\n  detent doctor");
  return [json] {
    bool ok = true;
    nlohmann::json rows = nlohmann::json::array();
    for (const Check& check : checks()) {
      ok = ok && check.ok;
      rows.push_back(
          {{"name", check.name}, {"ok", check.ok}, {"detail", check.detail}, {"fix", check.ok ? "" : check.fix}});
      if (!*json)
        fmt::print("{} {:<8} {}{}\n", check.ok ? "ok     " : "PROBLEM", check.name, check.detail,
                   check.ok ? "" : "; " + check.fix);
    }
    if (*json) print_json({{"ok", ok}, {"checks", rows}});
    return ok ? 0 : static_cast<int>(ExitCode::kNo);
  };
}

}  // namespace detent::cli
