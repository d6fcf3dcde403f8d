// Ids and texts by Hugging Face's library (golden/make_tokenizers.py).
#include <gmock/gmock-more-matchers.h>

#include <set>

#include "detent/base/json.h"
#include "detent/data/encoder.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokenizer/utf8.h"
#include "tests/io/support.h"

namespace detent {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;

const fs::path kFolder = fs::path(DETENT_SOURCE_DIR) / "tests/data/golden/tokenizers";

const nlohmann::json& cases() {
  static const nlohmann::json all = parse_json(io::test::read_raw(kFolder / "cases.json"), "cases.json");
  return all;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, unused] : cases().at("tokenizers").items()) all.push_back(name);
  return all;
}

class GoldenTokenizer : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Tokenizer> tokenizer_ = make_tokenizer(kFolder / (GetParam() + ".json"));
  const nlohmann::json& expected_ = cases().at("tokenizers").at(GetParam());
  std::vector<std::string> texts_ = cases().at("texts").get<std::vector<std::string>>();
};

TEST_P(GoldenTokenizer, GivesTheLibrarysIds) {
  for (size_t i = 0; i < texts_.size(); ++i) {
    SCOPED_TRACE(texts_[i]);
    EXPECT_EQ(tokenizer_->encode(texts_[i]), expected_["ids"][i].get<Ids>());
    EXPECT_EQ(tokenizer_->encode(texts_[i]), expected_["ids"][i].get<Ids>()) << "from the cache";
    EXPECT_EQ(tokenizer_->encode_with_special(texts_[i]), expected_["with_template"][i].get<Ids>());
  }
  EXPECT_EQ(tokenizer_->bos(), expected_["with_template"][0][0].get<int32_t>());
}

// Where the library has U+FFFD for bytes that are no text, the bytes themselves come back.
TEST_P(GoldenTokenizer, DecodesAsTheLibrary) {
  for (size_t i = 0; i < texts_.size(); ++i) {
    const Ids ids = expected_["ids"][i].get<Ids>();
    EXPECT_EQ(replace_invalid_utf8(tokenizer_->decode(ids)), expected_["decoded"][i].get<std::string>()) << texts_[i];
  }
}

TEST_P(GoldenTokenizer, VocabularyIsWhole) {
  const Vocabulary vocabulary = tokenizer_->vocabulary();
  ASSERT_EQ(static_cast<int64_t>(vocabulary.tokens.size()), tokenizer_->vocab_size());
  ASSERT_EQ(vocabulary.types.size(), vocabulary.tokens.size());
  for (int32_t id = 0; id < tokenizer_->vocab_size(); ++id) EXPECT_EQ(tokenizer_->token_id(vocabulary.tokens[id]), id);
  const int32_t end = tokenizer_->token_id("<|im_end|>").value();
  EXPECT_TRUE(tokenizer_->is_special(end));
  EXPECT_EQ(vocabulary.types[end], TokenType::kControl);
}

// Places where a text may be cut, found on the golden texts in a row, change no id; nor does the number of threads.
TEST_P(GoldenTokenizer, CutTextHasTheSameIds) {
  std::string text;
  for (int round = 0; round < 3; ++round)
    for (const std::string& part : texts_) text += part;
  const Ids whole = tokenizer_->encode(text);
  for (size_t cut = tokenizer_->find_cut(text, 1); cut != text.npos; cut = tokenizer_->find_cut(text, cut + 1)) {
    Ids ids = tokenizer_->encode(text.substr(0, cut));
    const Ids rest = tokenizer_->encode_next(text.substr(cut));
    ids.insert(ids.end(), rest.begin(), rest.end());
    ASSERT_EQ(ids, whole) << "cut at " << cut << ": " << text.substr(cut, 20);
  }
  std::string longer;
  while (longer.size() < 1500000) longer += text + "\n";
  const Ids expected = tokenizer_->encode(longer);
  for (const int threads : {1, 3}) {
    Ids ids;
    Encoder encoder(*tokenizer_, threads,
                    [&](const EncodedPart& part) { ids.insert(ids.end(), part.ids.begin(), part.ids.end()); });
    for (size_t at = 0; at < longer.size(); at += 100001)
      encoder.add(std::string_view(longer).substr(at, 100001), false);
    encoder.add("", true);
    encoder.finish();
    EXPECT_EQ(ids, expected) << threads << " threads";
  }
}

TEST_P(GoldenTokenizer, SavedFilesAreTheSame) {
  const io::test::TemporaryFolder folder;
  tokenizer_->save(folder.path());
  EXPECT_EQ(io::test::read_raw(folder / "tokenizer.json"), io::test::read_raw(kFolder / (GetParam() + ".json")));
  EXPECT_EQ(load_tokenizer(folder.path())->encode("a b"), tokenizer_->encode("a b"));
  EXPECT_EQ(tokenizer_->eos(), tokenizer_->token_id("<|endoftext|>"));
}

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 2) bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

TEST(SentencepieceTokenizer, GivesTheLibrarysIdsAndTexts) {
  const nlohmann::json cases = parse_json(io::test::read_raw(kFolder / "sentencepiece.json"), "sentencepiece.json");
  const auto tokenizer = make_tokenizer(kFolder / "sentencepiece.model");
  ASSERT_GE(cases["texts"].size(), 30u);
  for (size_t i = 0; i < cases["texts"].size(); ++i) {
    const std::string text = from_hex(cases["texts"][i]);
    SCOPED_TRACE(text);
    const Ids expected = cases["ids"][i].get<Ids>();
    EXPECT_EQ(tokenizer->encode(text), expected);
    Ids with_bos = expected;
    with_bos.insert(with_bos.begin(), 1);
    EXPECT_EQ(tokenizer->encode_with_special(text), with_bos);
    EXPECT_EQ(tokenizer->decode(expected), cases["decoded"][i].get<std::string>());
  }
  EXPECT_EQ(tokenizer->vocab_size(), 360);
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_TRUE(tokenizer->vocabulary().add_prefix_space);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GoldenTokenizer, testing::ValuesIn(names()), [](const auto& p) {
  std::string name = p.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace detent
