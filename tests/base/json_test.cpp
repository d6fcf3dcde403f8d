#include "detent/base/json.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include "detent/base/error.h"

namespace detent {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  try {
    parse_json(text, "x.json", 4);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput);
    return error.what();
  }
  return "";
}

TEST(Json, ReadsEveryKindOfValue) {
  const auto value = parse_json(R"({"a":[1,-2,3.5,true,null,"x"],"b":{},"c":[]})", "x.json");
  EXPECT_EQ(value.dump(), R"({"a":[1,-2,3.5,true,null,"x"],"b":{},"c":[]})");
  EXPECT_EQ(parse_json("18446744073709551615", "x").get<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(parse_json(R"([[1],[[2]],{"a":{"b":[3]}}])", "x").dump(), R"([[1],[[2]],{"a":{"b":[3]}}])");
}

TEST(Json, RefusesWhatIsNotStrict) {
  EXPECT_THAT(error_of(R"({"a":1,"a":2})"), HasSubstr("x.json: key 'a' appears twice"));
  EXPECT_THAT(error_of(R"([{"b":{"a":1,"\u0061":2}}])"), HasSubstr("key 'a' appears twice"));
  EXPECT_THAT(error_of("[[[[[]]]]]"), HasSubstr("nested deeper than 4"));
  EXPECT_EQ(error_of("[[[[1]]]]"), "");
  EXPECT_THAT(error_of(std::string(1'000'000, '[')), HasSubstr("nested deeper"));
  for (const char* text : {"", "{", "[1,]", "{} {}", "nul", "\"\xff\"", "[NaN]", "'a'", "[01]", "1e999"}) {
    EXPECT_THAT(error_of(text), HasSubstr("x.json: not valid JSON")) << text;
  }
}

TEST(Json, NothingHidesBehindANul) {
  EXPECT_THAT(error_of(std::string_view("{}\0{", 4)), HasSubstr("a NUL byte at offset 2"));
}

// Lines of .jsonl are numbered by their source; a second number would be one too many.
TEST(Json, TheFirstLineIsNotNumbered) {
  EXPECT_THAT(error_of("[1,]"), HasSubstr("x.json: not valid JSON: parse error at column 4: "));
  EXPECT_THAT(error_of("[1,\n]"), HasSubstr("x.json: not valid JSON: parse error at line 2, column 1: "));
}

TEST(Json, ErrorsArePrintable) {
  EXPECT_EQ(in_quotes("a\x1b[2J\n\xff"), "'a\\x1b[2J\\x0a\\xff'");
  EXPECT_EQ(in_quotes(std::string(200, 'a')).size(), 125u);
  EXPECT_LT(error_of("\"" + std::string(1'000'000, 'a')).size(), 400u);
}

}  // namespace
}  // namespace detent
