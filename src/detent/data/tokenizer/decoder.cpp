#include "detent/data/tokenizer/decoder.h"

#include <cstdlib>

#include "detent/base/error.h"
#include "detent/data/tokenizer/byte_spelling.h"

namespace detent {

namespace {

constexpr size_t kMostBytes = size_t{1} << 30;

std::string replaced(std::string_view text, std::string_view pattern, std::string_view content) {
  std::string result;
  for (size_t from = 0;;) {
    const size_t at = text.find(pattern, from);
    result += text.substr(from, at - from);
    if (at == text.npos) return result;
    result += content;
    if (result.size() > kMostBytes) fail("the tokenizer's decoder makes a text of more than {} bytes", kMostBytes);
    from = at + pattern.size();
  }
}

std::string joined(const std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

// The byte of a token such as "<0x0A>"; -1 for any other. The library reads the digits with from_str_radix, which takes
// both cases and a plus sign.
int fallback_byte(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const bool sign = token[3] == '+';
  int byte = 0;
  for (size_t i = sign ? 4 : 3; i < 5; ++i) {
    if (!std::isxdigit(static_cast<unsigned char>(token[i]))) return -1;
    byte = byte * 16 + static_cast<int>(std::strtol(std::string(1, token[i]).c_str(), nullptr, 16));
  }
  return byte;
}

}  // namespace

std::string DecoderChain::run(std::vector<std::string> tokens) const {
  if (steps_.empty() && !tokens.empty())
    for (size_t i = 1; i < tokens.size(); ++i) tokens[i].insert(0, 1, ' ');
  for (const Step& step : steps_) step(tokens);
  return joined(tokens);
}

DecoderChain::Step decode_byte_level() {
  return [](std::vector<std::string>& tokens) {
    std::string text, bytes;
    for (const std::string& token : tokens) text += bytes_spelled(token, bytes) ? bytes : token;
    tokens = {text};
  };
}

DecoderChain::Step decode_metaspace(std::string replacement, bool strip) {
  return [replacement = std::move(replacement), strip](std::vector<std::string>& tokens) {
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = replaced(tokens[i], replacement, i == 0 && strip ? "" : " ");
  };
}

DecoderChain::Step decode_replace(std::string pattern, std::string content) {
  return [pattern = std::move(pattern), content = std::move(content)](std::vector<std::string>& tokens) {
    for (std::string& token : tokens) token = replaced(token, pattern, content);
  };
}

DecoderChain::Step decode_byte_fallback() {
  return [](std::vector<std::string>& tokens) {
    for (std::string& token : tokens)
      if (const int byte = fallback_byte(token); byte >= 0) token = std::string(1, static_cast<char>(byte));
  };
}

DecoderChain::Step decode_fuse() {
  return [](std::vector<std::string>& tokens) { tokens = {joined(tokens)}; };
}

DecoderChain::Step decode_strip(std::string content, size_t start, size_t stop) {
  return [content = std::move(content), start, stop](std::vector<std::string>& tokens) {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (size_t i = 0; i < start && rest.starts_with(content); ++i) rest.remove_prefix(content.size());
      for (size_t i = 0; i < stop && rest.ends_with(content); ++i) rest.remove_suffix(content.size());
      token = std::string(rest);
    }
  };
}

}  // namespace detent
