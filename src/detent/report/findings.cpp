// A comparison as a table and as sentences (declared in comparison.h).
#include <algorithm>
#include <cmath>

#include "detent/base/error.h"
#include "detent/report/comparison.h"
#include "detent/report/text.h"

namespace detent::report {

namespace {

std::string with_deviation(const std::string& mean, const Sample& sample) {
  return sample.n < 2 ? mean : fmt::format("{} ± {:.4f}", mean, sample.deviation);
}

std::string loss_cell(const Sample& loss) {
  if (loss.n == 0) return kNoValue;
  return std::isfinite(loss.mean) ? with_deviation(fixed(loss.mean, 4), loss) : "diverged";
}

std::string difference_cell(const ArmRow& row) {
  if (row.role == Role::kBaseline) return "baseline";
  if (row.difference.n == 0) return kNoValue;
  if (!std::isfinite(row.difference.mean)) return "diverged";
  return with_deviation(signed_fixed(row.difference.mean, 4), row.difference) +
         fmt::format(" (n={})", row.difference.n);
}

std::string arm_cell(const ArmRow& row) {
  static constexpr const char* kRoles[] = {"control", "rounding", "baseline", ""};
  const std::string role = kRoles[static_cast<int>(row.role)];
  return row.name.find(role) == std::string::npos ? row.name + " (" + role + ")" : row.name;
}

std::string at_bits(const std::string& bits) { return "At " + bits_text(bits); }

// "binary", "binary and ternary", "a, b and c"
std::string list(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

std::string rounding_sentence(const Comparison& comparison, const std::string& bits) {
  const ArmRow *rounding = comparison.find(Role::kRounding, bits), *control = comparison.control();
  if (!rounding || !control || !std::isfinite(rounding->loss.mean - control->loss.mean)) return "";
  std::string out = fmt::format("{}, rounding after training costs {:.4f} nats ({:.4f} against {:.4f})", at_bits(bits),
                                rounding->loss.mean - control->loss.mean, rounding->loss.mean, control->loss.mean);
  const ArmRow* baseline = comparison.find(Role::kBaseline, bits);
  if (baseline && !std::isnan(baseline->recovered))
    out += fmt::format("; {} recovers {} of that", baseline->name, percent(baseline->recovered));
  return out + ".";
}

std::string best_sentence(const Comparison& comparison, const std::string& bits) {
  const ArmRow* best = nullptr;
  int trained = 0;
  for (const ArmRow& row : comparison.rows) {
    if (row.bits != bits || (row.role != Role::kArm && row.role != Role::kBaseline)) continue;
    ++trained;
    if (std::isfinite(row.loss.mean) && (!best || row.loss.mean < best->loss.mean)) best = &row;
  }
  if (!best || trained < 2) return "";
  const std::string share =
      std::isnan(best->recovered) ? "" : fmt::format(", {} of what rounding costs recovered", percent(best->recovered));
  return fmt::format("{}, the lowest mean loss of the {} trained arms is {}'s: {:.4f} nats{}.", at_bits(bits), trained,
                     best->name, best->loss.mean, share);
}

// Sorts the arms of one width by what the paired differences allow to say.
std::string difference_sentence(const Comparison& comparison, const std::string& bits) {
  const ArmRow* baseline = comparison.find(Role::kBaseline, bits);
  if (!baseline) return "";
  std::vector<std::string> better, worse, open, broken;
  for (const ArmRow& row : comparison.rows) {
    if (row.role != Role::kArm || row.bits != bits) continue;
    const Sample& d = row.difference;
    auto& bin = d.n == 0 || !std::isfinite(d.mean)                  ? broken
                : d.n < 2 || std::fabs(d.mean) <= d.half_interval() ? open
                : d.mean < 0                                        ? better
                                                                    : worse;
    bin.push_back(row.name);
  }
  std::string out;
  const auto add = [&](const std::vector<std::string>& names, const char* what) {
    if (!names.empty()) out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", what, list(names));
  };
  add(better, "better");
  add(worse, "worse");
  add(open, "not to be told apart");
  add(broken, "no result to compare");
  if (out.empty()) return "";
  return fmt::format("{}, against {} (95% intervals of the differences paired by seed, {} seeds) — {}.", at_bits(bits),
                     baseline->name, baseline->loss.n, out);
}

std::vector<std::string> widths(const Comparison& comparison) {
  std::vector<std::string> out;
  for (const ArmRow& row : comparison.rows)
    if (row.role != Role::kControl && std::find(out.begin(), out.end(), row.bits) == out.end()) out.push_back(row.bits);
  return out;
}

}  // namespace

Table comparison_table(const Comparison& comparison) {
  Table table;
  table.columns = {{"arm", false}, {"bits"},        {"seeds"},    {"validation loss"}, {"bits/byte"},
                   {"recovered"},  {"vs baseline"}, {"tokens/s"}, {"seconds"},         {"file"}};
  for (const ArmRow& row : comparison.rows) {
    table.rows.push_back({arm_cell(row), row.bits, std::to_string(row.loss.n), loss_cell(row.loss),
                          fixed(row.bits_per_byte, 4), percent(row.recovered), difference_cell(row),
                          count(row.tokens_per_second), fixed(row.seconds, 1), byte_size(row.file_bytes)});
    if (!row.notes.empty()) table.notes.push_back(fmt::format("{}: {}", row.label, fmt::join(row.notes, "; ")));
  }
  table.notes.push_back(
      "Validation loss in nats a token, mean over seeds ± standard deviation. Recovered: (rounding - arm) / (rounding "
      "- "
      "control), of the means. vs baseline: arm - baseline, mean ± standard deviation of the differences paired by "
      "seed; negative is better.");
  return table;
}

std::vector<std::string> findings(const Comparison& comparison) {
  std::vector<std::string> out;
  for (const std::string& bits : widths(comparison))
    for (const auto sentence : {rounding_sentence, best_sentence, difference_sentence})
      if (const std::string text = sentence(comparison, bits); !text.empty()) out.push_back(text);
  return out;
}

}  // namespace detent::report
