#include "detent/io/gguf.h"

#include <set>

#include "tests/io/support.h"

namespace detent::io::test {
namespace {

using testing::HasSubstr;

// The file by hand, so that any part of it can be wrong.
struct Text {
  std::string bytes;
  template <class T>
  Text& put(T value) {
    append(bytes, value);
    return *this;
  }
  Text& string(std::string_view text) {
    put<uint64_t>(text.size());
    bytes += text;
    return *this;
  }
  Text& pad(size_t alignment = 32) {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  Text& zeros(size_t count) {
    bytes.append(count, '\0');
    return *this;
  }
};

Text header(uint64_t tensors, uint64_t values, uint32_t version = 3) {
  Text text{"GGUF"};
  return text.put(version).put(tensors).put(values);
}

Text key(std::string_view name, uint32_t type) { return header(0, 1).string(name).put(type); }

Text tensor_info(Text text, std::string_view name, std::vector<int64_t> ne, int32_t type, uint64_t offset) {
  text.string(name).put(static_cast<uint32_t>(ne.size()));
  for (const int64_t size : ne) text.put(size);
  return text.put(type).put(offset);
}

std::string tensor(std::string_view name, std::vector<int64_t> ne, int32_t type, uint64_t offset = 0,
                   size_t data = 32) {
  return tensor_info(header(1, 0), name, ne, type, offset).pad().zeros(data).bytes;
}

std::string two(std::string_view second, uint64_t second_offset, size_t data) {
  const Text first = tensor_info(header(2, 0), "a", {4}, 0, 0);
  return tensor_info(first, second, {4}, 0, second_offset).pad().zeros(data).bytes;
}

std::string alignment(auto value, uint32_t type, size_t data = 32) {
  Text text = header(1, 1).string("general.alignment").put(type).put(value);
  return tensor_info(text, "a", {4}, 0, 0).pad().zeros(data).bytes;
}

constexpr uint64_t kHuge = uint64_t{1} << 60;

std::vector<BadFile> bad_gguf() {
  return {
      {"empty", "", "magic number needs 4 bytes"},
      {"another magic", header(0, 0).bytes.replace(0, 4, "GGML"), "not a GGUF file"},
      {"magic only", "GGUF", "the version needs 4 bytes"},
      {"version 1", header(0, 0, 1).bytes, "GGUF version 1"},
      {"version 2", header(0, 0, 2).bytes, "GGUF version 2"},
      {"version 4", header(0, 0, 4).bytes, "GGUF version 4"},
      {"big-endian", header(0, 0, 3u << 24).bytes, "big-endian"},
      {"too many tensors", header(kHuge, 0).bytes, "number of tensors is 1152921504606846976, more than"},
      {"a negative number of tensors", header(UINT64_MAX, 0).bytes, "more than the file can hold"},
      {"too many keys", header(0, kHuge).bytes, "number of keys is 1152921504606846976, more than"},
      {"a negative number of keys", header(0, UINT64_MAX).bytes, "more than the file can hold"},
      {"a key is missing", header(0, 1).bytes, "needs 8 bytes"},
      {"key length wraps", header(0, 1).put(UINT64_MAX).zeros(8).bytes, "key needs 18446744073709551615 bytes"},
      {"key longer than the file", header(0, 1).put(uint64_t{100}).zeros(8).bytes, "key needs 100 bytes"},
      {"empty key", key("", 0).put(uint8_t{1}).bytes, "a key is empty"},
      {"key with a NUL", key(std::string_view("a\0b", 3), 0).put(uint8_t{1}).bytes, "'a\\x00b' holds a NUL"},
      {"key of 65536 bytes", key(std::string(65536, 'k'), 0).put(uint8_t{1}).bytes, "longer than 65535 bytes"},
      {"key twice", header(0, 2).string("a").put(0u).put(uint8_t{1}).string("a").put(0u).put(uint8_t{2}).bytes,
       "key 'a' appears twice"},
      {"unknown value type", key("a", 13).put(uint64_t{0}).bytes, "unknown type 13"},
      {"negative value type", key("a", UINT32_MAX).put(uint64_t{0}).bytes, "unknown type 4294967295"},
      {"value cut short", key("a", 12).put(uint32_t{0}).bytes, "a number needs 8 bytes"},
      {"boolean of 2", key("a", 7).put(uint8_t{2}).bytes, "the boolean 2"},
      {"string length wraps", key("a", 8).put(UINT64_MAX).bytes, "the value of 'a' needs 18446744073709551615"},
      {"string cut short", key("a", 8).put(uint64_t{5}).put(uint32_t{0}).bytes, "the value of 'a' needs 5 bytes"},
      {"array type cut short", key("a", 9).bytes + "x", "an array type needs 4 bytes"},
      {"array of arrays", key("a", 9).put(9u).put(uint64_t{1}).zeros(32).bytes, "array of arrays"},
      {"array of unknown type", key("a", 9).put(99u).put(uint64_t{1}).zeros(32).bytes, "unknown type 99"},
      {"array of 2^60 numbers", key("a", 9).put(10u).put(kHuge).zeros(32).bytes, "claims 1152921504606846976"},
      {"array whose byte size wraps", key("a", 9).put(10u).put(uint64_t{1} << 61).zeros(32).bytes, "claims"},
      {"array of 2^60 strings", key("a", 9).put(8u).put(kHuge).zeros(32).bytes, "claims 1152921504606846976"},
      {"array one element short", key("a", 9).put(4u).put(uint64_t{3}).zeros(8).bytes, "claims 3"},
      {"array of booleans with a 7", key("a", 9).put(7u).put(uint64_t{1}).put(uint8_t{7}).bytes, "the boolean 7"},
      {"string in an array cut short", key("a", 9).put(8u).put(uint64_t{1}).put(uint64_t{9}).bytes, "needs 9 bytes"},
      {"alignment 0", alignment(uint32_t{0}, 4), "general.alignment is 0, expected a power of two"},
      {"alignment 24", alignment(uint32_t{24}, 4), "general.alignment is 24"},
      {"alignment of another type", alignment(uint64_t{32}, 10), "general.alignment is uint64, expected uint32"},
      {"alignment beyond the file", alignment(uint32_t{1} << 31, 4), "padding after the header needs"},
      {"empty tensor name", tensor("", {4}, 0), "a tensor name is empty"},
      {"tensor name of 64 bytes", tensor(std::string(64, 't'), {4}, 0), "longer than 63 bytes"},
      {"tensor name with a NUL", tensor(std::string_view("a\0", 2), {4}, 0), "holds a NUL"},
      {"tensor twice", two("a", 32, 64), "tensor 'a' appears twice"},
      {"five dimensions", tensor("a", {1, 1, 1, 1, 1}, 0), "has 5 dimensions, over the limit"},
      {"2^32 - 1 dimensions", header(1, 0).string("a").put(UINT32_MAX).zeros(64).bytes, "dimensions, over the limit"},
      {"dimension 0", tensor("a", {4, 0}, 0), "a dimension of 0"},
      {"negative dimension", tensor("a", {-4, -1}, 0), "a dimension of -4"},
      {"elements overflow", tensor("a", {int64_t{1} << 32, int64_t{1} << 32}, 0), "size of tensor 'a' overflows"},
      {"elements overflow to 4", tensor("a", {4, int64_t{1} << 62, 4}, 0), "overflows"},
      {"bytes overflow", tensor("a", {int64_t{1} << 62}, 28), "overflows"},
      {"unknown tensor type", tensor("a", {4}, 43), "unknown type 43"},
      {"removed tensor type", tensor("a", {32}, 4), "unknown type 4"},
      {"negative tensor type", tensor("a", {4}, -1), "unknown type -1"},
      {"a row of half a block", tensor("a", {16, 2}, 2), "rows of 16 values, no multiple of the 32"},
      {"a scalar in blocks", tensor("a", {}, 2), "rows of 1 values"},
      {"offset not 0", tensor("a", {4}, 0, 32, 64), "at offset 32 of the data, expected 0"},
      {"offset not aligned", two("b", 16, 64), "'b' is at offset 16 of the data, expected 32"},
      {"tensors overlap", two("b", 0, 64), "'b' is at offset 0 of the data, expected 32"},
      {"hole between tensors", two("b", 64, 96), "'b' is at offset 64 of the data, expected 32"},
      {"offset wraps", two("b", UINT64_MAX - 31, 64), "expected 32"},
      {"no data", tensor("a", {4}, 0, 0, 0), "tensor 'a' needs 16 bytes"},
      {"data cut short", tensor("a", {4}, 0, 0, 15), "tensor 'a' needs 16 bytes"},
      {"last padding cut short", tensor("a", {4}, 0, 0, 31), "padding after a tensor needs 16 bytes"},
      {"bytes after the last tensor", tensor("a", {4}, 0, 0, 33), "1 bytes after the last tensor"},
      {"bytes without a tensor", header(0, 0).pad().zeros(1).bytes, "1 bytes after the last tensor"},
      {"tensor larger than the file", tensor("a", {int64_t{1} << 40}, 0), "tensor 'a' needs 4398046511104 bytes"},
  };
}

const auto parse_bad_gguf = [](std::span<const std::byte> bytes) { parse_gguf(bytes, "bad.gguf"); };

TEST(Gguf, BadFilesAreRefused) { check_bad_files(bad_gguf(), parse_bad_gguf); }

TEST(Gguf, ErrorsNameTheFile) {
  EXPECT_THAT(error_of([] { parse_bad_gguf(as_bytes("")); }), testing::StartsWith("bad.gguf: "));
}

// Written by gguf 0.19.0 (Python): GGUFWriter(path, "llama") with the values below, an F32 tensor [2, 3] of 0..5 and a
// Q4_0 tensor of two blocks holding the bytes 0..35.
std::string official_gguf() {
  constexpr std::string_view kHex =
      "474755460300000002000000000000000f00000000000000140000000000000067656e6572616c2e6172636869746563747572650800"
      "000005000000000000006c6c616d610400000000000000612e753800000000c80400000000000000612e693801000000fd0500000000"
      "000000612e7531360200000060ea0500000000000000612e69313603000000d4fe0500000000000000612e7533320400000000286bee"
      "0500000000000000612e6933320500000090eefeff0500000000000000612e663332060000000000c03f0600000000000000612e626f"
      "6f6c07000000010500000000000000612e73747208000000030000000000000068c3a90500000000000000612e7536340a0000000000"
      "0000000000800500000000000000612e6936340b0000000000000000ffffff0500000000000000612e6636340c0000009a9999999999"
      "b93f0600000000000000612e696e7473090000000500000003000000000000000100000002000000fdffffff0600000000000000612e"
      "737472730900000008000000020000000000000000000000000000000200000000000000616201000000000000007402000000030000"
      "000000000002000000000000000000000000000000000000000100000000000000710200000020000000000000000200000000000000"
      "0200000020000000000000000000000000000000000000000000000000000000803f0000004000004040000080400000a04000000000"
      "00000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122230000000000000000000000000000"
      "0000000000000000000000000000";
  std::string file;
  for (size_t i = 0; i < kHex.size(); i += 2) {
    file += static_cast<char>(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16));
  }
  return file;
}

template <class T>
bool both_are(const GgufValue& a, const GgufValue& b) {
  return a.get_if<T>() && b.get_if<T>() && *a.get_if<T>() == *b.get_if<T>();
}
template <class... T>
bool same_value(const GgufValue& a, const GgufValue& b, std::tuple<T...>*) {
  return (both_are<T>(a, b) || ...) || (both_are<std::vector<T>>(a, b) || ...);
}

void expect_same(const std::vector<GgufKeyValue>& got, const std::vector<GgufKeyValue>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].first, expected[i].first);
    EXPECT_TRUE(same_value(got[i].second, expected[i].second, static_cast<GgufScalars*>(nullptr))) << got[i].first;
  }
}

std::vector<GgufKeyValue> official_values() {
  using namespace std::string_literals;
  return {{"general.architecture", "llama"s},
          {"a.u8", uint8_t{200}},
          {"a.i8", int8_t{-3}},
          {"a.u16", uint16_t{60000}},
          {"a.i16", int16_t{-300}},
          {"a.u32", uint32_t{4000000000}},
          {"a.i32", int32_t{-70000}},
          {"a.f32", 1.5f},
          {"a.bool", true},
          {"a.str", "h\u00e9"s},
          {"a.u64", uint64_t{1} << 63},
          {"a.i64", -(int64_t{1} << 40)},
          {"a.f64", 0.1},
          {"a.ints", std::vector<int32_t>{1, 2, -3}},
          {"a.strs", std::vector<std::string>{"", "ab"}}};
}

TEST(Gguf, ReadsTheOfficialFile) {
  const std::string file = official_gguf();
  const GgufContent content = parse_gguf(as_bytes(file), "official");
  expect_same(content.values, official_values());
  ASSERT_EQ(content.tensors.size(), 2u);
  EXPECT_EQ(content.tensors[0].ne, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(load<float>(content.tensors[0].bytes, 20), 5.0f);
  EXPECT_EQ(content.tensors[1].type->name, "Q4_0");
  EXPECT_EQ(content.tensors[1].ne, (std::vector<int64_t>{32, 2}));
  EXPECT_EQ(content.tensors[1].bytes.size(), 36u);
  EXPECT_EQ(content.tensors[1].bytes[35], std::byte{35});
}

TEST(Gguf, WritesTheOfficialFileByteForByte) {
  const TemporaryFolder folder;
  const std::string file = official_gguf();
  const GgufContent content = parse_gguf(as_bytes(file), "official");
  std::vector<GgufTensorInfo> infos;
  for (const GgufTensor& tensor : content.tensors) infos.push_back({tensor.name, tensor.type, tensor.ne});
  GgufWriter writer(folder / "x.gguf", official_values(), infos);
  for (const GgufTensor& tensor : content.tensors) writer.write(tensor.name, tensor.bytes);
  writer.finish();
  EXPECT_EQ(read_raw(folder / "x.gguf"), file);
}

TEST(Gguf, EveryTruncationIsRefused) { check_truncations(official_gguf(), parse_bad_gguf); }

TEST(Gguf, EveryFlippedByteIsSafe) {
  const std::string valid = official_gguf();
  for (size_t i = 0; i < valid.size(); ++i) {
    for (const int flip : {1, 2, 16, 64, 255}) {
      std::string file = valid;
      file[i] = static_cast<char>(file[i] ^ flip);
      try {
        parse_bad_gguf(as_bytes(file));
      } catch (const Error&) {
      }
    }
  }
}

TEST(Gguf, AFileWithoutTensorsNeedsNoPadding) {
  const Text text = header(0, 1).string("a").put(0u).put(uint8_t{1});
  EXPECT_EQ(parse_gguf(as_bytes(text.bytes), "x").values.size(), 1u);
  EXPECT_EQ(parse_gguf(as_bytes(Text(text).pad().bytes), "x").values.size(), 1u);
}

TEST(Gguf, EveryValueTypeAndAlignmentSurvive) {
  const TemporaryFolder folder;
  const std::vector<GgufKeyValue> values = {{"general.alignment", uint32_t{128}},
                                            {"u8", std::vector<uint8_t>{1, 255}},
                                            {"i8", std::vector<int8_t>{-128, 127}},
                                            {"u16", std::vector<uint16_t>{65535}},
                                            {"i16", std::vector<int16_t>{-32768}},
                                            {"u32", std::vector<uint32_t>{4294967295}},
                                            {"i32", std::vector<int32_t>{}},
                                            {"f32", std::vector<float>{-0.0f, 1e-45f}},
                                            {"bool", std::vector<bool>{true, false, true}},
                                            {"string", std::vector<std::string>{std::string("a\0b", 3), "\xff"}},
                                            {"u64", std::vector<uint64_t>{UINT64_MAX}},
                                            {"i64", std::vector<int64_t>{INT64_MIN}},
                                            {"f64", std::vector<double>{1e300}}};
  GgufWriter writer(folder / "x", values, {{"a", find_ggml_type("i8"), {3}}, {"s", find_ggml_type("F32"), {}}});
  for (const char c : std::string("abc1234")) writer.write(as_bytes(std::string_view(&c, 1)));
  writer.finish();
  const GgufReader reader(folder / "x");
  expect_same(reader.values(), values);
  EXPECT_EQ(reader.alignment(), 128u);
  EXPECT_EQ(fs::file_size(folder / "x") % 128, 0u);
  EXPECT_EQ(as_text(reader.tensor("s").bytes), "1234");
  EXPECT_EQ(reader.get<std::vector<int8_t>>("i8")[0], -128);
  EXPECT_EQ(gguf_type_name(*reader.find_value("bool")), "array of bool");
  EXPECT_EQ(reader.find_value("no"), nullptr);
  EXPECT_THAT(error_of([&] { reader.get<uint32_t>("no"); }), HasSubstr("has no key 'no'"));
  EXPECT_THAT(error_of([&] { reader.get<uint32_t>("i8"); }), HasSubstr("'i8' is array of int8, expected uint32"));
  EXPECT_THAT(error_of([&] { reader.tensor("no"); }), HasSubstr("has no tensor 'no'"));
}

TEST(Gguf, WriterRefusesMisuse) {
  const TemporaryFolder folder;
  const fs::path path = folder / "x";
  const GgmlType* q4 = find_ggml_type("q4_0");
  const auto error = [&](std::vector<GgufKeyValue> values, std::vector<GgufTensorInfo> tensors) {
    return error_of([&] { GgufWriter(path, values, tensors); });
  };
  EXPECT_THAT(error({{"a", 1}, {"a", 2}}, {}), HasSubstr("'a' is given twice"));
  EXPECT_THAT(error({{"", 1}}, {}), HasSubstr("is empty"));
  EXPECT_THAT(error({{"general.alignment", uint32_t{3}}}, {}), HasSubstr("expected a power of two"));
  EXPECT_THAT(error({}, {{std::string(64, 'a'), q4, {32}}}), HasSubstr("longer than 63 bytes"));
  EXPECT_THAT(error({}, {{"a", q4, {32}}, {"a", q4, {32}}}), HasSubstr("'a' is given twice"));
  EXPECT_THAT(error({}, {{"a", nullptr, {32}}}), HasSubstr("has no type"));
  EXPECT_THAT(error({}, {{"a", q4, {32, 1, 1, 1, 1}}}), HasSubstr("over 4 dimensions"));
  EXPECT_THAT(error({}, {{"a", q4, {33}}}), HasSubstr("rows of 33 values"));
  EXPECT_THAT(error({}, {{"a", q4, {32, 0}}}), HasSubstr("a dimension of 0"));
  GgufWriter writer(path, {}, {{"a", q4, {32}}, {"b", q4, {32}}});
  const std::string block(18, 'x');
  EXPECT_THAT(error_of([&] { writer.write("b", as_bytes(block)); }), HasSubstr("got tensor 'b', expected 'a'"));
  EXPECT_THAT(error_of([&] { writer.write("a", as_bytes("x")); }), HasSubstr("got 1 bytes"));
  writer.write(as_bytes(block + "y"));
  EXPECT_THAT(error_of([&] { writer.write("b", as_bytes(block)); }), HasSubstr("expected more of 'b'"));
  EXPECT_THAT(error_of([&] { writer.finish(); }), HasSubstr("bytes of tensor 'b' are missing"));
  EXPECT_THAT(error_of([&] { writer.write(as_bytes(block)); }), HasSubstr("more bytes"));
  EXPECT_FALSE(fs::exists(path));
}

TEST(GgmlTypes, AreFoundByIdAndName) {
  std::set<int32_t> ids;
  for (const GgmlType& type : ggml_types()) {
    EXPECT_TRUE(ids.insert(type.id).second);
    EXPECT_EQ(find_ggml_type(type.id), &type);
    EXPECT_EQ(find_ggml_type(type.name), &type);
    EXPECT_EQ(ggml_bytes(type, std::vector<int64_t>{type.block_elements, 3}), 3 * type.block_bytes);
  }
  EXPECT_EQ(find_ggml_type("q2_0")->id, 42);
  EXPECT_EQ(find_ggml_type("q2"), nullptr);
  EXPECT_EQ(find_ggml_type(""), nullptr);
}

}  // namespace
}  // namespace detent::io::test
