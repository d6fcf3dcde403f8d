#include "detent/data/tokenizer/bpe.h"

#include <algorithm>
#include <functional>

#include "detent/base/error.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokenizer/byte_spelling.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

constexpr int32_t kNone = -1;

// The byte that text begins (or ends) with as "<0x0A>".
std::optional<uint8_t> byte_at_edge(std::string_view text, bool first) {
  constexpr size_t kSize = 6;
  if (text.size() < kSize) return std::nullopt;
  return fallback_byte(first ? text.substr(0, kSize) : text.substr(text.size() - kSize));
}

}  // namespace

Bpe::Bpe(BpeParts parts) : parts_(std::move(parts)), merges_(parts_.merges.size()) {
  uint32_t rank = 0;
  for (const BpeParts::Merge& merge : parts_.merges) merges_.at(merge.left, merge.right) = {rank++, merge.result};
  index_units();
  index_joints();
  if (!parts_.byte_level || !parts_.ignore_merges) return;
  std::string bytes;
  for (int32_t id = 0; id < parts_.vocabulary.end(); ++id)
    if (parts_.vocabulary.has(id) && bytes_spelled(parts_.vocabulary.spelling(id), bytes)) words_.add(bytes, id);
}

void Bpe::index_units() {
  const TokenTable& vocabulary = parts_.vocabulary;
  if (parts_.byte_level) {
    units_.resize(256, kNone);
    for (int byte = 0; byte < 256; ++byte)
      units_[byte] = vocabulary.find(gpt2_spelling(static_cast<uint8_t>(byte))).value_or(kNone);
  } else {
    for (int32_t id = 0; id < vocabulary.end(); ++id) {
      if (!vocabulary.has(id) || vocabulary.spelling(id).empty()) continue;
      size_t at = 0;
      const char32_t code = next_code_point(vocabulary.spelling(id), at);
      if (at != vocabulary.spelling(id).size()) continue;
      if (code >= units_.size()) units_.resize(code + 1, kNone);
      units_[code] = id;
    }
  }
  if (!parts_.byte_fallback) return;
  for (int byte = 0; byte < 256; ++byte)
    bytes_.push_back(vocabulary.find(fallback_spelling(static_cast<uint8_t>(byte))).value_or(kNone));
}

// The units that a token's characters may begin (or end) with: its first character, or the byte that it spells.
std::vector<int32_t> Bpe::edge_units(int32_t token, bool first) const {
  const std::string_view spelling = parts_.vocabulary.spelling(token);
  if (spelling.empty()) return {};
  std::vector<int32_t> units;
  size_t at = first ? 0 : previous_boundary(spelling, spelling.size());
  if (parts_.byte_level) {
    size_t end = at;
    next_code_point(spelling, end);
    std::string byte;
    if (bytes_spelled(spelling.substr(at, end - at), byte)) units.push_back(units_[static_cast<uint8_t>(byte[0])]);
  } else {
    units.push_back(unit(spelling, at));
  }
  if (!bytes_.empty())
    if (const auto byte = byte_at_edge(spelling, first)) units.push_back(bytes_[*byte]);
  return units;
}

void Bpe::index_joints() {
  for (const BpeParts::Merge& merge : parts_.merges)
    for (const int32_t left : edge_units(merge.left, false))
      for (const int32_t right : edge_units(merge.right, true))
        if (left != kNone && right != kNone) joints_.at(left, right) = 1;
}

// The token of the unit at word[at], which moves behind it; kNone when no token is that unit.
int32_t Bpe::unit(std::string_view word, size_t& at) const {
  if (parts_.byte_level) return units_[static_cast<uint8_t>(word[at++])];
  const char32_t code = next_code_point(word, at);
  return code < units_.size() ? units_[code] : kNone;
}

bool Bpe::joined(int32_t left, int32_t right) const {
  return left == kNone || right == kNone || joints_.find(left, right) != nullptr;
}

bool Bpe::can_cut_in(std::string_view two) const {
  size_t at = 0;
  const auto next_unit = [&] {
    if (at == two.size()) return kNone;
    const char byte = two[at];
    const int32_t token = unit(two, at);
    return token == kNone && !bytes_.empty() && static_cast<uint8_t>(byte) < 0x80 ? bytes_[static_cast<uint8_t>(byte)]
                                                                                  : token;
  };
  const int32_t left = next_unit(), right = next_unit();
  return at == two.size() && !parts_.ignore_merges && !joined(left, right);
}

std::optional<int32_t> Bpe::whole_word(std::string_view word) const {
  return parts_.byte_level ? words_.find(word) : parts_.vocabulary.find(word);
}

void Bpe::encode(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& out) const {
  if (parts_.ignore_merges)
    if (const auto id = whole_word(word)) return out.push_back(*id);
  if (word.size() <= WordCache::kLongest) return encode_part(word, scratch, out);
  // A long word, such as a whole text where nothing cuts it, falls into parts that no merge can join.
  for (size_t begin = 0; begin < word.size();) {
    const size_t end = end_of_part(word, begin);
    encode_part(word.substr(begin, end - begin), scratch, out);
    begin = end;
  }
}

size_t Bpe::end_of_part(std::string_view word, size_t from) const {
  int32_t left = unit(word, from);
  while (from < word.size()) {
    size_t next = from;
    const int32_t right = unit(word, next);
    if (!joined(left, right)) break;
    left = right;
    from = next;
  }
  return from;
}

void Bpe::encode_part(std::string_view part, BpeScratch& scratch, std::vector<int32_t>& out) const {
  std::optional<WordCache::Place> place;
  if (part.size() <= WordCache::kLongest) {
    place = scratch.cache.place(part);
    if (place->holds_word()) return void(out.insert(out.end(), place->ids().begin(), place->ids().end()));
  }
  read_symbols(part, scratch);
  merge(scratch);
  const size_t before = out.size();
  for (const BpeScratch::Symbol& symbol : scratch.symbols)
    if (symbol.id != kNone) out.push_back(symbol.id);
  if (place) place->put(std::span(out).subspan(before));
}

// The tokens of part's units. An unknown one waits for its neighbours; in the library it also waits behind byte tokens.
void Bpe::read_symbols(std::string_view part, BpeScratch& scratch) const {
  scratch.symbols.clear();
  const auto add = [&](int32_t id) {
    const auto position = static_cast<int32_t>(scratch.symbols.size());
    scratch.symbols.push_back({id, position - 1, position + 1});
  };
  bool waiting = false;
  for (size_t at = 0; at < part.size();) {
    const size_t begin = at;
    const int32_t id = unit(part, at);
    if (id != kNone) {
      if (waiting) add(*parts_.unknown);
      waiting = false;
      add(id);
    } else if (!fall_back(part.substr(begin, at - begin), scratch) && parts_.unknown) {
      if (waiting && !parts_.fuse_unknown) add(*parts_.unknown);
      waiting = true;
    }
  }
  if (waiting) add(*parts_.unknown);
  if (!scratch.symbols.empty()) scratch.symbols.back().next = kNone;
}

bool Bpe::fall_back(std::string_view bytes, BpeScratch& scratch) const {
  if (bytes_.empty()) return false;
  // The vocabulary has no byte as such but its spelling, which is what the library falls back from.
  const std::string spelled = parts_.byte_level ? gpt2_spelling(static_cast<uint8_t>(bytes[0])) : std::string(bytes);
  for (const char byte : spelled)
    if (bytes_[static_cast<uint8_t>(byte)] == kNone) return false;
  for (const char byte : spelled) {
    const auto position = static_cast<int32_t>(scratch.symbols.size());
    scratch.symbols.push_back({bytes_[static_cast<uint8_t>(byte)], position - 1, position + 1});
  }
  return true;
}

// Puts the merge of the symbol at position with its right neighbour, if there is one, into the heap.
void Bpe::consider(int32_t position, BpeScratch& scratch) const {
  const BpeScratch::Symbol& left = scratch.symbols[position];
  if (left.next == kNone) return;
  const Ranked* found = merges_.find(left.id, scratch.symbols[left.next].id);
  if (found)
    scratch.heap.push_back({static_cast<uint64_t>(found->rank) << 32 | static_cast<uint32_t>(position), found->result});
}

void Bpe::merge(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  const auto later = [](const auto& a, const auto& b) { return a.key > b.key; };
  const auto push = [&](int32_t position) {
    const size_t before = heap.size();
    consider(position, scratch);
    if (heap.size() > before) std::push_heap(heap.begin(), heap.end(), later);
  };
  heap.clear();
  for (size_t i = 0; i < symbols.size(); ++i) consider(static_cast<int32_t>(i), scratch);
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const BpeScratch::Candidate top = heap.back();
    heap.pop_back();
    const auto position = static_cast<int32_t>(top.key & UINT32_MAX);
    BpeScratch::Symbol& left = symbols[position];
    if (left.id == kNone || left.next == kNone) continue;
    BpeScratch::Symbol& right = symbols[left.next];
    const Ranked* found = merges_.find(left.id, right.id);
    if (!found || found->result != top.result) continue;  // one of the two has been merged since
    left.id = top.result;
    left.next = right.next;
    right.id = kNone;
    if (left.next != kNone) symbols[left.next].previous = position;
    if (left.previous >= 0) push(left.previous);
    push(position);
  }
}

}  // namespace detent
