#include "detent/io/spool.h"

#include <gtest/gtest.h>

#include "detent/io/bytes.h"
#include "tests/io/support.h"

namespace detent::io::test {
namespace {

TEST(Spool, GivesBackWhatWasPutInAnyOrder) {
  const TemporaryFolder folder;
  Spool spool(folder.path());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  const std::vector<std::string> all = {"first", "", std::string(1'000'003, 'x'), "last"};
  std::vector<Spool::Place> places;
  for (const std::string& text : all) places.push_back(spool.put(as_bytes(text)));
  for (const size_t i : {2u, 0u, 3u, 1u, 2u}) EXPECT_EQ(as_text(spool.get(places[i])), all[i]);
}

TEST(Spool, SaysWhereItCannotWrite) {
  EXPECT_NE(error_of([] { Spool("/nowhere/at/all"); }, ExitCode::kMachineFault).find("/nowhere/at/all"),
            std::string::npos);
}

}  // namespace
}  // namespace detent::io::test
