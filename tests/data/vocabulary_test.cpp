#include "detent/data/vocabulary.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include "detent/data/tokenizer.h"

namespace detent {
namespace {

Vocabulary of(std::vector<std::string> tokens) {
  Vocabulary vocabulary;
  vocabulary.types.assign(tokens.size(), TokenType::kNormal);
  vocabulary.tokens = std::move(tokens);
  return vocabulary;
}

TEST(Vocabulary, DiffersWhereAnIdIsAnotherToken) {
  EXPECT_EQ(first_difference(of({"a", "b", "c"}), of({"a", "b", "c"})), std::nullopt);
  EXPECT_EQ(first_difference(of({"a", "b", "c"}), of({"a", "c", "b"})), 1u);
  EXPECT_EQ(first_difference(of({"a"}), of({"b"})), 0u);
  EXPECT_EQ(first_difference(of({}), of({"b"})), std::nullopt);
}

TEST(Vocabulary, MoreTokensAndUnusedIdsAreNoDifference) {
  EXPECT_EQ(first_difference(of({"a", "b"}), of({"a", "b", "<|im_start|>"})), std::nullopt);
  EXPECT_EQ(first_difference(of({"a", "", "c"}), of({"a", "b", "c"})), std::nullopt);
  Vocabulary padded = of({"a", "[PAD1]"});
  padded.types[1] = TokenType::kUnused;
  EXPECT_EQ(first_difference(of({"a", "b"}), padded), std::nullopt);
  EXPECT_EQ(first_difference(padded, of({"a", "b"})), std::nullopt);
}

TEST(Vocabulary, SpacesMayBeSpelledEitherWay) {
  EXPECT_EQ(first_difference(of({" the", "a  b"}), of({"▁the", "a▁▁b"})), std::nullopt);
  EXPECT_EQ(first_difference(of({" the"}), of({"the"})), 0u);
}

TEST(Vocabulary, BytesAreNoByteLevelVocabularyOfAnotherOrder) {
  EXPECT_EQ(first_difference(byte_tokenizer()->vocabulary(), of({"!", "\"", "#"})), 0u);
  EXPECT_EQ(first_difference(byte_tokenizer()->vocabulary(), byte_tokenizer()->vocabulary()), std::nullopt);
}

}  // namespace
}  // namespace detent
