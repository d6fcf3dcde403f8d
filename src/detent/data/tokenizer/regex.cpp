#include "detent/data/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer/pattern.h"

namespace detent {

namespace {

constexpr size_t kFirstStack = 32 << 10, kLargestStack = 8 << 20;

// What a thread needs to match; no pattern has groups to remember.
struct Workspace {
  pcre2_match_data* match = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(kFirstStack, kLargestStack, nullptr);

  Workspace() {
    if (!match || !context) throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Workspace() {
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

Workspace& workspace() {
  thread_local Workspace mine;
  return mine;
}

std::string message(int code) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

pcre2_code* compile(std::string_view pattern, std::string_view source) {
  const std::string translated = to_pcre2(pattern, source);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (!code) fail("{}: the pattern {} cannot be used: {}", source, in_quotes(pattern), message(error));
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where it cannot, PCRE2 interprets
  return code;
}

}  // namespace

Regex::Regex(std::string_view pattern, std::string_view source)
    : pattern_(pattern), source_(source), code_(compile(pattern, source), pcre2_code_free) {}

Regex::~Regex() = default;

std::optional<Match> Regex::find(std::string_view text, size_t from) const {
  Workspace& mine = workspace();
  const auto run = [&](uint32_t options) {
    return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       options | PCRE2_NO_UTF_CHECK, mine.match, mine.context);
  };
  int result = run(0);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
  if (result == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (result < 0)
    fail("{}: the pattern {} gave up on a text of {} bytes: {}", source_, in_quotes(pattern_), text.size(),
         message(result));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(mine.match);
  return Match{ends[0], ends[1]};
}

}  // namespace detent
