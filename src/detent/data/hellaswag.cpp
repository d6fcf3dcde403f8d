#include "detent/data/hellaswag.h"

#include <utf8proc.h>

#include "detent/data/whitespace.h"

namespace detent {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// re.sub(r"\[.*?\]", "", text): from a bracket to the nearest closing one on its line.
void drop_brackets(std::string& text) {
  for (size_t open = text.find('['); open != text.npos; open = text.find('[', open)) {
    const size_t close = text.find_first_of("]\n", open);
    if (close != text.npos && text[close] == ']')
      text.erase(open, close - open + 1);
    else
      ++open;
  }
}

}  // namespace

std::string hellaswag_text(std::string_view text) {
  std::string result(strip(text));
  replace_all(result, " [title]", ". ");
  drop_brackets(result);
  replace_all(result, "  ", " ");
  return result;
}

std::string capitalized(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t character = 0;
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at;
    const auto length = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    if (length <= 0) {  // no character: stays as it is
      result += text[at++];
      continue;
    }
    utf8proc_uint8_t changed[4];
    const auto size =
        utf8proc_encode_char(at == 0 ? utf8proc_totitle(character) : utf8proc_tolower(character), changed);
    result.append(reinterpret_cast<const char*>(changed), static_cast<size_t>(size));
    at += static_cast<size_t>(length);
  }
  return result;
}

}  // namespace detent
