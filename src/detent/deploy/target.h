// Export targets: what a trained model can be written as, one file a family.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "detent/format/target_rules.h"
#include "detent/quant/shipped.h"

namespace detent {

struct ExportRow {
  std::string name, type;  // Hugging Face name; type as the file names it
  uint64_t bytes = 0;
};
struct ExportReport {
  std::string target, path;
  std::vector<ExportRow> tensors;
  int64_t parameters = 0;
  uint64_t file_bytes = 0;         // of the weights' file
  std::vector<std::string> notes;  // what the file does not hold, one sentence each

  double bits_per_weight() const { return 8.0 * static_cast<double>(file_bytes) / static_cast<double>(parameters); }
};
nlohmann::json to_json(const ExportReport& report);
std::string to_text(const ExportReport& report);

// What a target asks of a grid is in format/target_rules.h; this is how it is written.
class ExportTarget {
 public:
  explicit ExportTarget(const TargetRules& rules) : rules_(rules) {}
  virtual ~ExportTarget() = default;
  const TargetRules& rules() const { return rules_; }
  const std::string& name() const { return rules_.name(); }
  // Whether these values, whatever grid they came from, can be written as a weight bit for bit.
  virtual bool holds(const at::Tensor& value) const = 0;
  // Writes the file or folder, complete or not at all. Model and target fit: export_model has checked every spec.
  virtual ExportReport write(const ShippedModel& model, const std::string& path) const = 0;

 private:
  const TargetRules& rules_;
};

const std::vector<std::unique_ptr<const ExportTarget>>& export_targets();
const ExportTarget& find_export_target(const std::string& name);  // fails naming the nearest

// Why the target cannot hold the model, naming the first tensor, the nearest spec and the targets that accept it as it
// is; nothing when it can.
std::optional<std::string> export_refusal(const ExportTarget& target, const ShippedModel& model);
// Checks, then writes; the report's notes say what was left out (activation quantization).
ExportReport export_model(const ShippedModel& model, const ExportTarget& target, const std::string& path);

// The model with every projection rounded to the target's preferred spec without training, for comparison, but those
// that an entry of `skip` names (base/tensor_name.h). Fails when the target has no such spec, rows do not fit it, or a
// skip names none.
ShippedModel round_to_target(const ShippedModel& model, const ExportTarget& target,
                             const std::vector<std::string>& skip = {});

}  // namespace detent
