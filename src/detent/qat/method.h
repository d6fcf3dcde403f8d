// Methods: one file each in qat/methods, found by a table that the build generates from the file names. The file's name
// is the name in the configuration. A surrogate says where a quantizer's gradient passes; everything else about it -
// the forward, the kernels, the contract tests - is shared.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "detent/base/options.h"
#include "detent/format/spec.h"
#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/qat/options.h"

namespace detent {

class SurrogateMethod {
 public:
  virtual ~SurrogateMethod() = default;
  // Fails, naming the way out, when the method does not go with this grid or scale rule.
  virtual void check(const QuantSpec& spec) const = 0;
  // Where the gradient passes, in units of the scale (kernels/fake_quant/fake_quant.h).
  virtual kernels::Surrogate surrogate(const QuantSpec& spec) const = 0;
  // Learned scales only. A parameter s stands for the scale s / learned_unit.
  virtual float learned_unit(const Grid&) const { return 1; }
  // The rule that learned scales start from unless the configuration names one.
  virtual ScaleRule initial_rule(const Grid&) const { return ScaleRule::kAbsmax; }
  // The raw parameter a learned scale starts from, [rows, groups].
  virtual at::Tensor initial_parameter(const at::Tensor& x, const QuantSpec& spec, ScaleRule rule) const;
  // The gradient of a learned parameter is multiplied by this; LSQ's 1 / sqrt(numel * Qp).
  virtual double scale_gradient_factor(int64_t numel, const Grid& grid) const;
};

enum class MethodKind { kSurrogate, kOptimizerTerm, kNoiseAndReset, kBlend };

struct MethodEntry {
  MethodKind kind;
  const char* summary;
  const char* source;   // paper and equation
  const char* accepts;  // grids and scale rules, in words
  std::vector<OptionRow> (*options)();
  std::unique_ptr<SurrogateMethod> (*make)(const Node& options);  // null unless a surrogate
};

struct NamedMethod {
  std::string name;
  const MethodEntry* entry;
};
const std::vector<NamedMethod>& all_methods();  // generated from the names of qat/methods/*.cpp, sorted
std::unique_ptr<SurrogateMethod> make_surrogate(const std::string& name, const Node& options);
std::vector<std::string> kind_names(MethodKind kind);  // more than one where a block does several things

// For methods/<name>.cpp: an entry from a class with a nested Options struct and a constructor from it.
template <class Method>
std::unique_ptr<SurrogateMethod> make_from_options(const Node& node) {
  typename Method::Options options;
  if (node.kind != Node::Kind::kNull) read_options(node, options, "surrogate_options.");
  return std::make_unique<Method>(options);
}
template <class Options>
std::vector<OptionRow> option_rows() {
  Options options;
  return options_table(options);
}
struct NoOptions {
  template <class V>
  void visit(V&) {}
};

}  // namespace detent
