#include <random>

#include "detent/io/crc32c.h"
#include "detent/io/sha256.h"
#include "tests/io/support.h"

namespace detent::io::test {
namespace {

std::string sha(std::string_view text) { return to_hex(sha256(as_bytes(text))); }

// FIPS 180-4 examples, and NIST's long message of a million a's.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sha(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, AnyCutGivesTheSameDigest) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (size_t size = 0; size <= text.size(); size += 13) {
    for (size_t cut = 0; cut <= size; ++cut) {
      Sha256 hash;
      hash.update(std::string_view(text).substr(0, cut));
      hash.update(std::string_view(text).substr(cut, size - cut));
      ASSERT_EQ(to_hex(hash.finish()), sha(text.substr(0, size))) << size << " " << cut;
    }
  }
}

TEST(Sha256, InstructionsAgreeWithPlainCode) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string text(random() % 1000, '\0');
    for (char& c : text) c = static_cast<char>(random());
    Sha256 portable(true);
    portable.update(text);
    ASSERT_EQ(to_hex(portable.finish()), sha(text));
  }
}

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\0'))), 0x8A9136AAu);
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\xff'))), 0x62A8AB43u);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending += c;
  EXPECT_EQ(crc32c(as_bytes(ascending)), 0x46DD794Eu);
  EXPECT_EQ(crc32c(as_bytes("")), 0u);
  EXPECT_EQ(masked_crc32c(as_bytes("")), 0xa282ead8u);
}

}  // namespace
}  // namespace detent::io::test
