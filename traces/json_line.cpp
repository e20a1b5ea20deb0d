// SPDX-License-Identifier: Apache-2.0
#include "traces/json_line.h"

#include <charconv>

namespace memwall::trace {

void json_line::fail(const std::string& message, const std::string& expected, const std::string& nearest) const {
  throw input_error(problem{m_where, m_key, message, expected, nearest});
}

void json_line::broken(const char* expected) const {
  const std::string column = "column " + std::to_string(m_at + 1);
  fail(m_at >= m_text.size() ? "the line ends at " + column : "not JSON at " + column, expected);
}

char json_line::peek() {
  while (m_at < m_text.size() && (m_text[m_at] == ' ' || m_text[m_at] == '\t' || m_text[m_at] == '\r')) ++m_at;
  return m_at < m_text.size() ? m_text[m_at] : '\0';
}

void json_line::open(char bracket, const char* expected) {
  if (peek() != bracket) broken(expected);
  ++m_at;
}

bool json_line::next_element(bool& first) {
  const char c = peek();
  if (c == ']') return ++m_at, false;
  if (!first) {
    if (c != ',') broken("',' or ']'");
    ++m_at;
    if (peek() == ']') broken("a value after ','");
  }
  first = false;
  return true;
}

bool json_line::next_member(bool& first) {
  char c = peek();
  if (c == '}') return ++m_at, false;
  if (!first) {
    if (c != ',') broken("',' or '}'");
    ++m_at;
    c = peek();
  }
  first = false;
  if (c != '"') broken("a key in quotes");
  m_key.assign(string());
  if (peek() != ':') broken("':'");
  ++m_at;
  return true;
}

bool json_line::next_key(std::string_view& key) {
  if (!m_opened) {
    open('{', "a JSON object");
    m_opened = true;
  }
  if (!next_member(m_first)) {
    m_key.clear();
    return false;
  }
  key = m_key;
  return true;
}

void json_line::end() {
  m_key.clear();
  if (peek() != '\0' || m_at < m_text.size()) broken("the end of the line");
}

std::string_view json_line::text() {
  if (peek() != '"') broken("text in quotes");
  return string();
}

std::string_view json_line::string() {
  const std::size_t start = ++m_at;
  while (m_at < m_text.size() && m_text[m_at] != '"' && m_text[m_at] != '\\') {
    if (static_cast<unsigned char>(m_text[m_at]) < 0x20) broken("no control character in text");
    ++m_at;
  }
  if (m_at < m_text.size() && m_text[m_at] == '"') return m_text.substr(start, m_at++ - start);
  m_scratch.assign(m_text.substr(start, m_at - start));
  while (m_at < m_text.size() && m_text[m_at] != '"') {
    if (static_cast<unsigned char>(m_text[m_at]) < 0x20) broken("no control character in text");
    if (m_text[m_at] == '\\')
      escape(m_scratch);
    else
      m_scratch += m_text[m_at++];
  }
  if (m_at >= m_text.size()) broken("the closing quote of a text");
  ++m_at;
  return m_scratch;
}

unsigned json_line::hex4() {
  unsigned v = 0;
  const char* first = m_text.data() + m_at;
  if (m_text.size() - m_at < 4) broken("four hexadecimal digits");
  const auto [stop, failure] = std::from_chars(first, first + 4, v, 16);
  if (failure != std::errc{} || stop != first + 4) broken("four hexadecimal digits");
  m_at += 4;
  return v;
}

void json_line::escape(std::string& out) {
  if (++m_at >= m_text.size()) broken("an escape sequence");
  const char c = m_text[m_at++];
  static constexpr std::string_view plain = "\"\\/bfnrt", meaning = "\"\\/\b\f\n\r\t";
  if (const auto at = plain.find(c); at != std::string_view::npos) {
    out += meaning[at];
    return;
  }
  if (c != 'u') broken("an escape sequence of JSON");
  unsigned code = hex4();
  if (code >= 0xd800 && code < 0xdc00 && m_text.substr(m_at, 2) == "\\u") {
    m_at += 2;
    const unsigned low = hex4();
    if (low < 0xdc00 || low > 0xdfff) broken("the second half of a surrogate pair");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xd800 && code < 0xe000) {
    broken("a surrogate pair");
  }
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

std::int64_t json_line::integer(std::int64_t lowest, std::int64_t highest) {
  peek();
  const std::size_t start = m_at;
  while (m_at < m_text.size() && std::string_view("+-.0123456789eE").find(m_text[m_at]) != std::string_view::npos)
    ++m_at;
  const std::string_view word = m_text.substr(start, m_at - start);
  if (word.empty()) broken("an integer");
  std::int64_t v = 0;
  const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), v);
  if (failure != std::errc{} || stop != word.data() + word.size() || v < lowest || v > highest)
    fail("got " + std::string(word.substr(0, 40)),
         "an integer from " + std::to_string(lowest) + " to " + std::to_string(highest));
  return v;
}

/// The number that starts at m_at; m_at moves behind it.
double json_line::plain_number(const char* expected) {
  const std::size_t start = m_at;
  while (m_at < m_text.size() && std::string_view(",]} \t\r").find(m_text[m_at]) == std::string_view::npos) ++m_at;
  const std::string_view word = m_text.substr(start, m_at - start);
  double value = 0;
  const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || failure == std::errc::invalid_argument || stop != word.data() + word.size()) {
    m_at = start;
    broken(expected);
  }
  return value;
}

double json_line::number() {
  peek();
  return plain_number("a number");
}

void json_line::skip() {
  skip_nested(0);
}

void json_line::skip_nested(int depth) {
  if (depth > 64) broken("fewer than 64 nested lists and objects");
  const char c = peek();
  if (c == '"') {
    string();
  } else if (c == '[') {
    each([&] { skip_nested(depth + 1); });
  } else if (c == '{') {
    members([&](std::string_view) { skip_nested(depth + 1); });
  } else {
    for (const std::string_view word : {"true", "false", "null"})
      if (m_text.substr(m_at, word.size()) == word) {
        m_at += word.size();
        return;
      }
    plain_number("a value");
  }
}

}  // namespace memwall::trace
