#include "detent/report/comparison.h"

#include <algorithm>
#include <cmath>

#include "detent/base/error.h"
#include "detent/report/text.h"

namespace detent::report {

namespace {

bool same_arm(const ArmRow& row, const ArmRun& run) { return row.name == run.name && row.bits == run.bits; }

void check_run(const ArmRow& row, const ArmRun& run) {
  if (row.role != run.role)
    fail("arm '{}' at {} bits appears with two roles; one arm has one: rename one of them", run.name, run.bits);
  if (run.validation_loss && row.losses.count(run.seed))
    fail("arm '{}' at {} bits has two results for seed {}; keep one", run.name, run.bits, run.seed);
}

ArmRow& row_of(const ArmRun& run, std::vector<ArmRow>& rows) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const ArmRow& row) { return same_arm(row, run); });
  if (found != rows.end()) return *found;
  ArmRow row;
  row.name = row.label = run.name;
  row.bits = run.bits;
  row.role = run.role;
  rows.push_back(row);
  return rows.back();
}

void tell_names_apart(std::vector<ArmRow>& rows) {
  for (ArmRow& row : rows) {
    const auto same_name = [&](const ArmRow& other) { return other.name == row.name; };
    if (std::count_if(rows.begin(), rows.end(), same_name) > 1) row.label = row.name + ", " + bits_text(row.bits);
  }
}

void add_note(const std::string& note, std::vector<std::string>& notes) {
  if (!note.empty() && std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
}

void add_run(const ArmRun& run, ArmRow& row) {
  add_note(run.note, row.notes);
  if (run.log && !run.log->finished())
    add_note(fmt::format("seed {} unfinished at step {}", run.seed, run.log->last_step), row.notes);
  if (!run.validation_loss) return add_note(fmt::format("seed {} has no result", run.seed), row.notes);
  if (!std::isfinite(*run.validation_loss)) add_note(fmt::format("seed {} diverged", run.seed), row.notes);
  row.losses[run.seed] = *run.validation_loss;
}

// The mean of a property over the runs that have it.
double mean_of(const std::vector<ArmRun>& runs, const ArmRow& arm, double ArmRun::*property) {
  std::vector<double> values;
  for (const ArmRun& run : runs)
    if (same_arm(arm, run) && !std::isnan(run.*property)) values.push_back(run.*property);
  return describe(values).mean;
}

void check_one_yardstick(const std::vector<ArmRow>& rows) {
  for (const ArmRow& a : rows)
    for (const ArmRow& b : rows) {
      if (&a == &b || a.role != b.role || a.role == Role::kArm) continue;
      if (a.role == Role::kControl || a.bits == b.bits)
        fail(
            "arms '{}' and '{}' have the same role at {} bits, so it is open which one the others are measured "
            "against; give one of them the role \"arm\"",
            a.name, b.name, a.bits);
    }
}

double recovered_share(const ArmRow& row, const ArmRow* rounding, const ArmRow* control) {
  if (row.role == Role::kControl) return ArmRun::kUnknown;
  if (!rounding || !control) return ArmRun::kUnknown;
  const double cost = rounding->loss.mean - control->loss.mean;
  return cost > 0 ? (rounding->loss.mean - row.loss.mean) / cost : ArmRun::kUnknown;
}

}  // namespace

size_t Comparison::place_of(const ArmRun& run) const {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const ArmRow& row) { return same_arm(row, run); });
  return static_cast<size_t>(found - rows.begin());
}

std::string bits_text(const std::string& bits) {
  const bool numeric = !bits.empty() && bits.find_first_not_of("0123456789.") == std::string::npos;
  return !numeric ? bits : bits == "1" ? "1 bit" : bits + " bits";
}

const ArmRow* Comparison::control() const {
  for (const ArmRow& row : rows)
    if (row.role == Role::kControl) return &row;
  return nullptr;
}

const ArmRow* Comparison::find(Role role, const std::string& bits) const {
  for (const ArmRow& row : rows)
    if (row.role == role && row.bits == bits) return &row;
  return nullptr;
}

Comparison compare(std::vector<ArmRun> runs) {
  Comparison out;
  out.runs = std::move(runs);
  for (const ArmRun& run : out.runs) {
    ArmRow& row = row_of(run, out.rows);
    check_run(row, run);
    add_run(run, row);
  }
  check_one_yardstick(out.rows);
  tell_names_apart(out.rows);
  for (ArmRow& row : out.rows) {
    row.loss = describe(values_of(row.losses));
    row.bits_per_byte = mean_of(out.runs, row, &ArmRun::bits_per_byte);
    row.tokens_per_second = mean_of(out.runs, row, &ArmRun::tokens_per_second);
    row.seconds = mean_of(out.runs, row, &ArmRun::seconds);
    row.file_bytes = mean_of(out.runs, row, &ArmRun::file_bytes);
  }
  for (ArmRow& row : out.rows) {
    row.recovered = recovered_share(row, out.find(Role::kRounding, row.bits), out.control());
    const ArmRow* baseline = out.find(Role::kBaseline, row.bits);
    if (baseline && baseline != &row) row.difference = describe(paired_differences(row.losses, baseline->losses));
  }
  return out;
}

}  // namespace detent::report
