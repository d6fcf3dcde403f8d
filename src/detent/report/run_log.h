// A run directory read back: the resolved config.yaml and the curves of log.jsonl.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "detent/base/node.h"

namespace detent::report {

// Points of one curve; x grows.
struct Points {
  std::vector<double> x, y;
  bool empty() const { return x.empty(); }
  void add(double at, double value) { x.push_back(at), y.push_back(value); }
};

struct RunLog {
  std::string directory, name;                                  // name: the last part of the path
  Node config;                                                  // as a tree
  std::string config_text;                                      // and as written
  std::map<std::string, std::map<std::string, Points>> curves;  // [kind][key] over steps
  std::map<std::string, double> final;                          // the record of a finished run, else empty
  int64_t last_step = 0;
  bool torn = false;  // the last line was cut off (a run that is going on or was killed) and left out

  bool finished() const { return !final.empty(); }
  // An empty curve when the run never logged that key.
  const Points& curve(const std::string& kind, const std::string& key) const;
  // The final record's value, NaN without it.
  double final_value(const std::string& key) const;
  // The final record's value or, in an unfinished run, the newest evaluation's; NaN without either.
  double result(const std::string& key) const;
};

// Reads the lines of a log into `run`. Numbers, true/false and null (NaN: JSON has no other spelling) become points,
// other values are not for plotting and are passed over. A resumed run repeats steps: the later record replaces what
// had been logged from its step on. Fails with source:line on anything that is no record, except a torn last line.
void parse_log(const std::string& text, const std::string& source, RunLog& run);

// Fails unless the directory holds a config.yaml and a log.jsonl.
RunLog load_run(const std::string& directory);

// The leaves of a config as ("quant.weights.bits", "4"), in order.
std::vector<std::pair<std::string, std::string>> flatten(const Node& config);

std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);

}  // namespace detent::report
