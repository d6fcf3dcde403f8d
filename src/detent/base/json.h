// Strict JSON for files that come from outside: UTF-8, no duplicate keys (a second value would silently win), bounded
// nesting, nothing after the value.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace detent {

// The value in text. source names the text in errors, e.g. a path. Fails (bad input) on anything not strict.
nlohmann::json parse_json(std::string_view text, std::string_view source, int max_depth = 64);

// The same event by event, for text too large for a tree of values; a key given twice is the handler's to refuse.
void read_json(std::string_view text, std::string_view source, nlohmann::json_sax<nlohmann::json>& handler);

// A JSON parser's complaint in a form fit for a sentence: no library prefix, at most a few hundred printable bytes.
std::string json_problem(const nlohmann::json::exception& error);

// text in single quotes for an error message: control bytes and broken UTF-8 escaped, cut after 120 bytes.
std::string in_quotes(std::string_view text);

}  // namespace detent
