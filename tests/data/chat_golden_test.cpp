// Instruction data against transformers' apply_chat_template (tests/golden/make_eval.py).
#include <nlohmann/json.hpp>

#include "detent/base/json.h"
#include "detent/data/corpus.h"
#include "detent/io/safetensors.h"
#include "tests/io/support.h"

namespace detent {
namespace {

class ChatGolden : public testing::Test {
 protected:
  static std::string file(const std::string& name) {
    return std::string(DETENT_SOURCE_DIR) + "/tests/golden/eval/" + name;
  }
  std::vector<nlohmann::json> cases(const std::string& kind) const {
    std::vector<nlohmann::json> found;
    for (const nlohmann::json& entry : parse_json(golden_.metadata().find("cases")->second, "cases"))
      if (entry.at("kind") == kind) found.push_back(entry);
    EXPECT_FALSE(found.empty()) << kind;
    return found;
  }
  std::vector<int32_t> numbers(const nlohmann::json& entry, const std::string& key) const {
    const auto& view = golden_.at(entry.at("id").get<std::string>() + "." + key);
    std::vector<int32_t> values;
    for (size_t i = 0; i < view.bytes.size(); i += 8)
      values.push_back(static_cast<int32_t>(io::load<int64_t>(view.bytes, i)));
    return values;
  }

  io::SafetensorsReader golden_{file("eval.safetensors")};
  std::unique_ptr<Tokenizer> tokenizer_ = load_tokenizer(file(""));
};

TEST_F(ChatGolden, IdsAndMasks) {
  for (const nlohmann::json& entry : cases("chat")) {
    const std::string id = entry.at("id"), format = entry.at("format");
    SCOPED_TRACE(id);
    const bool messages = id.starts_with("messages");
    DataOptions options;
    options.format = messages ? "messages" : "prompt_completion";
    if (!format.empty()) options.chat_format = format;
    const auto tokens = encode_corpus({file(messages ? "messages.jsonl" : "pairs.jsonl")}, options, *tokenizer_);
    std::vector<int32_t> mask(static_cast<size_t>(tokens->size())), ends;
    for (const TokenRange& range : tokens->scored())
      std::fill(mask.begin() + static_cast<int64_t>(range.begin), mask.begin() + static_cast<int64_t>(range.end), 1);
    for (const uint64_t end : tokens->document_ends()) ends.push_back(static_cast<int32_t>(end));
    EXPECT_EQ(ends, numbers(entry, "ends"));
    EXPECT_EQ(tokens->read(0, tokens->size()), numbers(entry, "ids"));
    EXPECT_EQ(mask, numbers(entry, "mask"));
  }
}

TEST_F(ChatGolden, TextThatSpellsSpecialTokens) {
  const nlohmann::json entry = cases("tricks").front();
  for (size_t i = 0; i < entry.at("texts").size(); ++i) {
    const std::string text = entry.at("texts")[i];
    // The library reads special tokens in a text, which conversations must not.
    EXPECT_EQ(tokenizer_->encode(text), numbers(entry, fmt::format("ids{}", i))) << text;
    const std::vector<int32_t> ids = tokenizer_->encode_as_text(text);
    EXPECT_EQ(tokenizer_->decode(ids), text);
    for (const int32_t id : ids) EXPECT_FALSE(tokenizer_->is_special(id)) << text;
  }
}

}  // namespace
}  // namespace detent
