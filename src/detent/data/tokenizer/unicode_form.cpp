// Unicode normalization forms and lower case, by utf8proc, as of the versions that Hugging Face's library has.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "detent/base/error.h"
#include "detent/data/tokenizer/normalizer.h"
#include "detent/data/tokenizer/unicode.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

constexpr char32_t kEnd = 0x110000;

// The library normalizes by Unicode 9 (crate unicode-normalization-alignments 0.1.12): characters that came later are
// left as they are, also where newer data orders, decomposes or composes them. Found by asking the library (0.23.3)
// for every code point of Unicode 16; tests/interop/tokenizer_ids.py asks again.
constexpr std::pair<char32_t, char32_t> kNewer[] = {
    {0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xA82C, 0xA82C},   {0xAB69, 0xAB69},   {0x105C9, 0x105C9},
    {0x105D2, 0x105D2}, {0x105DA, 0x105DA}, {0x105E4, 0x105E4}, {0x10781, 0x10785}, {0x10787, 0x107B0},
    {0x107B2, 0x107BA}, {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF},
    {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11383, 0x11383},
    {0x11385, 0x11385}, {0x1138E, 0x1138E}, {0x11391, 0x11391}, {0x113B8, 0x113B8}, {0x113BB, 0x113BB},
    {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113C9}, {0x113CE, 0x113D0}, {0x1145E, 0x1145E},
    {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943},
    {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42},
    {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x1611E, 0x16129}, {0x1612F, 0x1612F},
    {0x16D63, 0x16D63}, {0x16D67, 0x16D6A}, {0x16FF0, 0x16FF1}, {0x1CCD6, 0x1CCF9}, {0x1E030, 0x1E06D},
    {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF},
    {0x1E5EE, 0x1E5EF}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

using Codes = std::vector<utf8proc_int32_t>;

bool composes(NormalForm form) { return form == NormalForm::kNfc || form == NormalForm::kNfkc; }

utf8proc_option_t decomposition(NormalForm form) {
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
}

// text, valid UTF-8, in a form; marks in canonical order.
Codes normalized(std::string_view text, NormalForm form) {
  Codes codes(text.size() * 4 + 32);
  const auto decompose = [&] {
    return utf8proc_decompose(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                              static_cast<utf8proc_ssize_t>(text.size()), codes.data(),
                              static_cast<utf8proc_ssize_t>(codes.size()), decomposition(form));
  };
  utf8proc_ssize_t size = decompose();
  if (size > static_cast<utf8proc_ssize_t>(codes.size())) {
    codes.resize(size);
    size = decompose();
  }
  if (size >= 0 && composes(form))
    size = utf8proc_normalize_utf32(codes.data(), size,
                                    static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) fail_machine("utf8proc: {}", utf8proc_errmsg(size));
  codes.resize(size);
  return codes;
}

// Which code points a form may change, alone or beside others; all others stand as they are and part what they stand
// between.
std::vector<bool> affected_by(NormalForm form) {
  std::vector<bool> affected(kEnd);
  std::vector<bool> newer(kEnd);
  for (const auto& [first, last] : kNewer) std::fill(newer.begin() + first, newer.begin() + last + 1, true);
  for (char32_t code = 0x80; code < kEnd; ++code) {
    const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(code));
    const bool hangul = code >= 0xAC00 && code <= 0xD7A3;
    if (newer[code] || (code >= 0xD800 && code <= 0xDFFF)) continue;
    if (property->combining_class != 0) affected[code] = true;
    if (property->decomp_seqindex == UINT16_MAX && !hangul) continue;
    const std::string text = to_utf8(code);
    const Codes whole = normalized(text, form);
    if (whole.size() != 1 || whole[0] != static_cast<utf8proc_int32_t>(code)) affected[code] = true;
    if (!composes(form)) continue;
    // What follows the first may join a character before it.
    const Codes parts = normalized(text, NormalForm::kNfd);
    for (size_t i = 1; i < parts.size(); ++i) affected[parts[i]] = affected[parts[i]] || !newer[parts[i]];
  }
  return affected;
}

class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(NormalForm form)
      : form_(form), affected_(affected_by(form)), newer_(std::begin(kNewer), std::end(kNewer)) {}

  void run(TextBuffer& buffer) const override {
    const std::string_view text = buffer.piece.text;
    std::string& made = buffer.room();
    bool changed = false;
    size_t done = 0, previous = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t here = at;
      if (static_cast<uint8_t>(text[at]) < 0x80 || !affected_[next_code_point(text, at)]) {
        at = std::max(at, here + 1);
        previous = here;
        continue;
      }
      for (size_t next = at; next < text.size() && affected_[next_code_point(text, next)];) at = next;
      const size_t begin = joins(text, previous, here) ? previous : here;
      if (!changed) made.clear();
      changed = true;
      made += text.substr(done, begin - done);
      for (const utf8proc_int32_t code : normalized(text.substr(begin, at - begin), form_))
        append_utf8(made, static_cast<char32_t>(code));
      done = previous = at;
    }
    if (!changed) return;
    made += text.substr(done);
    buffer.use_room();
  }

  bool can_cut_before(char) const override { return true; }

 private:
  // Whether the character at previous, right before here, takes part in what the marks at here become.
  bool joins(std::string_view text, size_t previous, size_t here) const {
    if (previous >= here) return false;
    const char32_t code = next_code_point(text, previous);
    return std::none_of(newer_.begin(), newer_.end(),
                        [&](const auto& range) { return code >= range.first && code <= range.second; });
  }

  NormalForm form_;
  std::vector<bool> affected_;
  CodeRanges newer_;
};

// What Rust's char::to_lowercase (Unicode 17) has beyond utf8proc 2.8: distance from upper to lower case.
struct LowerRange {
  char32_t first, last;
  int distance;
};
constexpr LowerRange kLower[] = {{0x1C89, 0x1C89, 1},      {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
                                 {0xA7CC, 0xA7CC, 1},      {0xA7CE, 0xA7CE, 1},
                                 {0xA7D2, 0xA7D2, 1},      {0xA7D4, 0xA7D4, 1},
                                 {0xA7DA, 0xA7DA, 1},      {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
                                 {0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B}};

class Lowercase : public Normalizer {
 public:
  void run(TextBuffer& buffer) const override {
    std::string& made = buffer.room();
    made.clear();
    for (size_t at = 0; at < buffer.piece.text.size();) {
      const char32_t code = next_code_point(buffer.piece.text, at);
      if (code == 0x130)
        made += "i\u0307";  // the only one that becomes two
      else
        append_utf8(made, lower(code));
    }
    buffer.use_room();
  }
  bool can_cut_before(char) const override { return true; }

 private:
  static char32_t lower(char32_t code) {
    if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
    for (const auto& [first, last, distance] : kLower)
      if (code >= first && code <= last) return static_cast<char32_t>(static_cast<int>(code) + distance);
    return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code)));
  }
};

}  // namespace

std::unique_ptr<Normalizer> unicode_form(NormalForm form) { return std::make_unique<UnicodeForm>(form); }
std::unique_ptr<Normalizer> lowercase() { return std::make_unique<Lowercase>(); }

}  // namespace detent
