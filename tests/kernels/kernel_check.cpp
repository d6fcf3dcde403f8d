// kernel_check perf [--quick] | support: the kernels' speed and where they run. Agreement with the references and the
// gradient checks are tests: test_kernels.
#include <fmt/format.h>

#include <cstring>

#include "detent/kernels/harness/bench.h"

namespace {
int print_speed(bool quick) {
  fmt::print("instruction set {}\n{:<44} {:>10} {:>8} {:>8} {:>7} {:>10}\n", detent::kernels::dispatch_target(),
             "kernel", "shape", "ms", "copies", "GB/s", "x baseline");
  for (const detent::kernels::BenchRow& row : detent::kernels::bench_kernels(
           quick, quick ? detent::kernels::BenchSize{64, 512} : detent::kernels::BenchSize{}))
    fmt::print("{:<44} {:>10} {:>8.3f} {:>8.2f} {:>7.1f} {:>10.1f}\n", row.name, row.shape, row.seconds * 1e3,
               row.copies, row.gb_per_s, row.ratio);
  return 0;
}

int print_support() {
  for (const detent::kernels::DispatchTarget& target : detent::kernels::dispatch_targets())
    fmt::print("{}{}\n", target.name, target.name == detent::kernels::dispatch_target() ? "  (in use)" : "");
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "perf") return print_speed(argc > 2 && std::strcmp(argv[2], "--quick") == 0);
  if (mode == "support") return print_support();
  fmt::print(stderr, "usage: kernel_check perf [--quick] | support\n");
  return 2;
}
