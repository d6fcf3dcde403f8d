#include "detent/data/eval_windows.h"

#include <algorithm>
#include <tuple>

#include "detent/data/corpus.h"
#include "tests/data/toy_tokenizer.h"
#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

// Bytes with an end of text, id 256, and a BOS, id 257.
class WithBos : public test::ToyTokenizer {
 public:
  WithBos() : ToyTokenizer({}, {"<end>", "<bos>"}, "<bos>", "<end>") {}
};

// Which prediction is made from what: (context before, scored character), as the text says, window by window.
using Scored = std::vector<std::pair<std::string, char>>;

Scored scored(const EvalWindows& windows, const Tokenizer& tokenizer) {
  Scored all;
  for (int64_t w = 0; w < windows.size(); ++w) {
    const Batch batch = windows.batch(w, 1);
    for (int64_t c = 0; c < batch.columns; ++c) {
      if (batch.targets[c] == kNotScored) continue;
      const std::vector<int32_t> before(batch.inputs.begin(), batch.inputs.begin() + c + 1);
      std::string context = before[0] == 257 ? "^" : "";
      context += tokenizer.decode(std::span(before).last(before.size() - context.size()));
      all.emplace_back(context, static_cast<char>(batch.targets[c]));
    }
  }
  return all;
}

TEST(EvalWindows, WithoutBosTheFirstIdOfAWindowIsNotScored) {
  const auto tokenizer = byte_tokenizer();
  const EvalWindows windows(std::vector<std::string>{"abcdefg"}, *tokenizer, {.context = 3, .stride = 0});
  EXPECT_EQ(scored(windows, *tokenizer), (Scored{{"a", 'b'}, {"ab", 'c'}, {"d", 'e'}, {"de", 'f'}}));
  EXPECT_EQ(windows.dropped(), 1);
  EXPECT_EQ(windows.tokens(), 4);
  EXPECT_EQ(windows.bytes(), 4);
  EXPECT_EQ(windows.text_bytes(), 7);
}

TEST(EvalWindows, WithBosEveryIdIsScored) {
  const WithBos tokenizer;
  const EvalWindows windows(std::vector<std::string>{"abcde"}, tokenizer, {.context = 3, .stride = 0});
  EXPECT_EQ(scored(windows, tokenizer), (Scored{{"^", 'a'}, {"^a", 'b'}, {"^", 'c'}, {"^c", 'd'}, {"^", 'e'}}));
  EXPECT_EQ(windows.dropped(), 0);
}

TEST(EvalWindows, StrideScoresEachIdOnceWithMoreContext) {
  const auto tokenizer = byte_tokenizer();
  const EvalWindows windows(std::vector<std::string>{"abcdefgh"}, *tokenizer, {.context = 4, .stride = 2});
  EXPECT_EQ(scored(windows, *tokenizer),
            (Scored{{"a", 'b'}, {"ab", 'c'}, {"abc", 'd'}, {"cd", 'e'}, {"cde", 'f'}, {"ef", 'g'}, {"efg", 'h'}}));
  EXPECT_EQ(windows.size(), 3);
}

// Written from the rules of the header, id by id: id i of a document belongs to the first window that reaches it.
Scored brute_force(const std::vector<std::string>& documents, bool bos, int64_t context, int64_t stride,
                   int64_t& dropped) {
  Scored all;
  const int64_t text_ids = bos ? context - 1 : context;
  for (const std::string& document : documents) {
    const int64_t length = static_cast<int64_t>(document.size());
    for (int64_t i = 0; i < length; ++i) {
      int64_t start = 0;
      while (start + text_ids <= i) start += stride > 0 ? stride : text_ids;
      const std::string before = (bos ? "^" : "") + document.substr(start, i - start);
      if (!before.empty()) all.emplace_back(before, document[i]);
      if (before.empty() && i + 1 == length) ++dropped;  // alone in the last window
    }
  }
  return all;
}

TEST(EvalWindows, AgreesWithBruteForce) {
  const auto bytes = byte_tokenizer();
  const WithBos with_bos;
  const std::vector<std::string> documents{"the quick brown", "", "x", "fox", "jumps over the lazy dog!", ""};
  for (const bool bos : {false, true})
    for (int64_t context = 2; context <= 30; ++context)
      for (int64_t stride = 0; stride <= context - (bos ? 1 : 0); ++stride) {
        SCOPED_TRACE(fmt::format("bos {} context {} stride {}", bos, context, stride));
        const Tokenizer& tokenizer = bos ? static_cast<const Tokenizer&>(with_bos) : *bytes;
        const EvalWindows windows(documents, tokenizer, {.context = context, .stride = stride});
        int64_t dropped = 0;
        const Scored expected = brute_force(documents, bos, context, stride, dropped);
        ASSERT_EQ(scored(windows, tokenizer), expected);
        EXPECT_EQ(windows.tokens(), static_cast<int64_t>(expected.size()));
        EXPECT_EQ(windows.bytes(), windows.tokens());
        EXPECT_EQ(windows.dropped(), dropped);
        EXPECT_EQ(windows.documents(), 6);
      }
}

TEST(EvalWindows, ShardAndTextAgree) {
  const auto tokenizer = byte_tokenizer();
  const std::vector<std::string> documents{"first", "", "the second document", "3"};
  std::vector<int32_t> ids;
  for (const std::string& document : documents) {
    for (const int32_t id : tokenizer->encode(document)) ids.push_back(id);
    ids.push_back(256);
  }
  ids.push_back('z'), ids.push_back('y');  // a last document without its end
  const std::vector<uint64_t> ends{6, 7, 27, 29, 31};
  const EvalWindows shard(std::make_shared<TokensInMemory>(ids, ends), *tokenizer, {.context = 4, .stride = 0});
  const EvalWindows text({"first", "", "the second document", "3", "zy"}, *tokenizer, {.context = 4, .stride = 0});
  EXPECT_EQ(scored(shard, *tokenizer), scored(text, *tokenizer));
  EXPECT_EQ(shard.documents(), 5);
  EXPECT_EQ(shard.dropped(), text.dropped());
}

// Documents longer than what is read at a time.
TEST(EvalWindows, LongDocuments) {
  const auto tokenizer = byte_tokenizer();
  const EvalWindows windows({std::string(100'000, 'a'), std::string(70'001, 'b')}, *tokenizer,
                            {.context = 1000, .stride = 0});
  EXPECT_EQ(windows.size(), 170);
  EXPECT_EQ(windows.dropped(), 1);
  EXPECT_EQ(windows.tokens(), 170 * 999);
  const Batch boundary = windows.batch(100, 1);
  EXPECT_EQ(std::count(boundary.inputs.begin(), boundary.inputs.end(), 'b'), 999);
}

TEST(EvalWindows, BatchesPadToTheirLongestWindow) {
  const auto tokenizer = byte_tokenizer();
  const EvalWindows windows({"abcd", "xy", "pqr"}, *tokenizer, {.context = 8, .stride = 0});
  const Batch batch = windows.batch(1, 10);
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.columns, 2);
  EXPECT_THAT(batch.inputs, ElementsAre('x', 256, 'p', 'q'));
  EXPECT_THAT(batch.targets, ElementsAre('y', kNotScored, 'q', 'r'));
  EXPECT_EQ(batch.scored, 3);
  EXPECT_EQ(windows.batch(3, 10).rows, 0);
}

TEST(EvalWindows, SpreadTakesTheMiddlesOfEqualShares) {
  const auto tokenizer = byte_tokenizer();
  std::string text;
  for (char c = 'a'; c < 'a' + 12; ++c) text += {c, c};
  const EvalWindows all(std::vector<std::string>{text}, *tokenizer, {.context = 2, .stride = 0});
  ASSERT_EQ(all.size(), 12);
  const EvalWindows three = all.spread(3);
  EXPECT_EQ(scored(three, *tokenizer), (Scored{{"c", 'c'}, {"g", 'g'}, {"k", 'k'}}));
  EXPECT_EQ(three.tokens(), 3);
  EXPECT_EQ(all.spread(12).size(), 12);
  EXPECT_EQ(all.spread(100).size(), 12);
  for (int64_t n = 1; n <= 12; ++n) {  // no window twice, and every share has one
    const Scored chosen = scored(all.spread(n), *tokenizer);
    EXPECT_EQ(static_cast<int64_t>(chosen.size()), n);
    EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
    EXPECT_EQ(std::adjacent_find(chosen.begin(), chosen.end()), chosen.end());
  }
}

TEST(EvalWindows, RefusesWhatCannotBe) {
  const auto tokenizer = byte_tokenizer();
  const std::vector<std::string> text{"abc"};
  EXPECT_THAT(error_of([&] { EvalWindows(text, *tokenizer, {.context = 1, .stride = 0}); }), HasSubstr("at least 2"));
  EXPECT_THAT(error_of([&] { EvalWindows(text, *tokenizer, {.context = 4, .stride = 5}); }), HasSubstr("from 1 to 4"));
  EXPECT_THAT(error_of([&] { EvalWindows(text, *tokenizer, {.context = 4, .stride = -1}); }), HasSubstr("from 1 to 4"));
  EXPECT_THAT(error_of([&] { EvalWindows(text, WithBos(), {.context = 4, .stride = 4}); }), HasSubstr("from 1 to 3"));
  const auto foreign = std::make_shared<TokensInMemory>(std::vector<int32_t>{.context = 1, .stride = 300});
  EXPECT_THAT(error_of([&] { EvalWindows(foreign, *tokenizer, {.context = 4, .stride = 0}); }),
              HasSubstr("holds token 300"));
}

TEST(EvalWindows, ShardWithBosAndTextAgree) {
  const WithBos tokenizer;
  const std::vector<std::string> documents{"first", "", "the second"};
  std::vector<int32_t> ids;
  std::vector<uint64_t> ends;
  for (const std::string& document : documents) {
    const std::vector<int32_t> encoded = encode_text(document, tokenizer).ids;
    EXPECT_EQ(encoded.size(), document.size() + 2);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    ends.push_back(ids.size());
  }
  for (const Convention convention : {Convention::kWindows, Convention::kGptq, Convention::kRolling}) {
    const EvalOptions options{.context = 4, .convention = convention};
    const EvalWindows shard(std::make_shared<TokensInMemory>(ids, ends), tokenizer, options);
    const EvalWindows text(documents, tokenizer, options);
    EXPECT_EQ(scored(shard, tokenizer), scored(text, tokenizer));
    EXPECT_EQ(shard.text_bytes(), 15);
    EXPECT_EQ(shard.dropped_ids(), text.dropped_ids());
  }
}

TEST(EvalWindows, AnswersAloneAreScoredInWindowsOfTheirConversation) {
  const WithBos tokenizer;
  const std::string first = "user: hi. AB", second = "user: a longer one. CD more";
  std::vector<int32_t> ids;
  for (const char c : first + second) ids.push_back(c);
  const std::vector<TokenRange> answers{{10, 12}, {32, 34}};
  const auto tokens = std::make_shared<TokensInMemory>(ids, std::vector<uint64_t>{12, 39}, answers);
  const EvalWindows windows(tokens, tokenizer, {.context = 8});
  EXPECT_EQ(scored(windows, tokenizer), (Scored{{". ", 'A'}, {". A", 'B'}, {"ne. ", 'C'}, {"ne. C", 'D'}}));
  EXPECT_EQ(windows.unscored(), 4);
  EXPECT_EQ(windows.tokens(), 4);
  EXPECT_EQ(windows.bytes(), 4);
  EXPECT_THAT(error_of([&] { EvalWindows(tokens, tokenizer, {.context = 8, .convention = Convention::kGptq}); }),
              HasSubstr("for text"));
}

TEST(EvalWindows, LongestFirstHoldsTheSameWindows) {
  const auto tokenizer = byte_tokenizer();
  const EvalWindows windows({"abc", "defghij", "kl"}, *tokenizer, {.context = 8});
  EXPECT_EQ(scored(windows.by_length(), *tokenizer).size(), scored(windows, *tokenizer).size());
  EXPECT_EQ(windows.by_length().batch(0, 1).columns, 6);
  EXPECT_EQ(windows.by_length().batch(2, 1).columns, 1);
}

}  // namespace
}  // namespace detent
