// TensorBoard event files, scalars only. The format: TFRecord frames (tensorflow/core/lib/io/record_writer.cc) around
// Event messages (tensorflow/core/util/event.proto), few enough fields to encode by hand.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "detent/io/descriptor.h"

namespace detent::io {

struct ScalarEvent {
  std::string_view tag;
  float value = 0;
};

// A new file events.out.tfevents.UNIX.HOST.PID in folder; a resumed run adds a file, which TensorBoard joins to the
// first. Every call hands one whole record to the system, and a record that did not fit on the disk is taken back.
class EventWriter {
 public:
  explicit EventWriter(const std::filesystem::path& folder);

  // wall_time in seconds since 1970; the first form takes the clock's.
  void scalars(int64_t step, std::span<const ScalarEvent> events);
  void scalars(int64_t step, std::span<const ScalarEvent> events, double wall_time);
  void scalar(int64_t step, std::string_view tag, float value);
  const std::filesystem::path& path() const { return path_; }

 private:
  void put_record(std::string_view event);

  std::filesystem::path path_;
  Descriptor file_;
  uint64_t size_ = 0;  // bytes of whole records
};

}  // namespace detent::io
