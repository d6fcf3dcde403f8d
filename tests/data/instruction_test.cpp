#include "detent/data/instruction.h"

#include <fmt/format.h>

#include "detent/data/corpus.h"
#include "tests/data/toy_tokenizer.h"
#include "tests/io/support.h"

namespace detent {
namespace {

namespace fs = std::filesystem;
using io::test::error_of;
using io::test::TemporaryFolder;
using io::test::write_raw;
using test::ToyTokenizer;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kSpecials = {"<s>", "</s>", "<|im_start|>", "<|im_end|>"};
ToyTokenizer toy() { return {{"ab"}, kSpecials, "<s>", "</s>"}; }

std::string scored_text(const ToyTokenizer& tokenizer, const EncodedDocument& document) {
  std::string text;
  for (const TokenRange& range : document.scored)
    text += spelled(tokenizer, std::span(document.ids).subspan(range.begin, range.end - range.begin), kSpecials) + "|";
  return text;
}

TEST(Instruction, PromptAndCompletionAsTheyStand) {
  const ToyTokenizer tokenizer = toy();
  const InstructionEncoder encoder(DataFormat::kPromptCompletion, {}, tokenizer);
  const EncodedDocument document = encoder.encode(R"({"prompt": "2+2=", "completion": "4", "id": 7})", "x:1");
  EXPECT_EQ(spelled(tokenizer, document.ids, kSpecials), "<s>2+2=4</s>");
  EXPECT_EQ(scored_text(tokenizer, document), "4</s>|");
  // "ab" is one token, so the answer starts with the prompt's last letter.
  EXPECT_EQ(scored_text(tokenizer, encoder.encode(R"({"prompt": "a", "completion": "b!"})", "x:1")), "ab!</s>|");
  EXPECT_EQ(scored_text(tokenizer, encoder.encode(R"({"prompt": "", "completion": "</s>"})", "x:1")), "</s></s>|");
}

TEST(Instruction, PromptAndCompletionAsAChat) {
  const ToyTokenizer tokenizer = toy();
  const InstructionEncoder encoder(DataFormat::kPromptCompletion, "chatml", tokenizer);
  const EncodedDocument document = encoder.encode(R"({"completion": "4", "prompt": "2+2"})", "x:1");
  EXPECT_EQ(spelled(tokenizer, document.ids, kSpecials),
            "<|im_start|>user\n2+2<|im_end|>\n<|im_start|>assistant\n4<|im_end|>\n");
  EXPECT_EQ(scored_text(tokenizer, document), "4<|im_end|>|");
}

struct BadLine {
  const char *line, *error;
};

TEST(Instruction, BadMessagesAreNamedWithFileAndLine) {
  const std::string deep(100, '[');
  for (const auto& [line, error] : std::vector<BadLine>{
           {"", "chats.jsonl:3: not valid JSON"},
           {"[]", "chats.jsonl:3: array instead of a JSON object"},
           {"{}", "chats.jsonl:3: no field 'messages'"},
           {R"({"messages": "hi"})", "the field 'messages' is string, expected an array"},
           {R"({"messages": []})", "chats.jsonl:3: no assistant message"},
           {R"({"messages": [{"role": "user", "content": "hi"}]})", "no assistant message"},
           {R"({"messages": ["hi"]})", "messages[0]: string instead of a JSON object"},
           {R"({"messages": [{"content": "hi"}]})", "messages[0]: no field 'role'"},
           {R"({"messages": [{"role": "user"}]})", "messages[0]: no field 'content'"},
           {R"({"messages": [{"role": "user", "content": null}]})", "the field 'content' is null, expected a string"},
           {R"({"messages": [{"role": "user", "content": [{"type": "text"}]}]})", "the field 'content' is array"},
           {R"({"messages": [{"role": 3, "content": "hi"}]})", "the field 'role' is number"},
           {R"({"messages": [{"role": "tool", "content": "hi"}]})", "the role 'tool' is not supported"},
           {R"({"messages": [{"role": "Assistant", "content": "hi"}]})", "the role 'Assistant' is not supported"},
           {R"({"messages": [{"role": "user", "content": "hi", "weight": 0}]})", "the key 'weight' of a message"},
           {R"({"messages": [{"role": "assistant", "content": ""}]})", "an assistant message is empty"},
           {R"({"messages": [{"role": "assistant", "content": " \n\u3000"}]})", "an assistant message is empty"},
           {R"({"messages": [{"role": "assistant", "content": "a", "content": "b"}]})", "key 'content' appears twice"},
           {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"\xff\"}]}", "not valid JSON"},
           {R"({"messages": [{"role": "assistant", "content": "\ud800"}]})", "not valid JSON"},
           {R"({"messages": [{"role": "assistant", "content": "a"}]} x)", "not valid JSON"},
           {deep.c_str(), "nested deeper than 64 levels"}})
    EXPECT_THAT(error_of([&] { parse_messages(line, "chats.jsonl:3"); }),
                testing::AllOf(testing::StartsWith("chats.jsonl:3"), HasSubstr(error)))
        << line;
}

TEST(Instruction, BadPairsAreNamedWithFileAndLine) {
  for (const auto& [line, error] : std::vector<BadLine>{
           {R"({"prompt": "a"})", "x:1: no field 'completion'"},
           {R"({"completion": "a"})", "x:1: no field 'prompt'"},
           {R"({"prompt": "a", "completion": ""})", "the completion is empty"},
           {R"({"prompt": ["a"], "completion": "b"})", "the field 'prompt' is array, expected a string"}})
    EXPECT_THAT(error_of([&] { parse_prompt_completion(line, "x:1"); }), HasSubstr(error)) << line;
  const ToyTokenizer tokenizer = toy();
  const InstructionEncoder chat(DataFormat::kPromptCompletion, "chatml", tokenizer);
  EXPECT_THAT(error_of([&] { chat.encode(R"({"prompt": "a", "completion": " "})", "x:1"); }), HasSubstr("is blank"));
  EXPECT_THAT(error_of([&] { InstructionEncoder(DataFormat::kMessages, {}, tokenizer); }),
              HasSubstr("needs data.chat_format; known: llama3, chatml"));
}

// A line of a megabyte is a line; a conversation in it keeps its parts.
TEST(Instruction, LongLines) {
  std::string content(1'000'000, 'x');
  const std::vector<Message> messages =
      parse_messages(fmt::format(R"({{"messages": [{{"role": "assistant", "content": "{}"}}]}})", content), "x:1");
  EXPECT_EQ(messages[0].content, content);
}

class InstructionCorpus : public testing::Test {
 protected:
  InstructionCorpus() {
    options_.format = "messages";
    options_.chat_format = "chatml";
  }
  Corpus open() const { return open_corpus({(folder_ / "a.jsonl").string()}, options_, tokenizer_, folder_ / "cache"); }
  void write(std::string_view text) const { write_raw(folder_ / "a.jsonl", text); }
  TemporaryFolder folder_;
  DataOptions options_;
  ToyTokenizer tokenizer_ = toy();
};

const char* const kTwoChats =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"ab\"}]}\n\n"
    "{\"messages\": [{\"role\": \"assistant\", \"content\": \"c\"}], \"source\": \"web\"}\n";

TEST_F(InstructionCorpus, ShardKeepsDocumentsAndAnswers) {
  write(kTwoChats);
  const Corpus corpus = open();
  const Tokens& tokens = *corpus.tokens;
  ASSERT_EQ(tokens.documents(), 2);
  std::string answers;
  for (const TokenRange& range : tokens.scored())
    answers += spelled(tokenizer_, tokens.read(range.begin, range.end - range.begin), kSpecials) + "|";
  EXPECT_EQ(answers, "ab<|im_end|>|c<|im_end|>|");
  EXPECT_EQ(spelled(tokenizer_, tokens.read(tokens.document(1).begin, 3), kSpecials), "<|im_start|>as");
  EXPECT_FALSE(open().built);
  const auto in_memory = encode_corpus({(folder_ / "a.jsonl").string()}, options_, tokenizer_);
  EXPECT_EQ(in_memory->read(0, in_memory->size()), tokens.read(0, tokens.size()));
  EXPECT_TRUE(std::ranges::equal(in_memory->scored(), tokens.scored()));
  EXPECT_TRUE(std::ranges::equal(in_memory->document_ends(), tokens.document_ends()));
}

TEST_F(InstructionCorpus, FormatsHaveShardsOfTheirOwn) {
  write("{\"prompt\": \"a\", \"completion\": \"b\", \"text\": \"c\"}\n");
  options_.format = "prompt_completion";
  const std::string chat = open().fingerprint;
  options_.chat_format.reset();
  const std::string plain = open().fingerprint;
  options_.format = "text";
  const std::string text = open().fingerprint;
  EXPECT_NE(chat, plain);
  EXPECT_NE(plain, text);
}

TEST_F(InstructionCorpus, ErrorsNameTheFileAndTheLine) {
  write(std::string(kTwoChats) + "{\"messages\": []}\n");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("a.jsonl:4: no assistant message"));
  write("\n \n");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("a.jsonl holds no line"));
  write_raw(folder_ / "b.txt", "text");
  EXPECT_THAT(error_of([&] { encode_corpus({(folder_ / "b.txt").string()}, options_, tokenizer_); }),
              HasSubstr("b.txt: a .jsonl file is needed here"));
  write(std::string(17'000'000, ' ') + "{}\n");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("a.jsonl:1: a document of more than 16777216 bytes"));
  options_.format = "text";
  write(kTwoChats);
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("a.jsonl:1: no field 'text'; set the format messages"));
}

// What version 1 of the shard format left in a cache is built again.
TEST_F(InstructionCorpus, ShardsOfAnOldVersionAreBuiltAgain) {
  write(kTwoChats);
  const Corpus first = open();
  std::string bytes = io::test::read_raw(first.path);
  bytes[8] = 1;
  fs::remove(first.path);
  write_raw(first.path, bytes);
  const Corpus again = open();
  EXPECT_TRUE(again.built);
  EXPECT_EQ(again.tokens->scored().size(), 2u);
}

}  // namespace
}  // namespace detent
