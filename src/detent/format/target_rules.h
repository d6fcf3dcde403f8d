// What each export target asks of a weight's quantizer. One table behind `quant.target`, `detent methods --targets` and
// the writers of deploy, so that a run that cannot be shipped is refused before it trains.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detent/format/spec.h"

namespace detent {

class TargetRules {
 public:
  TargetRules(std::string name, std::string summary) : name_(std::move(name)), summary_(std::move(summary)) {}
  virtual ~TargetRules() = default;
  const std::string& name() const { return name_; }  // "gguf:q4_0"
  const std::string& summary() const { return summary_; }

  // Why a weight on this grid, in rows of so many columns (0: any), cannot be written bit for bit; nothing when it can.
  virtual std::optional<std::string> refusal(const QuantSpec& spec, int64_t columns) const = 0;
  // The accepted spec that changes the least; nothing when no spec of this weight is.
  virtual std::optional<QuantSpec> nearest(const QuantSpec& spec, int64_t columns) const = 0;
  // The same of a layer's input. Formats that keep no word about inputs leave them to the program that loads the file.
  virtual std::optional<std::string> input_refusal(const QuantSpec&) const { return std::nullopt; }
  virtual bool keeps_inputs() const { return false; }
  // What training for this target, and rounding without training, uses unless told otherwise; nothing for targets that
  // suggest no grid.
  virtual std::optional<QuantSpec> preferred() const { return std::nullopt; }
  // What everything else is stored as unless told otherwise: a value of `quant.unquantized`.
  virtual std::string unquantized() const { return "f32"; }

 private:
  std::string name_, summary_;
};

const std::vector<std::unique_ptr<const TargetRules>>& target_rules();
const TargetRules& find_target_rules(const std::string& name);  // fails naming the nearest

// "gguf:q4_0 cannot hold NAME (int4 absmax row) exactly: ...; the nearest accepted is: ..."; nothing when it can.
std::optional<std::string> refusal_text(const TargetRules& rules, const std::string& tensor, const QuantSpec& spec,
                                        int64_t columns);

// The families, in the order of the table.
void add_gguf_rules(std::vector<std::unique_ptr<const TargetRules>>& table);
void add_packed_rules(std::vector<std::unique_ptr<const TargetRules>>& table);
void add_dense_rules(std::vector<std::unique_ptr<const TargetRules>>& table);

}  // namespace detent
