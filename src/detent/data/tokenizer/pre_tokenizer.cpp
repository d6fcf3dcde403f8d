#include "detent/data/tokenizer/pre_tokenizer.h"

#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

struct Part {
  size_t begin, end;
  bool match;
};

// A part of piece as a piece of its own.
Piece part_of(const Piece& piece, size_t begin, size_t end) {
  const bool first = begin == 0;
  return {piece.text.substr(begin, end - begin), first && piece.at_start, first && piece.continues};
}

// The matches in text and what lies between them, in order. An empty match right behind another is passed over, as
// Oniguruma's iterator does; others stay, since they separate.
template <class Take>
void for_each_part(const Finder& finder, std::string_view text, const Take& take) {
  size_t done = 0, from = 0;
  bool any = false;
  while (from <= text.size()) {
    const std::optional<Match> match = finder.next(text, from);
    if (!match) break;
    if (match->begin == match->end && any && match->end == done) {
      if (from == text.size()) break;
      next_code_point(text, from);
      continue;
    }
    if (match->begin > done) take(Part{done, match->begin, false});
    take(Part{match->begin, match->end, true});
    done = from = match->end;
    any = true;
  }
  if (done < text.size()) take(Part{done, text.size(), false});
}

class Split : public PreTokenizer {
 public:
  Split(std::unique_ptr<Finder> finder, SplitBehavior behavior, bool invert)
      : finder_(std::move(finder)), behavior_(behavior), invert_(invert) {}

  void run(const Piece& piece, PieceSink& sink) const override {
    const auto give = [&](size_t begin, size_t end) {
      if (begin < end) sink.take(part_of(piece, begin, end));
    };
    if (behavior_ == SplitBehavior::kIsolated) {
      for_each_part(*finder_, piece.text, [&](const Part& part) { give(part.begin, part.end); });
    } else if (behavior_ == SplitBehavior::kRemoved) {
      for_each_part(*finder_, piece.text, [&](const Part& part) {
        if (part.match == invert_) give(part.begin, part.end);
      });
    } else {
      for (const Part& part : joined(piece.text)) give(part.begin, part.end);
    }
  }

  // Where neighbours join, a place between matches need not be one between pieces.
  Cut cut_before(char space) const override {
    const bool joins = behavior_ != SplitBehavior::kIsolated && behavior_ != SplitBehavior::kRemoved;
    const Cut cut = finder_->cut_before(space);
    return joins && cut == Cut::kBoundary ? Cut::kTransparent : cut;
  }

 private:
  std::vector<Part> joined(std::string_view text) const {
    std::vector<Part> parts;
    for_each_part(*finder_, text, [&](const Part& part) {
      parts.push_back({part.begin, part.end, part.match != invert_});
    });
    return behavior_ == SplitBehavior::kMergedWithNext ? with_next(parts) : with_previous(parts);
  }

  // A match joins what precedes it unless that ends in a match; kContiguous: neighbours of one kind join.
  std::vector<Part> with_previous(const std::vector<Part>& parts) const {
    std::vector<Part> result;
    bool previous = false;
    for (const Part& part : parts) {
      const bool joins = behavior_ == SplitBehavior::kContiguous ? part.match == previous : part.match && !previous;
      if (joins && !result.empty())
        result.back().end = part.end;
      else
        result.push_back(part);
      previous = part.match;
    }
    return result;
  }

  static std::vector<Part> with_next(const std::vector<Part>& parts) {
    std::vector<Part> result;
    bool next = false;
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (part->match && !next && !result.empty())
        result.back().begin = part->begin;
      else
        result.push_back(*part);
      next = part->match;
    }
    return {result.rbegin(), result.rend()};
  }

  std::unique_ptr<Finder> finder_;
  SplitBehavior behavior_;
  bool invert_;
};

class Metaspace : public PreTokenizer {
 public:
  Metaspace(char32_t replacement, Prepend prepend, bool cut)
      : replacement_(to_utf8(replacement)), prepend_(prepend), cut_(cut) {}

  void run(const Piece& piece, PieceSink& sink) const override {
    std::string text;
    text.reserve(piece.text.size() + piece.text.size() / 4 + replacement_.size());
    const bool prefixed = piece.text[0] == ' ' || piece.text.starts_with(replacement_);
    const bool wanted = prepend_ == Prepend::kAlways || (prepend_ == Prepend::kFirst && piece.at_start);
    if (wanted && !prefixed && !piece.continues) text = replacement_;
    for (const char c : piece.text) {
      if (c == ' ')
        text += replacement_;
      else
        text += c;
    }
    const Piece whole{text, piece.at_start, piece.continues};
    size_t begin = 0;
    for (size_t at = next(text, 1); cut_ && at < text.size(); at = next(text, at + 1)) {
      sink.take(part_of(whole, begin, at));
      begin = at;
    }
    sink.take(part_of(whole, begin, text.size()));
  }

  Cut cut_before(char space) const override { return cut_ && space == ' ' ? Cut::kBoundary : Cut::kTransparent; }

 private:
  size_t next(std::string_view text, size_t from) const { return std::min(text.find(replacement_, from), text.size()); }

  std::string replacement_;
  Prepend prepend_;
  bool cut_;
};

class SpaceBefore : public PreTokenizer {
 public:
  void run(const Piece& piece, PieceSink& sink) const override {
    if (piece.continues || piece.text.starts_with(' ')) return sink.take(piece);
    std::string text = " ";
    text += piece.text;
    sink.take({text, piece.at_start, false});
  }
  Cut cut_before(char) const override { return Cut::kTransparent; }
};

}  // namespace

std::unique_ptr<PreTokenizer> split(std::unique_ptr<Finder> finder, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(finder), behavior, invert);
}

std::unique_ptr<PreTokenizer> metaspace(char32_t replacement, Prepend prepend, bool cut) {
  return std::make_unique<Metaspace>(replacement, prepend, cut);
}

std::unique_ptr<PreTokenizer> space_before() { return std::make_unique<SpaceBefore>(); }

void PreTokenizerChain::run_from(size_t part, const Piece& piece, PieceSink& words) const {
  struct Next : PieceSink {
    Next(const PreTokenizerChain& all, size_t number, PieceSink& last) : chain(all), following(number), end(last) {}
    void take(const Piece& next) override { chain.run_from(following, next, end); }
    const PreTokenizerChain& chain;
    size_t following;
    PieceSink& end;
  };
  if (part == parts_.size()) return words.take(piece);
  if (part + 1 == parts_.size()) return parts_[part]->run(piece, words);
  Next next(*this, part + 1, words);
  parts_[part]->run(piece, next);
}

// Behind a part that cuts at a place, the pieces on both sides are the same whether the text was cut there or not.
Cut PreTokenizerChain::cut_before(char space) const {
  for (const auto& part : parts_)
    if (const Cut here = part->cut_before(space); here != Cut::kTransparent) return here;
  return Cut::kTransparent;
}

}  // namespace detent
