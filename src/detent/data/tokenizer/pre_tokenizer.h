// Cutting a normalized text into the words that the model encodes one by one.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "detent/data/tokenizer/finder.h"

namespace detent {

// A part of a text on its way through the tokenizer.
struct Piece {
  std::string_view text;
  bool at_start = false;   // its first character is the first of the text that the user gave
  bool continues = false;  // the text before it was encoded apart: no prefix belongs here
};

class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual void take(const Piece& piece) = 0;  // not empty; piece.text lives during the call
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void run(const Piece& piece, PieceSink& sink) const = 0;
  virtual Cut cut_before(char space) const = 0;  // Finder::cut_before, for pieces
};

// What becomes of a match and of what lies between matches (the library's SplitDelimiterBehavior).
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// invert: what lies between matches takes the part of the matches.
std::unique_ptr<PreTokenizer> split(std::unique_ptr<Finder> finder, SplitBehavior behavior, bool invert);

enum class Prepend { kAlways, kFirst, kNever };

// Spaces become `replacement`; a piece that does not begin with it gets one in front (always, only at the start of the
// text, or never); with cut, each replacement begins a word.
std::unique_ptr<PreTokenizer> metaspace(char32_t replacement, Prepend prepend, bool cut);

// A piece that does not begin with a space gets one in front.
std::unique_ptr<PreTokenizer> space_before();

// Every part's pieces go through the next part.
class PreTokenizerChain {
 public:
  void add(std::unique_ptr<PreTokenizer> part) { parts_.push_back(std::move(part)); }
  size_t size() const { return parts_.size(); }
  void run(const Piece& piece, PieceSink& words) const { run_from(0, piece, words); }
  Cut cut_before(char space) const;

 private:
  void run_from(size_t part, const Piece& piece, PieceSink& words) const;
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

}  // namespace detent
