#include "detent/io/atomic_file.h"

#include <sys/stat.h>

#include "detent/io/mapped_file.h"
#include "tests/io/support.h"

namespace detent::io::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(MappedFile, ReadsWhatIsThere) {
  const TemporaryFolder folder;
  write_raw(folder / "x", "hello");
  write_raw(folder / "empty", "");
  MappedFile file(folder / "x");
  EXPECT_EQ(as_text(file.bytes()), "hello");
  EXPECT_TRUE(MappedFile(folder / "empty").bytes().empty());
  const MappedFile moved = std::move(file);
  EXPECT_EQ(as_text(moved.bytes()), "hello");
}

TEST(MappedFile, NamesWhatItCannotRead) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { MappedFile file(folder / "no"); }), HasSubstr("no: No such file"));
  EXPECT_THAT(error_of([&] { MappedFile file(folder.path()); }), HasSubstr("it is a folder"));
  EXPECT_THAT(error_of([&] { MappedFile file("/dev/zero"); }), HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { MappedFile file(folder / "pipe"); }), HasSubstr("not a regular file"));
}

TEST(AtomicFile, AppearsAtCommit) {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder / "x");
    file.write("hello ");
    file.write(std::string(1'000'000, 'a'));
    file.write("end");
    EXPECT_EQ(file.size(), 1'000'009u);
    EXPECT_FALSE(fs::exists(folder / "x"));
    file.commit();
  }
  EXPECT_EQ(read_raw(folder / "x"), "hello " + std::string(1'000'000, 'a') + "end");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("x"));
}

TEST(AtomicFile, WithoutCommitTheOldFileStays) {
  const TemporaryFolder folder;
  write_raw(folder / "x", "old");
  {
    AtomicFile file(folder / "x");
    file.write(std::string(1'000'000, 'a'));
  }
  EXPECT_EQ(read_raw(folder / "x"), "old");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("x"));
}

TEST(AtomicFile, KeepsModeAndFollowsLinks) {
  const TemporaryFolder folder;
  write_raw(folder / "x", "old");
  fs::permissions(folder / "x", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("x", folder / "link");
  write_file_atomically(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_raw(folder / "x"), "new");
  EXPECT_EQ(fs::status(folder / "x").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST(AtomicFile, TwoWritersOfOneNameDoNotMix) {
  const TemporaryFolder folder;
  AtomicFile a(folder / "x"), b(folder / "x");
  a.write("a");
  b.write("b");
  a.commit();
  b.commit();
  EXPECT_EQ(read_raw(folder / "x"), "b");
}

TEST(AtomicFile, MistakesAreBadInput) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { AtomicFile file(folder / "no/x"); }), HasSubstr("does not exist; create it"));
  EXPECT_THAT(error_of([&] { AtomicFile file(folder.path()); }), HasSubstr("it is a folder"));
  EXPECT_THAT(error_of([&] { AtomicFile file("/dev/null"); }), HasSubstr("not a regular file"));
}

TEST(AtomicFile, FullDiskLeavesTheOldFile) {
  const TemporaryFolder folder;
  const TinyDisk disk(folder / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs needs root";
  const fs::path path = folder / "disk/x";
  write_file_atomically(path, "old");
  const auto fill = [&] { write_file_atomically(path, std::string(1'000'000, 'a')); };
  const std::string message = error_of(fill, ExitCode::kMachineFault);
  EXPECT_THAT(message, HasSubstr("disk/x: No space left on device"));
  EXPECT_EQ(read_raw(path), "old");
  EXPECT_THAT(names_in(folder / "disk"), ElementsAre("x"));
}

TEST(AtomicFile, FullDiskIsNoticedInTheMiddleOfSmallWrites) {
  const TemporaryFolder folder;
  const TinyDisk disk(folder / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small tmpfs needs root";
  const auto fill = [&] {
    AtomicFile file(folder / "disk/x");
    for (int i = 0; i < 1000; ++i) file.write(std::string(100, 'a'));
    file.commit();
  };
  EXPECT_THAT(error_of(fill, ExitCode::kMachineFault), HasSubstr("No space left"));
  EXPECT_THAT(names_in(folder / "disk"), IsEmpty());
}

TEST(AtomicFile, ReadOnlyFileSystemIsAMachineFault) {
  const TemporaryFolder folder;
  TinyDisk disk(folder / "disk");
  if (!disk.mounted() || !disk.make_read_only()) GTEST_SKIP() << "mounting a small tmpfs needs root";
  EXPECT_THAT(error_of([&] { write_file_atomically(folder / "disk/x", "a"); }, ExitCode::kMachineFault),
              HasSubstr("Read-only file system"));
}

TEST(AtomicFile, FolderWithoutPermissionIsAMachineFault) {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms(0555));
  const uid_t user = ::geteuid();
  ASSERT_EQ(::seteuid(user == 0 ? 65534 : user), 0);  // root may write everywhere
  const auto write = [&] { write_file_atomically(folder / "x", "a"); };
  EXPECT_THAT(error_of(write, ExitCode::kMachineFault), HasSubstr("Permission denied"));
  ASSERT_EQ(::seteuid(user), 0);
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST(AtomicDirectory, AppearsAtCommit) {
  const TemporaryFolder folder;
  {
    AtomicDirectory directory(folder / "c");
    fs::create_directory(directory.staging() / "sub");
    write_raw(directory.staging() / "sub/x", "x");
    EXPECT_FALSE(fs::exists(folder / "c"));
    directory.commit();
  }
  EXPECT_EQ(read_raw(folder / "c/sub/x"), "x");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("c"));
}

TEST(AtomicDirectory, ReplacesOrLeavesTheOldOne) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "c");
  write_raw(folder / "c/old", "old");
  { AtomicDirectory abandoned(folder / "c"); }
  EXPECT_THAT(names_in(folder / "c"), ElementsAre("old"));
  AtomicDirectory directory(folder / "c/");
  write_raw(directory.staging() / "new", "new");
  directory.commit();
  EXPECT_THAT(names_in(folder / "c"), ElementsAre("new"));
  EXPECT_THAT(names_in(folder.path()), ElementsAre("c"));
}

TEST(AtomicDirectory, IsRemovedUnderAnotherName) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "c/sub");
  write_raw(folder / "c/sub/x", "x");
  remove_folder(folder / "c");
  EXPECT_THAT(names_in(folder.path()), IsEmpty());
  EXPECT_THAT(error_of([&] { remove_folder(folder / "c"); }, ExitCode::kMachineFault), HasSubstr("cannot remove"));
}

TEST(AtomicDirectory, MistakesAreBadInput) {
  const TemporaryFolder folder;
  write_raw(folder / "x", "");
  EXPECT_THAT(error_of([&] { AtomicDirectory directory(folder / "x"); }), HasSubstr("a file is in the way"));
  EXPECT_THAT(error_of([&] { AtomicDirectory directory(folder / "no/x"); }), HasSubstr("does not exist"));
}

TEST(Folders, AreMadeWhereTheyCanBe) {
  const TemporaryFolder folder;
  write_raw(folder / "file", "mine");
  create_parent(folder / "a/b/x");
  EXPECT_TRUE(fs::is_directory(folder / "a/b"));
  EXPECT_FALSE(fs::exists(folder / "a/b/x"));
  create_parent(folder / "c/d/");
  EXPECT_TRUE(fs::is_directory(folder / "c"));
  EXPECT_FALSE(fs::exists(folder / "c/d"));
  create_parent("x");                // the folder one stands in
  create_parent(folder / "file/x");  // is there, whatever it is: writing to it says what is wrong
  create_folder(folder / "a/b");
  EXPECT_THAT(error_of([&] { create_parent(folder / "file/y/x"); }), HasSubstr("file/y': Not a directory"));
  EXPECT_THAT(error_of([&] { create_folder(folder / "file"); }), HasSubstr("cannot create the folder"));
  EXPECT_THAT(error_of([&] { create_folder(folder / std::string(300, 'x')); }), HasSubstr("choose another"));
  EXPECT_EQ(read_raw(folder / "file"), "mine");
}

TEST(AtomicFile, AnotherKindOfFileIsNotReplaced) {
  const TemporaryFolder folder;
  write_raw(folder / "empty", "");
  write_raw(folder / "older.gguf", "GGUF and more");
  write_raw(folder / "config.yaml", "model: {}");
  write_raw(folder / "short", "GG");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  for (const char* name : {"none", "empty", "older.gguf", "pipe", "."})
    EXPECT_NO_THROW(check_replaceable(folder / name, "GGUF", "a GGUF file")) << name;
  for (const char* name : {"config.yaml", "short"})
    EXPECT_THAT(error_of([&] { check_replaceable(folder / name, "GGUF", "a GGUF file"); }),
                HasSubstr(std::string(name) + " exists and is not a GGUF file"));
}

TEST(AtomicDirectory, StaleTemporariesAreRemoved) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "step-1.tmp-123/sub");
  write_raw(folder / "latest.tmp-77-3", "");
  for (const char* name : {"latest", "a.tmp-", "a.tmp-x", "a.tmp-1-", "a.tmp-1x", ".tmp-1"})
    write_raw(folder / name, "");
  EXPECT_THAT(remove_stale_temporaries(folder.path()), ElementsAre("latest.tmp-77-3", "step-1.tmp-123"));
  EXPECT_THAT(names_in(folder.path()), ElementsAre(".tmp-1", "a.tmp-", "a.tmp-1-", "a.tmp-1x", "a.tmp-x", "latest"));
  EXPECT_THAT(remove_stale_temporaries(folder / "no"), IsEmpty());
}

}  // namespace
}  // namespace detent::io::test
