// What a run folder needs besides its checkpoints: the event file and the lock.
#include <sys/wait.h>

#include <csignal>

#include "detent/io/crc32c.h"
#include "detent/io/dir_lock.h"
#include "detent/io/events.h"
#include "tests/io/support.h"

namespace detent::io::test {
namespace {

using testing::HasSubstr;

// Walks the records and checks both checksums of each: TensorBoard's own loader hides a bad one.
std::vector<std::string> records_of(const std::string& file) {
  std::vector<std::string> records;
  const auto bytes = as_bytes(file);
  for (size_t at = 0; at < bytes.size();) {
    const auto size = load<uint64_t>(bytes, at);
    EXPECT_EQ(load<uint32_t>(bytes, at + 8), masked_crc32c(bytes.subspan(at, 8)));
    EXPECT_EQ(load<uint32_t>(bytes, at + 12 + size), masked_crc32c(bytes.subspan(at + 12, size)));
    records.push_back(file.substr(at + 12, size));
    at += 16 + size;
  }
  return records;
}

TEST(Events, RecordsAreWhatTensorBoardReads) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path());
  EXPECT_THAT(writer.path().filename().string(),
              testing::MatchesRegex(fmt::format("events\\.out\\.tfevents\\.[0-9]+\\..+\\.{}", ::getpid())));
  const ScalarEvent events[] = {{"loss", 1.5f}, {"lr", -2.0f}};
  writer.scalars(300, events, 2.0);
  writer.scalar(301, "loss", 1.25f);
  const auto records = records_of(read_raw(writer.path()));  // on disk although the writer is open
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].substr(9),
            "\x1a\x0d"
            "brain.Event:2");
  // The serialization of tensorboard.compat.proto.event_pb2.Event(wall_time=2, step=300, summary=...) by protobuf.
  EXPECT_EQ(records[1], std::string("\x09\0\0\0\0\0\0\0\x40\x10\xac\x02\x2a\x18\x0a\x0b\x0a\x04loss\x15\0\0\xc0\x3f"
                                    "\x0a\x09\x0a\x02lr\x15\0\0\0\xc0",
                                    38));
}

TEST(Events, ANewWriterNeverTouchesAnOldFile) {
  const TemporaryFolder folder;
  const EventWriter a(folder.path()), b(folder.path());
  EXPECT_NE(a.path(), b.path());
  EXPECT_EQ(names_in(folder.path()).size(), 2u);
  EXPECT_THAT(error_of([&] { EventWriter(folder / "no"); }, ExitCode::kMachineFault), HasSubstr("cannot write"));
}

TEST(Events, AFullDiskLeavesWholeRecords) {
  const TemporaryFolder folder;
  const TinyDisk disk(folder / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs needs root";
  EventWriter writer(folder / "disk");
  const std::string tag(999, 't');
  const auto fill = [&] {
    for (int step = 0; step < 1000; ++step) writer.scalar(step, tag, 0);
  };
  EXPECT_THAT(error_of(fill, ExitCode::kMachineFault), HasSubstr("No space left"));
  EXPECT_GT(records_of(read_raw(writer.path())).size(), 10u);
}

TEST(DirLock, SecondTakerIsToldWho) {
  const TemporaryFolder folder;
  {
    const DirLock lock(folder.path());
    EXPECT_THAT(error_of([&] { DirLock second(folder.path()); }),
                HasSubstr(fmt::format("is in use by process {}; wait", ::getpid())));
  }
  const DirLock again(folder.path());
  EXPECT_THAT(error_of([&] { DirLock lock(folder / "no"); }), HasSubstr("the folder does not exist"));
}

TEST(DirLock, AKilledHolderLeavesNoLock) {
  const TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const DirLock lock(folder.path());
    [[maybe_unused]] const ssize_t written = ::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(error_of([&] { DirLock lock(folder.path()); }), HasSubstr(fmt::format("process {};", child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const DirLock lock(folder.path());
}

}  // namespace
}  // namespace detent::io::test
