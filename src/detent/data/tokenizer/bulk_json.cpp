#include "detent/data/tokenizer/bulk_json.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

namespace {

using nlohmann::json;

class BulkReader : public nlohmann::json_sax<json> {
 public:
  BulkReader(std::string_view source, BulkJson& result) : source_(source), result_(result), tree_(source) {}

  bool null() override { return inside() ? entry("null") : tree_.null(); }
  bool boolean(bool value) override { return inside() ? entry("a boolean") : tree_.boolean(value); }
  bool number_integer(number_integer_t value) override {
    return inside() ? number(value) : tree_.number_integer(value);
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!inside()) return tree_.number_unsigned(value);
    return number(static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX)));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    return inside() ? entry("a fraction") : tree_.number_float(value, text);
  }
  bool binary(binary_t&) override { return false; }

  bool string(string_t& value) override {
    if (!inside()) return tree_.string(value);
    if (part_ == Part::kSkipped) return true;
    if (part_ != Part::kMerges) return entry("a string");
    if (depth_ == 1) return merge_line(value);
    if (pair_.size() == 2) fail("{}: merge {} has more than two tokens", source_, result_.merges.size());
    pair_.push_back(result_.keep(value));
    return true;
  }

  bool key(string_t& name) override {
    if (!inside()) {
      path_.back() = name;
      return tree_.key(name);
    }
    if (part_ == Part::kVocabulary) token_ = result_.keep(name);
    return true;
  }

  bool start_object(size_t size) override {
    if (!inside() && at("vocab")) return begin(Part::kVocabulary, result_.has_vocabulary);
    if (!inside()) {
      path_.emplace_back();
      return tree_.start_object(size);
    }
    return open("an object");
  }
  bool start_array(size_t size) override {
    if (!inside() && at("merges")) return begin(Part::kMerges, result_.has_merges);
    if (!inside() && at("vocab")) return begin(Part::kSkipped, result_.has_vocabulary);
    if (!inside()) {
      path_.emplace_back();
      return tree_.start_array(size);
    }
    if (part_ == Part::kMerges && depth_ == 1) {
      pair_.clear();
      return ++depth_;
    }
    return open("a list");
  }
  bool end_object() override { return inside() ? close() : leave() && tree_.end_object(); }
  bool end_array() override { return inside() ? close() : leave() && tree_.end_array(); }
  bool parse_error(size_t at, const std::string& token, const json::exception& error) override {
    return tree_.parse_error(at, token, error);
  }
  json take() { return tree_.take(); }

 private:
  enum class Part { kNone, kVocabulary, kMerges, kSkipped };
  static constexpr int kMaxDepth = 64;

  bool inside() const { return part_ != Part::kNone; }
  bool at(std::string_view name) const { return path_.size() == 2 && path_[0] == "model" && path_[1] == name; }
  const char* name() const { return part_ == Part::kMerges ? "model.merges" : "model.vocab"; }

  bool begin(Part part, bool& seen) {
    tree_.null();  // the tree complains of a second one
    seen = true;
    part_ = part;
    return ++depth_;
  }
  bool leave() {
    path_.pop_back();
    return true;
  }
  bool open(const char* what) {
    if (part_ != Part::kSkipped) return entry(what);
    if (depth_ == kMaxDepth) fail("{}: JSON nested deeper than {} levels", source_, kMaxDepth);
    return ++depth_;
  }
  bool close() {
    if (part_ == Part::kMerges && depth_ == 2) {
      if (pair_.size() != 2) fail("{}: merge {} does not have two tokens", source_, result_.merges.size());
      result_.merges.push_back({pair_[0], pair_[1]});
    }
    if (--depth_ == 0) part_ = Part::kNone;
    return true;
  }

  bool entry(const char* what) const {
    if (part_ == Part::kSkipped) return true;
    fail("{}: {} holds {}", source_, name(), what);
  }
  bool number(int64_t value) {
    if (part_ != Part::kVocabulary) return entry("a number");
    result_.vocabulary.push_back({token_, value});
    return true;
  }
  bool merge_line(const std::string& line) {
    if (line.starts_with("#version")) return true;
    const size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos)
      fail("{}: merge {} is {}, expected two tokens with a space between", source_, result_.merges.size(),
           in_quotes(line));
    result_.merges.push_back({result_.keep(std::string_view(line).substr(0, space)),
                              result_.keep(std::string_view(line).substr(space + 1))});
    return true;
  }

  std::string_view source_;
  BulkJson& result_;
  JsonBuilder tree_;
  std::vector<std::string> path_;  // the key at each level outside the long lists
  Part part_ = Part::kNone;
  int depth_ = 0;  // inside one
  BulkJson::Text token_{};
  std::vector<BulkJson::Text> pair_;
};

}  // namespace

BulkJson::Text BulkJson::keep(std::string_view text) {
  const Text kept{bytes_.size(), static_cast<uint32_t>(text.size())};
  bytes_ += text;
  return kept;
}

BulkJson read_bulk_json(std::string_view text, std::string_view source) {
  constexpr size_t kMost = size_t{1} << 30;
  if (text.size() > kMost) fail("{}: {} bytes are too many for a tokenizer", source, text.size());
  BulkJson result;
  BulkReader reader(source, result);
  read_json(text, source, reader);
  result.rest = reader.take();
  return result;
}

}  // namespace detent
