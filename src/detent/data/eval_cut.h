// Which ids are scored, and after how much context, when a document is evaluated: three conventions.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace detent {

enum class Convention {
  kWindows,  // windows of `context` ids; with a BOS, that id and context - 1 ids of text, all scored; without, context
             // ids of text whose first is not. A window scores the ids that no earlier one held.
  kGptq,     // one BOS before the text where there is one, then windows of `context` ids, the first id of each not
             // scored, what is left at the end dropped (Frantar et al. 2022, GPTQ, and the code that followed it)
  kRolling,  // lm-evaluation-harness, loglikelihood_rolling: all ids are scored, `context` a window, each window after
             // the one id before it, the first after a BOS (or the end of text), the last after as many as fit
};
Convention parse_convention(const std::string& name);  // windows, gptq or lm-eval
inline const std::vector<std::string> kConventions = {"windows", "gptq", "lm-eval"};

struct EvalOptions {
  int64_t context = 256;  // ids of a window, a BOS included; kRolling: ids that the model reads
  int64_t stride = 0;     // kWindows: ids from window to window; 0: windows do not overlap
  Convention convention = Convention::kWindows;
};

// The prefix id, if any, then `length` ids of the document from `first` on; scored are those from index scored_from on,
// the prefix counted.
struct EvalWindow {
  int64_t first = 0;
  int32_t length = 0, scored_from = 1;
  bool prefix = false;
  int32_t ids() const { return length + prefix; }
  bool operator==(const EvalWindow&) const = default;
};

struct EvalCut {
  std::vector<EvalWindow> windows;
  int64_t dropped = 0;      // windows that can score nothing (kWindows), or are not full (kGptq)
  int64_t dropped_ids = 0;  // ids of text in them
};

// Fails on a context or stride that cannot be. bos: whether the model has one.
void check_eval_options(const EvalOptions& options, bool bos);
// The windows of a document of `length` ids.
EvalCut cut_document(int64_t length, const EvalOptions& options, bool bos);

}  // namespace detent
