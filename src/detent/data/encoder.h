// Documents to ids on several threads.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "detent/data/tokenizer.h"

namespace detent {

// Ids of a document, or of a part of one; parts come in order.
struct EncodedPart {
  std::span<const int32_t> ids;
  uint64_t bytes;  // of text
  bool ends_document;
};

// The ids and their order do not depend on the number of threads. Memory is bounded by some MB a thread, and by the
// longest stretch of text in which the tokenizer finds no place to cut (Tokenizer::find_cut).
class Encoder {
 public:
  using Take = std::function<void(const EncodedPart& part)>;
  // take is called by the thread that calls add() and finish(). threads >= 1.
  Encoder(const Tokenizer& tokenizer, int threads, Take take);
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // More of the current document. Fails with what the tokenizer fails with.
  void add(std::string_view bytes, bool ends_document);
  // Hands out what is left; the last document must be complete.
  void finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The processors that this process may use.
int default_threads();

}  // namespace detent
