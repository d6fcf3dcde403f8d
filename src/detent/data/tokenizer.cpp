#include "detent/data/tokenizer.h"

#include <filesystem>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer_files.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"

namespace detent {

namespace {

bool prints_itself(int byte) { return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD); }

std::string utf8(int code_point) {  // below U+0800
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3F))};
}

}  // namespace

std::string gpt2_spelling(uint8_t byte) {
  if (prints_itself(byte)) return utf8(byte);
  int others = 0;
  for (int below = 0; below < byte; ++below) others += !prints_itself(below);
  return utf8(0x100 + others);
}

int32_t Tokenizer::end_of_text() const {
  if (const auto id = eos()) return *id;
  fail("the tokenizer {} names no end of text; put its eos_token into tokenizer_config.json beside it", name());
}

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name_or_path) {
  if (name_or_path == "bytes") return byte_tokenizer();
  fail("tokenizer '{}': only 'bytes' is supported so far; set data.tokenizer to bytes", name_or_path);
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& model_folder) {
  const std::filesystem::path path = std::filesystem::path(model_folder) / "tokenizer.json";
  if (!std::filesystem::exists(path))
    fail("{} does not exist: a model folder needs its tokenizer files", path.string());
  const io::MappedFile text(path);
  const nlohmann::json file = parse_json(io::as_text(text.bytes()), path.string());
  std::unique_ptr<Tokenizer> bytes = byte_tokenizer();
  if (!is_byte_level(file, *bytes))
    fail("{}: only the byte tokenizer that detent writes is supported so far; train with data.tokenizer: bytes",
         path.string());
  return bytes;
}

}  // namespace detent
