// The table of arms: what each way of training comes to, against three yardsticks - the full-precision control,
// rounding after training, and the plain straight-through arm. Every arm that was named is shown, also one that lost or
// broke.
//
// arms.json, written by the demo or the study, is a list:
//   [{"name": "cage", "run": "runs/cage-s0", "seed": 0, "bits": 2, "role": "arm", "file_bytes": 91234, "note": ""},
//   ...]
// role: control | rounding | baseline | arm. "run" is relative to the file. An entry without a run (rounding needs
// none) brings its "validation_loss" and, if known, "bits_per_byte"; where both are given, the entry's value counts.
// "bits" is a number or a text such as "W4A4": arms are measured against the rounding and the baseline with the same
// bits.
#pragma once
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "detent/report/run_log.h"
#include "detent/report/statistics.h"
#include "detent/report/table.h"

namespace detent::report {

enum class Role { kControl, kRounding, kBaseline, kArm };

// One training run of one arm.
struct ArmRun {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  std::string name, bits, note;
  Role role = Role::kArm;
  long seed = 0;
  std::optional<RunLog> log;
  std::optional<double> validation_loss;  // nats; absent: there is no result. NaN: the run diverged
  double bits_per_byte = kUnknown, tokens_per_second = kUnknown, seconds = kUnknown, file_bytes = kUnknown;
};

// One arm over its seeds.
struct ArmRow {
  std::string name, bits, label;  // label: the name, with the bits where another arm has the same name
  Role role = Role::kArm;
  BySeed losses;
  Sample loss;
  double bits_per_byte = ArmRun::kUnknown;
  double recovered = ArmRun::kUnknown;  // (rounding - arm) / (rounding - control), of means over seeds
  Sample difference{};                  // arm - baseline, paired by seed; n = 0 where there is no baseline
  double tokens_per_second = ArmRun::kUnknown, seconds = ArmRun::kUnknown, file_bytes = ArmRun::kUnknown;
  std::vector<std::string> notes;
};

struct Comparison {
  std::string source;  // the file it came from
  std::vector<ArmRun> runs;
  std::vector<ArmRow> rows;  // in the order the arms were first named

  size_t place_of(const ArmRun& run) const;  // index of its row
  const ArmRow* control() const;
  const ArmRow* find(Role role, const std::string& bits) const;
};

// Runs with the same name and bits are the seeds of one arm. Fails on a seed with two results, on an arm whose role
// changes, on two yardsticks of one kind for the same bits.
Comparison compare(std::vector<ArmRun> runs);
// A run that cannot be read becomes a row with the reason as its note.
Comparison load_comparison(const std::string& arms_json);

std::string bits_text(const std::string& bits);  // "4 bits", "1 bit", "W4A4"
Table comparison_table(const Comparison& comparison);
// What the table says in sentences: the cost of rounding, what the baseline wins back, which arms differ from it.
std::vector<std::string> findings(const Comparison& comparison);

}  // namespace detent::report
