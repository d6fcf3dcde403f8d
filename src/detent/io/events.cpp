#include "detent/io/events.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "detent/base/error.h"
#include "detent/io/bytes.h"
#include "detent/io/crc32c.h"

namespace detent::io {
namespace {

// Protocol buffer wire types: https://protobuf.dev/programming-guides/encoding
enum class Wire : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_key(std::string& out, uint64_t field, Wire wire) { put_varint(out, field << 3 | static_cast<uint64_t>(wire)); }

void put_bytes(std::string& out, uint64_t field, std::string_view bytes) {
  put_key(out, field, Wire::kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

// Summary.Value { string tag = 1; float simple_value = 2; }
std::string summary_value(const ScalarEvent& event) {
  std::string value;
  put_bytes(value, 1, event.tag);
  put_key(value, 2, Wire::kFixed32);
  append(value, event.value);
  return value;
}

// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
std::string event_start(double wall_time) {
  std::string event;
  put_key(event, 1, Wire::kFixed64);
  append(event, wall_time);
  return event;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string host_name() {
  char name[256] = "";
  if (::gethostname(name, sizeof(name) - 1) != 0) return "localhost";
  for (char& c : name) {
    if (c == '/') c = '_';
  }
  return *name ? name : "localhost";
}

}  // namespace

EventWriter::EventWriter(const std::filesystem::path& folder) {
  const std::string name =
      fmt::format("events.out.tfevents.{}.{}.{}", static_cast<int64_t>(now()), host_name(), ::getpid());
  for (int count = 0; !file_; ++count) {
    path_ = folder / (count == 0 ? name : fmt::format("{}.{}", name, count));
    file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666));
    if (!file_ && (errno != EEXIST || count == 1000)) {
      fail_machine("cannot write {}: {}", path_.string(), std::strerror(errno));
    }
  }
  std::string event = event_start(now());
  put_bytes(event, 3, "brain.Event:2");
  put_record(event);
}

void EventWriter::scalar(int64_t step, std::string_view tag, float value) {
  const ScalarEvent event{tag, value};
  scalars(step, std::span(&event, 1));
}

void EventWriter::scalars(int64_t step, std::span<const ScalarEvent> events) { scalars(step, events, now()); }

void EventWriter::scalars(int64_t step, std::span<const ScalarEvent> events, double wall_time) {
  std::string summary;
  for (const ScalarEvent& scalar : events) put_bytes(summary, 1, summary_value(scalar));
  std::string event = event_start(wall_time);
  put_key(event, 2, Wire::kVarint);
  put_varint(event, static_cast<uint64_t>(step));
  put_bytes(event, 5, summary);
  put_record(event);
}

void EventWriter::put_record(std::string_view event) {
  std::string record;
  append<uint64_t>(record, event.size());
  append(record, masked_crc32c(as_bytes(record)));
  record += event;
  append(record, masked_crc32c(as_bytes(event)));
  size_t done = 0;
  while (done < record.size()) {
    const ssize_t written = ::write(file_.get(), record.data() + done, record.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int error = written < 0 ? errno : ENOSPC;
      // Half a record would hide every later one from a reader.
      [[maybe_unused]] const int ignored = ::ftruncate(file_.get(), static_cast<off_t>(size_));
      fail_machine("cannot write {}: {}", path_.string(), std::strerror(error));
    }
    done += static_cast<size_t>(written);
  }
  size_ += record.size();
}

}  // namespace detent::io
