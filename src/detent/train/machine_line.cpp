#include "detent/train/machine_line.h"

#include <ATen/Parallel.h>

#include "detent/base/error.h"
#include "detent/base/progress.h"
#include "detent/train/device.h"
#include "detent/train/speed_of_light.h"

namespace detent {

namespace {

bool gpu_not_used(const Session& session) {
  return session.config.train.device == "auto" && session.device.is_cpu() && !find_cuda().name.empty();
}

}  // namespace

MachineLine machine_line(Session& session, int64_t step) {
  MachineLine made;
  made.line = {
      {"kind", "machine"}, {"step", step}, {"device", device_name(session.device)}, {"threads", at::get_num_threads()}};
  if (gpu_not_used(session)) made.line["gpu_not_used"] = find_cuda().missing;
  const StepWork work = step_work(session.model->config(), session.model->slots(), session.quantized,
                                  session.optimizer->parameters(), session.config, session.device.is_cpu());
  const Peaks peaks = peaks_for(work, session.device);
  made.least_seconds = least_seconds(work, peaks);
  made.line["least_step_seconds"] = made.least_seconds;
  made.line["float_operations_per_second"] = peaks.floats;
  if (work.integer_products > 0) made.line["integer_operations_per_second"] = peaks.integers;
  made.line["bytes_per_second"] = peaks.bytes;
  return made;
}

void print_machine(const Session& session, int64_t step, const std::string& begun_on) {
  fmt::print(stderr, "training on {}, {}\n", device_name(session.device),
             format_items(at::get_num_threads(), "thread"));
  if (gpu_not_used(session))
    fmt::print(stderr, "the GPU {} is not used: {}; {}\n", find_cuda().name, find_cuda().missing, find_cuda().fix);
  if (!begun_on.empty() && begun_on != session.device.str())
    fmt::print(stderr,
               "steps 1 to {} were on {}: this run will not end with the same bytes as one on a single device\n", step,
               begun_on);
}

}  // namespace detent
