// What the io tests share: a folder that goes away, bad files from text, errors by fragment.
#pragma once
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

#include "detent/base/error.h"
#include "detent/io/bytes.h"

namespace detent::io::test {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "detent io XXXXXX").string();  // a path with spaces
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  fs::path operator/(std::string_view name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// A file system of 64 KiB; needs root.
class TinyDisk {
 public:
  explicit TinyDisk(const fs::path& path) : path_(path) {
    fs::create_directory(path);
    mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  ~TinyDisk() {
    if (mounted_) ::umount(path_.c_str());
  }
  bool mounted() const { return mounted_; }
  bool make_read_only() { return ::mount("", path_.c_str(), "", MS_REMOUNT | MS_RDONLY, "") == 0; }

 private:
  fs::path path_;
  bool mounted_ = false;
};

inline void write_raw(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}

inline std::string read_raw(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// The message of the detent::Error that action throws with this exit code; anything else is a failure.
inline std::string error_of(const std::function<void()>& action, ExitCode code = ExitCode::kBadInput) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

struct BadFile {
  const char* name;
  std::string content;
  const char* message;  // a fragment of the error
};

// Every case is refused with its message, and no proper prefix of valid is accepted or crashes.
inline void check_bad_files(const std::vector<BadFile>& cases,
                            const std::function<void(std::span<const std::byte>)>& parse) {
  for (const BadFile& bad : cases) {
    SCOPED_TRACE(bad.name);
    // An exact-size heap copy lets the address sanitizer see one byte too far.
    const std::vector<std::byte> copy(as_bytes(bad.content).begin(), as_bytes(bad.content).end());
    EXPECT_THAT(error_of([&] { parse(copy); }), testing::HasSubstr(bad.message));
  }
}

inline void check_truncations(std::string_view valid, const std::function<void(std::span<const std::byte>)>& parse) {
  parse(as_bytes(valid));
  for (size_t size = 0; size < valid.size(); ++size) {
    SCOPED_TRACE(size);
    const std::vector<std::byte> copy(as_bytes(valid).begin(), as_bytes(valid).begin() + static_cast<long>(size));
    error_of([&] { parse(copy); });
  }
}

}  // namespace detent::io::test
