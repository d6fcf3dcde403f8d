#include "detent/io/safetensors.h"

#include <random>

#include "tests/io/support.h"

namespace detent::io::test {
namespace {

using testing::HasSubstr;

std::string file_of(std::string_view header, std::string_view data = "") {
  std::string file;
  append<uint64_t>(file, header.size());
  return file.append(header).append(data);
}

std::string one(std::string_view info, std::string_view data = "") {
  return file_of(fmt::format(R"({{"t":{}}})", info), data);
}

std::string raw_length(uint64_t length, std::string_view rest) {
  std::string file;
  append(file, length);
  return file.append(rest);
}

const std::string kFour = "abcd";

std::vector<BadFile> bad_safetensors() {
  return {
      {"empty", "", "too few"},
      {"seven bytes", "1234567", "too few"},
      {"header over the limit", raw_length(100'000'001, "{}"), "over the limit"},
      {"header length wraps", raw_length(UINT64_MAX, "{}"), "over the limit"},
      {"header longer than the file", raw_length(20, "{}"), "cut short"},
      {"header of no bytes", file_of(""), "does not begin with '{'"},
      {"leading space", file_of(" {}"), "does not begin with '{'"},
      {"byte order mark", file_of("\xEF\xBB\xBF{}"), "does not begin with '{'"},
      {"an array", file_of("[]"), "does not begin with '{'"},
      {"unclosed", file_of("{"), "not valid JSON"},
      {"text after the header", file_of("{}x"), "not valid JSON"},
      {"NUL padding", file_of(std::string_view("{}\0\0", 4)), "not valid JSON"},
      {"trailing comma", file_of(R"({"__metadata__":{},})"), "not valid JSON"},
      {"comment", file_of("{/**/}"), "not valid JSON"},
      {"broken UTF-8 in a name", file_of("{\"\xff\":{}}"), "not valid JSON"},
      {"overlong UTF-8", file_of("{\"\xc0\xaf\":{}}"), "not valid JSON"},
      {"lone surrogate", file_of(R"({"\ud800":{}})"), "not valid JSON"},
      {"tensor is a number", file_of(R"({"t":1})"), "a number where it has no place"},
      {"tensor is null", file_of(R"({"t":null})"), "null where it has no place"},
      {"tensor is a list", file_of(R"({"t":[]})"), "an array where it has no place"},
      {"tensor is a boolean", file_of(R"({"t":true})"), "a boolean where it has no place"},
      {"metadata is a string", file_of(R"({"__metadata__":"x"})"), "a string where it has no place"},
      {"metadata value is a number", file_of(R"({"__metadata__":{"a":1}})"), "a number where it has no place"},
      {"metadata value is an object", file_of(R"({"__metadata__":{"a":{}}})"), "an object where it has no place"},
      {"metadata key twice", file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), "names 'a' twice"},
      {"metadata twice", file_of(R"({"__metadata__":{},"__metadata__":{}})"), "names '__metadata__' twice"},
      {"no dtype", one(R"({"shape":[4],"data_offsets":[0,4]})", kFour), "has no dtype"},
      {"no shape", one(R"({"dtype":"U8","data_offsets":[0,4]})", kFour), "has no shape"},
      {"no offsets", one(R"({"dtype":"U8","shape":[4]})", kFour), "has no data_offsets"},
      {"unknown dtype", one(R"({"dtype":"F31","shape":[4],"data_offsets":[0,4]})", kFour), "unknown dtype 'F31'"},
      {"dtype in small letters", one(R"({"dtype":"u8","shape":[4],"data_offsets":[0,4]})", kFour), "unknown dtype"},
      {"dtype is a number", one(R"({"dtype":8,"shape":[4],"data_offsets":[0,4]})", kFour), "a number where"},
      {"unknown key", one(R"({"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1})", kFour), "unknown key 'x'"},
      {"dtype twice", one(R"({"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]})", kFour), "'dtype' twice"},
      {"shape twice", one(R"({"dtype":"U8","shape":[4],"shape":[4],"data_offsets":[0,4]})", kFour), "'shape' twice"},
      {"offsets twice", one(R"({"data_offsets":[0,4],"data_offsets":[0,4]})", kFour), "'data_offsets' twice"},
      {"shape is a number", one(R"({"dtype":"U8","shape":4,"data_offsets":[0,4]})", kFour), "a number where"},
      {"negative size", one(R"({"dtype":"U8","shape":[-4],"data_offsets":[0,4]})", kFour), "a negative number"},
      {"fractional size", one(R"({"dtype":"U8","shape":[4.0],"data_offsets":[0,4]})", kFour), "no 64-bit integer"},
      {"size above 2^64", one(R"({"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,4]})", kFour),
       "no 64-bit integer"},
      {"size above 2^63", one(R"({"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]})", kFour),
       "too large"},
      {"nested shape", one(R"({"dtype":"U8","shape":[[4]],"data_offsets":[0,4]})", kFour), "an array where"},
      {"product overflows", one(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})"), "overflows"},
      {"product overflows to the right size",
       one(R"({"dtype":"U8","shape":[4611686018427387905,4],"data_offsets":[0,4]})", kFour), "overflows"},
      {"bits overflow", one(R"({"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]})"), "overflows"},
      {"one offset", one(R"({"dtype":"U8","shape":[4],"data_offsets":[0]})", kFour), "fewer than two"},
      {"three offsets", one(R"({"dtype":"U8","shape":[4],"data_offsets":[0,4,4]})", kFour), "more than two"},
      {"offsets reversed", one(R"({"dtype":"U8","shape":[4],"data_offsets":[4,0]})", kFour), "ends before it begins"},
      {"span too small", one(R"({"dtype":"U8","shape":[5],"data_offsets":[0,4]})", kFour), "dtype and shape need 5"},
      {"span too large", one(R"({"dtype":"U8","shape":[3],"data_offsets":[0,4]})", kFour), "dtype and shape need 3"},
      {"scalar needs one element", one(R"({"dtype":"U8","shape":[],"data_offsets":[0,4]})", kFour), "need 1"},
      {"half a byte", one(R"({"dtype":"F4","shape":[3],"data_offsets":[0,2]})", "ab"), "whole bytes"},
      {"data cut short", one(R"({"dtype":"U8","shape":[8],"data_offsets":[0,8]})", kFour), "cut short"},
      {"offset beyond 2^63",
       one(R"({"dtype":"U8","shape":[0],"data_offsets":[18446744073709551615,18446744073709551615]})"), "a hole"},
      {"bytes after the last tensor", one(R"({"dtype":"U8","shape":[3],"data_offsets":[0,3]})", kFour),
       "1 bytes after the last tensor"},
      {"data without tensors", file_of("{}", "x"), "1 bytes after the last tensor"},
      {"hole at the start", one(R"({"dtype":"U8","shape":[3],"data_offsets":[1,4]})", kFour), "a hole of 1 bytes"},
      {"hole between",
       file_of(
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
           kFour),
       "a hole of 1 bytes before tensor 'b'"},
      {"overlap",
       file_of(
           R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
           kFour),
       "'b' overlaps"},
      {"two tensors on the same bytes",
       file_of(
           R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
           kFour),
       "'b' overlaps"},
      {"tensor twice",
       file_of(
           R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
           kFour),
       "names 'a' twice"},
      {"tensor twice, one spelled with an escape",
       file_of(
           R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"\u0061":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
           kFour),
       "names 'a' twice"},
      {"deep nesting", file_of("{\"a\":" + std::string(100'000, '[')), "an array where it has no place"},
      {"65 dimensions",
       one(fmt::format(R"({{"dtype":"U8","shape":[{}],"data_offsets":[0,1]}})",
                       fmt::join(std::vector<int>(65, 1), ",")),
           "x"),
       "more than 64 dimensions"},
      {"a hostile name cannot write to the terminal", file_of("{\"\\u001b[2J\":1}"), "\\x1b[2J"},
  };
}

const auto parse_bad_safetensors = [](std::span<const std::byte> bytes) {
  parse_safetensors(bytes, "bad.safetensors");
};

TEST(Safetensors, BadFilesAreRefused) { check_bad_files(bad_safetensors(), parse_bad_safetensors); }

TEST(Safetensors, ErrorsNameTheFile) {
  EXPECT_THAT(error_of([] { parse_bad_safetensors(as_bytes("")); }), testing::StartsWith("bad.safetensors: "));
}

// Written by safetensors 0.8.0 (Python, numpy): save({"b": F16 [2], "a": F32 [1,2], "c": U8 [3], "k": I64 [],
// "e": F32 [0, 4]}, metadata={"format": "pt"}).
std::string official_safetensors() {
  std::string header =
      R"({"__metadata__":{"format":"pt"},"k":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},"e":{"dtype":"F32","shape":[0,4],"data_offsets":[16,16]},)"
      R"("b":{"dtype":"F16","shape":[2],"data_offsets":[16,20]},"c":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string data("\x07\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\xc0\0\x3c\0\xc0\1\2\3", 23);
  return file_of(header, data);
}

std::vector<TensorView> official_tensors() {
  static const std::string file = official_safetensors();
  return parse_safetensors(as_bytes(file), "official").tensors;
}

TEST(Safetensors, ReadsTheOfficialFile) {
  const std::string file = official_safetensors();
  const SafetensorsContent content = parse_safetensors(as_bytes(file), "official");
  ASSERT_EQ(content.tensors.size(), 5u);
  EXPECT_EQ(content.metadata.at("format"), "pt");
  EXPECT_EQ(content.tensors[1].name, "a");
  EXPECT_EQ(content.tensors[1].dtype, Dtype::kF32);
  EXPECT_EQ(content.tensors[1].shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(load<float>(content.tensors[1].bytes, 4), -2.0f);
  EXPECT_TRUE(content.tensors[0].shape.empty());
  EXPECT_EQ(load<int64_t>(content.tensors[0].bytes), 7);
  EXPECT_EQ(content.tensors[2].shape, (std::vector<int64_t>{0, 4}));
  EXPECT_TRUE(content.tensors[2].bytes.empty());
}

TEST(Safetensors, WritesTheOfficialFileByteForByte) {
  const TemporaryFolder folder;
  auto tensors = official_tensors();
  std::shuffle(tensors.begin(), tensors.end(), std::mt19937(1));
  write_safetensors(folder / "x.safetensors", tensors);
  EXPECT_EQ(read_raw(folder / "x.safetensors"), official_safetensors());
}

TEST(Safetensors, EveryTruncationIsRefused) { check_truncations(official_safetensors(), parse_bad_safetensors); }

TEST(Safetensors, EveryFlippedHeaderByteIsSafe) {
  const std::string valid = official_safetensors();
  for (size_t i = 0; i < valid.size() - 23; ++i) {
    for (const int flip : {1, 2, 16, 64, 255}) {
      std::string file = valid;
      file[i] = static_cast<char>(file[i] ^ flip);
      try {
        parse_bad_safetensors(as_bytes(file));
      } catch (const Error&) {
      }
    }
  }
}

TEST(Safetensors, EveryDtypeSurvives) {
  const TemporaryFolder folder;
  const std::string data(64, 'x');
  std::vector<TensorView> tensors;
  for (const Dtype dtype : all_dtypes()) {
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
    const uint64_t bytes = tensor_bytes(dtype, std::vector<int64_t>{2, 4}).value();
    tensors.push_back({std::string(dtype_name(dtype)), dtype, {2, 4}, as_bytes(data).first(bytes)});
  }
  write_safetensors(folder / "x", tensors, {});
  const SafetensorsReader reader(folder / "x");
  EXPECT_TRUE(reader.metadata().empty());
  for (const TensorView& tensor : tensors) {
    EXPECT_EQ(reader.at(tensor.name).dtype, tensor.dtype);
    EXPECT_EQ(reader.at(tensor.name).bytes.size(), tensor.bytes.size());
  }
  EXPECT_THAT(error_of([] { dtype_size(Dtype::kF4); }), HasSubstr("F4 has 4 bits"));
}

TEST(Safetensors, NamesAndMetadataMayBeAnyText) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> metadata = {{"", "\"\\\n\t\x01"}, {"ключ", "値"}};
  const std::string name = "model.\"layers\".0/\\\n\xF0\x9F\x98\x80";
  const std::string data = "ab";
  const TensorView tensor{name, Dtype::kU8, {2}, as_bytes(data)};
  write_safetensors(folder / "x", std::span(&tensor, 1), metadata);
  const SafetensorsReader reader(folder / "x");
  EXPECT_EQ(reader.metadata(), metadata);
  EXPECT_EQ(as_text(reader.at(name).bytes), "ab");
}

TEST(Safetensors, WriterTakesBytesInAnyCut) {
  const TemporaryFolder folder;
  SafetensorsWriter writer(folder / "x", {{"b", Dtype::kU8, {3}}, {"a", Dtype::kF32, {2}}, {"e", Dtype::kF32, {0}}});
  EXPECT_EQ(writer.tensors()[0].name, "a");
  for (const char c : std::string("01234567abc")) writer.write(as_bytes(std::string_view(&c, 1)));
  writer.finish();
  const SafetensorsReader reader(folder / "x");
  EXPECT_EQ(as_text(reader.at("b").bytes), "abc");
  EXPECT_EQ(reader.at("e").bytes.size(), 0u);
}

TEST(Safetensors, WriterRefusesMisuse) {
  const TemporaryFolder folder;
  const fs::path path = folder / "x";
  const std::string data(8, 'x');
  EXPECT_THAT(error_of([&] {
                SafetensorsWriter(path, {{"a", Dtype::kU8, {1}}, {"a", Dtype::kI8, {1}}});
              }),
              HasSubstr("'a' is given twice"));
  EXPECT_THAT(error_of([&] {
                SafetensorsWriter(path, {{"__metadata__", Dtype::kU8, {1}}});
              }),
              HasSubstr("cannot be named"));
  EXPECT_THAT(error_of([&] { SafetensorsWriter(path, {{"a", Dtype::kU8, {-1}}}); }), HasSubstr("not possible"));
  EXPECT_THAT(error_of([&] { SafetensorsWriter(path, {{"\xff", Dtype::kU8, {1}}}); }), HasSubstr("not UTF-8"));
  SafetensorsWriter writer(path, {{"a", Dtype::kU8, {8}}, {"b", Dtype::kU8, {8}}});
  EXPECT_THAT(error_of([&] { writer.write("b", as_bytes(data)); }), HasSubstr("got tensor 'b', expected 'a'"));
  EXPECT_THAT(error_of([&] { writer.write("a", as_bytes("x")); }), HasSubstr("got 1 bytes for tensor 'a', expected 8"));
  writer.write_part("a", as_bytes(data.substr(3)));
  EXPECT_THAT(error_of([&] { writer.write_part("b", as_bytes("x")); }), HasSubstr("got tensor 'b', expected 'a'"));
  EXPECT_THAT(error_of([&] { writer.write_part("a", as_bytes(data)); }),
              HasSubstr("got 8 more bytes for tensor 'a', expected 3"));
  writer.write("a", as_bytes(data.substr(5)));
  EXPECT_THAT(error_of([&] { writer.finish(); }), HasSubstr("bytes of tensor 'b' are missing"));
  EXPECT_THAT(error_of([&] { writer.write(as_bytes(data + "y")); }), HasSubstr("more bytes"));
  EXPECT_FALSE(fs::exists(path));
}

class Shards : public testing::Test {
 protected:
  void shard(const char* file, const char* tensor) {
    const TensorView view{tensor, Dtype::kU8, {4}, as_bytes(kFour)};
    write_safetensors(folder_ / file, std::span(&view, 1));
  }
  void index(std::string_view weight_map) {
    write_raw(folder_ / "model.safetensors.index.json",
              fmt::format(R"({{"metadata":{{"total_size":8}},"weight_map":{}}})", weight_map));
  }
  std::string error() {
    return error_of([&] { SafetensorsReader reader(folder_.path()); });
  }
  TemporaryFolder folder_;
};

TEST_F(Shards, AreReadAsOne) {
  shard("1.safetensors", "a");
  shard("2.safetensors", "b");
  index(R"({"a":"1.safetensors","b":"2.safetensors"})");
  const SafetensorsReader reader(folder_.path());
  EXPECT_EQ(reader.tensors().size(), 2u);
  EXPECT_EQ(as_text(reader.at("b").bytes), kFour);
  EXPECT_EQ(reader.find("c"), nullptr);
  EXPECT_THAT(error_of([&] { reader.at("c"); }), HasSubstr("has no tensor 'c'"));
}

TEST_F(Shards, ViewsSurviveAMove) {
  shard("model.safetensors", "a");
  SafetensorsReader first(folder_.path());
  const SafetensorsReader second = std::move(first);
  EXPECT_EQ(as_text(second.at("a").bytes), kFour);
}

TEST_F(Shards, MistakesAreNamed) {
  EXPECT_THAT(error(), HasSubstr("holds neither model.safetensors nor"));
  shard("1.safetensors", "a");
  index(R"({"a":"1.safetensors","b":"2.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("shard '2.safetensors' is missing"));
  index(R"({"a":"1.safetensors","b":"1.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("tensor 'b' is missing from shard '1.safetensors'"));
  shard("2.safetensors", "a");
  index(R"({"a":"1.safetensors","b":"2.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("'a' is in another shard too"));
  shard("2.safetensors", "c");
  EXPECT_THAT(error(), HasSubstr("tensor 'c' of shard '2.safetensors' is not listed"));
  index(R"({"a":"../1.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("no plain file name"));
  index(R"({"a":1})");
  EXPECT_THAT(error(), HasSubstr("is not a string"));
  index(R"({"a":"1.safetensors","a":"2.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("'a' appears twice"));
  index("[]");
  EXPECT_THAT(error(), HasSubstr("no object named weight_map"));
  write_raw(folder_ / "model.safetensors.index.json", "{");
  EXPECT_THAT(error(), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of([&] { SafetensorsReader reader(folder_ / "nothing"); }), HasSubstr("cannot open"));
}

}  // namespace
}  // namespace detent::io::test
