#include <cmath>

#include "detent/base/error.h"
#include "detent/io/bytes.h"
#include "detent/io/llama2c.h"

namespace detent::io {

Llama2cVocabulary parse_llama2c_tokenizer(std::span<const std::byte> file, int64_t vocab_size,
                                          std::string_view source) {
  Llama2cVocabulary vocabulary;
  size_t at = 0;
  const auto number = [&]<class T>(T) {
    if (file.size() - at < sizeof(T))
      fail("{}: the file ends after {} tokens, the model has {}; this is not its tokenizer.bin", source,
           vocabulary.tokens.size(), vocab_size);
    at += sizeof(T);
    return load<T>(file, at - sizeof(T));
  };
  const auto longest = number(int32_t{});
  while (static_cast<int64_t>(vocabulary.tokens.size()) < vocab_size) {
    const size_t id = vocabulary.tokens.size();
    const auto score = number(float{});
    const auto length = number(int32_t{});
    if (length < 0 || length > longest || static_cast<size_t>(length) > file.size() - at)
      fail("{}: token {} claims {} bytes, the longest is to have {}; this is no tokenizer.bin", source, id, length,
           longest);
    if (!std::isfinite(score)) fail("{}: the score of token {} is not finite", source, id);
    vocabulary.tokens.emplace_back(as_text(file.subspan(at, static_cast<size_t>(length))));
    vocabulary.scores.push_back(score);
    at += static_cast<size_t>(length);
  }
  if (at != file.size())
    fail("{}: {} bytes after the {} tokens that the model has; this is not its tokenizer.bin", source, file.size() - at,
         vocab_size);
  return vocabulary;
}

}  // namespace detent::io
