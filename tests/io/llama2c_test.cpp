// Checkpoints of llama2.c: the golden files of every kind, and damage of every kind.
#include "detent/io/llama2c.h"

#include <map>

#include "detent/io/mapped_file.h"
#include "detent/io/safetensors.h"
#include "tests/io/support.h"

namespace detent::io::test {
namespace {

using testing::HasSubstr;

std::string golden(const std::string& name) {
  return read_raw(fs::path(DETENT_SOURCE_DIR "/tests/golden/llama2c") / name);
}

std::string with_int(std::string file, size_t at, int32_t value) {
  std::memcpy(&file[at], &value, sizeof value);
  return file;
}

std::string refusal(const std::string& file) {
  return error_of([&] { parse_llama2c(as_bytes(file), "x.bin"); });
}

TEST(Llama2c, GoldenFilesOfBothVersions) {
  for (const char* name : {"v0", "v0_untied", "v1", "v1_untied"}) {
    SCOPED_TRACE(name);
    const std::string file = golden(std::string(name) + ".bin");
    ASSERT_TRUE(looks_like_llama2c(as_bytes(file)));
    const Llama2cContent content = parse_llama2c(as_bytes(file), name);
    EXPECT_EQ(content.shape.dim, 16);
    EXPECT_EQ(content.shape.hidden_dim, 20);
    EXPECT_EQ(content.shape.n_layers, 2);
    EXPECT_EQ(content.shape.n_heads, 4);
    EXPECT_EQ(content.shape.n_kv_heads, 2);
    EXPECT_EQ(content.shape.max_seq_len, 32);
    EXPECT_EQ(content.shape.shared_classifier, !std::string(name).ends_with("untied"));
    std::map<std::string, std::vector<int64_t>> shapes;
    size_t bytes = 0;
    for (const Llama2cTensor& tensor : content.tensors) {
      shapes[tensor.name + (tensor.layer < 0 ? "" : std::to_string(tensor.layer))] = tensor.shape;
      bytes += tensor.bytes.size();
    }
    EXPECT_EQ(content.tensors.size(), shapes.size());
    EXPECT_EQ(shapes.size(), 2u + 2 * 9 + (content.shape.shared_classifier ? 0 : 1));
    EXPECT_EQ(shapes["wk1"], (std::vector<int64_t>{8, 16}));
    EXPECT_EQ(shapes["w2"
                     "0"],
              (std::vector<int64_t>{16, 20}));
    EXPECT_EQ(shapes["rms_final_weight"], (std::vector<int64_t>{16}));
    EXPECT_EQ(bytes + (std::string(name).starts_with("v0") ? 28 + 32 * 4 * 4 : 256), file.size());
  }
}

// The four files hold the same weights, so a tensor read from the wrong place shows.
TEST(Llama2c, EveryFileHoldsTheSameValues) {
  const auto tensors = [](const std::string& file) {
    std::map<std::string, std::string> all;
    for (const Llama2cTensor& tensor : parse_llama2c(as_bytes(file), "x").tensors)
      all[tensor.name + std::to_string(tensor.layer)] = as_text(tensor.bytes);
    return all;
  };
  const std::string v0 = golden("v0_untied.bin"), v1 = golden("v1_untied.bin");
  EXPECT_EQ(tensors(v0), tensors(v1));
  auto tied = tensors(v0);
  EXPECT_EQ(tied.erase("wcls-1"), 1u);
  EXPECT_EQ(tensors(golden("v0.bin")), tied);
  EXPECT_EQ(tensors(golden("v1.bin")), tied);
}

TEST(Llama2c, EveryCutIsRefused) {
  for (const char* name : {"v0.bin", "v1_untied.bin"}) {
    const std::string file = golden(name);
    for (size_t size = 0; size < file.size(); size += size < 300 ? 1 : 997) {
      EXPECT_FALSE(refusal(file.substr(0, size)).empty()) << size;
      if (std::string(name) == "v0.bin") {
        EXPECT_FALSE(looks_like_llama2c(as_bytes(file.substr(0, size))));
      }
    }
    EXPECT_THAT(refusal(file + "x"), HasSubstr("the file has"));
  }
}

TEST(Llama2c, SizesThatFitNoModel) {
  const std::string v0 = golden("v0.bin"), v1 = golden("v1.bin");
  for (const int32_t bad : {0, -1, INT32_MIN, INT32_MAX, 1 << 25})
    for (size_t i = 0; i < 7; ++i) {
      const bool is_v0_vocabulary = i == 5 && bad == -1;  // a vocabulary of one, with a head
      EXPECT_THAT(refusal(with_int(v0, 4 * i, bad)),
                  HasSubstr(is_v0_vocabulary ? "bytes, the file has" : "fit no model"));
      EXPECT_THAT(refusal(with_int(v1, 8 + 4 * i, bad)), HasSubstr("fit no model"));
    }
  for (const int32_t most : {1 << 24})
    for (size_t i = 0; i < 3; ++i) EXPECT_FALSE(refusal(with_int(v0, 4 * i, most)).empty());
  EXPECT_THAT(refusal(with_int(v0, 12, 3)), HasSubstr("fit no model"));   // heads that do not divide dim
  EXPECT_THAT(refusal(with_int(v0, 16, 3)), HasSubstr("fit no model"));   // key heads that do not divide heads
  EXPECT_THAT(refusal(with_int(v0, 12, 16)), HasSubstr("fit no model"));  // heads of one element
  EXPECT_THAT(refusal(with_int(v1, 36, 2)), HasSubstr("fit no model"));   // a flag that is none
  EXPECT_THAT(refusal(with_int(v1, 4, 2)), HasSubstr("version 2 (int8)"));
  EXPECT_THAT(refusal(with_int(v1, 4, 7)), HasSubstr("version 7"));
  EXPECT_THAT(refusal("not a model, and not even long"), HasSubstr("not a checkpoint of llama2.c"));
}

TEST(Llama2cTokenizer, GoldenFile) {
  const std::string file = golden("tokenizer.bin");
  const int64_t count = parse_llama2c(as_bytes(golden("v0.bin")), "x").shape.vocab_size;
  const Llama2cVocabulary vocabulary = parse_llama2c_tokenizer(as_bytes(file), count, "x");
  ASSERT_EQ(static_cast<int64_t>(vocabulary.tokens.size()), count);
  EXPECT_EQ(vocabulary.tokens[1], "\n<s>\n");
  EXPECT_EQ(vocabulary.tokens[3 + 0x41], "<0x41>");
  EXPECT_EQ(vocabulary.tokens.back(), "\u2013");
  EXPECT_EQ(vocabulary.scores[259 + 7], -7.0f);
}

TEST(Llama2cTokenizer, DamagedFilesAreRefused) {
  const std::string file = golden("tokenizer.bin");
  const int64_t count = parse_llama2c(as_bytes(golden("v0.bin")), "x").shape.vocab_size;
  const auto why = [&](const std::string& bytes, int64_t tokens) {
    return error_of([&] { parse_llama2c_tokenizer(as_bytes(bytes), tokens, "x"); });
  };
  for (size_t size = 0; size < file.size(); ++size) EXPECT_FALSE(why(file.substr(0, size), count).empty());
  EXPECT_THAT(why(file, count + 1), HasSubstr("ends after"));
  EXPECT_THAT(why(file, count - 1), HasSubstr("bytes after the"));
  EXPECT_THAT(why(file, INT64_MAX), HasSubstr("ends after"));
  for (const int32_t bad : {-1, INT32_MAX, INT32_MIN})
    EXPECT_THAT(why(with_int(file, 8, bad), count), HasSubstr("claims"));
  EXPECT_THAT(why(with_int(file, 4, 0x7FC00000), count), HasSubstr("score of token 0 is not finite"));
  EXPECT_THAT(why(with_int(file, 0, 1), count), HasSubstr("claims"));
}

}  // namespace
}  // namespace detent::io::test
