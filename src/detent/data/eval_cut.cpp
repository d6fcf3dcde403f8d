#include "detent/data/eval_cut.h"

#include <algorithm>

#include "detent/base/error.h"

namespace detent {

namespace {

EvalWindow window(int64_t first, int64_t end, int64_t scored_from, bool prefix) {
  return {first, static_cast<int32_t>(end - first), static_cast<int32_t>(scored_from), prefix};
}

EvalCut cut_windows(int64_t length, const EvalOptions& options, bool bos) {
  EvalCut cut;
  const int64_t text = options.context - bos, step = options.stride > 0 ? options.stride : text;
  for (int64_t start = 0, scored = 0; scored < length; start += step) {
    const int64_t end = std::min(start + text, length), from = std::max<int64_t>(scored - start + bos, 1);
    if (end - start + bos > 1) {
      cut.windows.push_back(window(start, end, from, bos));
    } else {
      ++cut.dropped;
      ++cut.dropped_ids;
    }
    scored = end;
  }
  return cut;
}

EvalCut cut_gptq(int64_t length, const EvalOptions& options, bool bos) {
  EvalCut cut;
  int64_t start = 0;
  for (bool prefix = bos; start + options.context - prefix <= length; prefix = false) {
    const int64_t end = start + options.context - prefix;
    cut.windows.push_back(window(start, end, 1, prefix));
    start = end;
  }
  cut.dropped = start < length;
  cut.dropped_ids = length - start;
  return cut;
}

EvalCut cut_rolling(int64_t length, const EvalOptions& options) {
  EvalCut cut;
  const int64_t first = std::min(options.context, length);
  if (first > 0) cut.windows.push_back(window(0, first, 1, true));
  for (int64_t done = first; done < length;) {
    const int64_t end = std::min(done + options.context, length), start = end - options.context - 1;
    cut.windows.push_back(window(start, end, done - start, false));
    done = end;
  }
  return cut;
}

}  // namespace

Convention parse_convention(const std::string& name) {
  if (name == "windows") return Convention::kWindows;
  if (name == "gptq") return Convention::kGptq;
  if (name == "lm-eval") return Convention::kRolling;
  fail("--convention: '{}' is not known; known: {}", name, fmt::join(kConventions, ", "));
}

void check_eval_options(const EvalOptions& options, bool bos) {
  if (options.context < 2 || options.context > INT32_MAX)
    fail("[eval] a context of {} ids has nothing to predict; give at least 2", options.context);
  if (options.convention != Convention::kWindows && options.stride != 0)
    fail("[eval] a stride has no effect on this convention, which says how windows follow each other; drop it");
  const int64_t text = options.context - bos;
  if (options.stride < 0 || options.stride > text)
    fail("[eval] a stride of {} ids skips text: it must be from 1 to {}, the ids of text in a window of {}",
         options.stride, text, options.context);
}

EvalCut cut_document(int64_t length, const EvalOptions& options, bool bos) {
  if (options.convention == Convention::kGptq) return cut_gptq(length, options, bos);
  if (options.convention == Convention::kRolling) return cut_rolling(length, options);
  return cut_windows(length, options, bos);
}

}  // namespace detent
