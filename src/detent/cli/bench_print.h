// What `detent bench` measured, as JSON and as tables.
#pragma once
#include <string>
#include <vector>

#include "detent/base/json.h"
#include "detent/kernels/harness/bench.h"
#include "detent/train/step_bench.h"

namespace detent::cli {

nlohmann::json row_json(const kernels::BenchRow& row);
nlohmann::json row_json(const StepBenchRow& row);
nlohmann::json row_json(const ScalingRow& row);

void print_rows(const std::vector<kernels::BenchRow>& rows, const char* title);
void print_rows(const std::vector<StepBenchRow>& rows);
void print_rows(const std::vector<ScalingRow>& rows);

// Seconds over size, both logarithmic, as an SVG file.
void plot_scaling(const std::vector<ScalingRow>& rows, const std::string& path);

}  // namespace detent::cli
