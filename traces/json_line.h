// SPDX-License-Identifier: Apache-2.0
// A pull parser for one line of JSON. It does not build a tree: traces of many gigabytes are read line by
// line.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hw/common/error.h"

namespace memwall::trace {

/// Reads one JSON object from a line. Every defect throws input_error with `where` and the key being read.
///   json_line in(text, "t.jsonl:7");
///   for (std::string_view key; in.next_key(key);) ... in.text() or in.integer(...) or in.each([&] { ... });
///   in.end();
class json_line {
 public:
  json_line(std::string_view line, const std::string& where) : m_text(line), m_where(where) {}

  /// Moves to the next member of the object; false behind the last one.
  bool next_key(std::string_view& key);
  /// Nothing may follow the object.
  void end();

  /// The value as text; valid until the next call.
  std::string_view text();
  /// The value as an integer in [lowest, highest].
  std::int64_t integer(std::int64_t lowest, std::int64_t highest);
  /// The value as a number.
  double number();
  bool at_text() { return peek() == '"'; }
  bool at_array() { return peek() == '['; }
  bool at_object() { return peek() == '{'; }
  /// Calls `element` at the start of each element of an array.
  template <class Element>
  void each(Element&& element) {
    open('[', "a list");
    for (bool first = true; next_element(first);) element();
  }
  /// Calls `member(key)` for each member of a nested object.
  template <class Member>
  void members(Member&& member) {
    const std::string outer = m_key;
    open('{', "an object");
    for (bool first = true; next_member(first);) {
      const std::string inner = m_key;
      m_key = outer.empty() ? inner : outer + "." + inner;
      member(std::string_view(inner));
    }
    m_key = outer;
  }
  void skip();  ///< any value

  [[noreturn]] void fail(const std::string& message, const std::string& expected = {},
                         const std::string& nearest = {}) const;

 private:
  char peek();  ///< next character that is not a blank; 0 at the end
  void open(char bracket, const char* expected);
  bool next_element(bool& first);
  bool next_member(bool& first);
  void skip_nested(int depth);
  double plain_number(const char* expected);
  std::string_view string();
  void escape(std::string& out);
  unsigned hex4();
  [[noreturn]] void broken(const char* expected) const;

  std::string_view m_text;
  std::string m_where;
  std::size_t m_at = 0;
  bool m_opened = false, m_first = true;
  std::string m_key, m_scratch;
};

}  // namespace memwall::trace
