// SPDX-License-Identifier: Apache-2.0
#include "hw/common/csv.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>

#include "hw/common/error.h"
#include "hw/common/text_file.h"

namespace memwall {
namespace {

constexpr std::size_t longest_record = std::size_t{16} << 20;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool is_number(std::string_view text) {
  double ignored = 0;
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), ignored);
  return failure == std::errc{} && end == text.data() + text.size();
}

/// What spreadsheets take for a formula, or strip until they find one.
bool starts_a_formula(std::string_view text) {
  return !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos && !is_number(text);
}

std::unique_ptr<std::istream> open_table(const std::string& path, const std::string& expected) {
  check_regular_file(path, expected);
  return std::make_unique<std::ifstream>(path, std::ios::binary);
}

std::string said(const std::string& cell) {
  constexpr std::size_t longest = 40;
  if (cell.size() <= longest) return "'" + cell + "'";
  std::size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(cell[end]) & 0xc0) == 0x80) --end;  // not inside a character
  return "'" + cell.substr(0, end) + "...'";
}

}  // namespace

csv_reader::csv_reader(const std::string& path, const std::string& expected, char comment)
    : csv_reader(open_table(path, expected), path, expected, comment) {}

csv_reader::csv_reader(std::unique_ptr<std::istream> in, std::string name, const std::string& expected, char comment)
    : m_in(std::move(in)), m_name(std::move(name)), m_comment(comment) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  if (static_cast<char>(peek()) == mark.front())
    for (const char c : mark)
      if (static_cast<char>(take()) != c) fail("the first bytes are not UTF-8", expected);
  bool any = false;
  do any = read_record(m_head);
  while (any && m_head.size() == 1 && m_head.front().empty());
  if (!any) throw input_error(problem{m_name, "", "is empty", expected, ""});
  for (const char other : {';', '\t'})
    if (m_head.size() == 1 && m_head.front().find(other) != std::string::npos)
      fail(other == ';' ? "the columns are separated by semicolons" : "the columns are separated by tabs",
           "columns separated by commas");
}

void csv_reader::fail(const std::string& message, const std::string& expected) const {
  throw input_error(problem{where(), "", message, expected, ""});
}

int csv_reader::take() {
  const int c = m_in->rdbuf()->sbumpc();
  if (c == '\n') ++m_line;
  if (c != EOF && ++m_record_bytes > longest_record) fail("a record of more than 16 MiB", "one record a line");
  return c;
}

/// Takes the end of a line, or stands at that of the file.
bool csv_reader::at_line_end() {
  if (peek() == '\r') {
    take();
    if (peek() != '\n' && peek() != EOF) fail("a carriage return inside a line", "lines that end in LF or CR LF");
  }
  if (peek() == '\n') return take(), true;
  return peek() == EOF;
}

void csv_reader::skip_line() {
  while (peek() != EOF && take() != '\n') m_record_bytes = 0;
}

std::string csv_reader::read_quoted() {
  const std::string began = where();
  std::string out;
  take();
  for (int c = take(); c != EOF; c = take()) {
    if (c != '"') {
      out += static_cast<char>(c);
    } else if (peek() == '"') {
      out += static_cast<char>(take());
    } else {
      while (peek() != EOF && is_blank(static_cast<char>(peek()))) take();
      if (peek() != ',' && peek() != '\n' && peek() != '\r' && peek() != EOF)
        fail("text behind the closing quote of " + said(out), "a comma, or quotes doubled inside a cell");
      return out;
    }
  }
  throw input_error(problem{began, "", "a quote is not closed: " + said(out), "'\"' behind the cell", ""});
}

std::string csv_reader::read_plain() {
  std::string out;
  for (int c = peek(); c != ',' && c != '\n' && c != '\r' && c != EOF; c = peek()) out += static_cast<char>(take());
  while (!out.empty() && is_blank(out.back())) out.pop_back();
  return out;
}

/// False at the end of the file.
bool csv_reader::read_record(std::vector<std::string>& cells) {
  cells.clear();
  while (m_comment != '\0' && peek() == m_comment) skip_line();
  if (peek() == EOF) return false;
  m_record_line = m_line;
  m_record_bytes = 0;
  for (bool more = true; more;) {
    while (peek() != EOF && is_blank(static_cast<char>(peek()))) take();
    std::string cell = peek() == '"' ? read_quoted() : read_plain();
    check_utf8(cell, m_name, m_record_line);
    if (cell.size() > 1 && cell.front() == '\'' && starts_a_formula(std::string_view(cell).substr(1))) cell.erase(0, 1);
    cells.push_back(std::move(cell));
    if (peek() == ',')
      take();
    else
      more = !at_line_end();
  }
  return true;
}

bool csv_reader::next(std::vector<std::string>& cells) {
  const auto blank = [](const std::string& cell) { return cell.empty(); };
  do {
    if (!read_record(cells)) return false;
  } while (std::all_of(cells.begin(), cells.end(), blank));
  const std::string counts =
      std::to_string(cells.size()) + " cells under " + std::to_string(m_head.size()) + " columns";
  if (cells.size() < m_head.size()) fail(counts, "a cell for each column, if an empty one");
  for (std::size_t c = 0; c < cells.size(); ++c) {
    if (cells[c].empty() || (c < m_head.size() && !m_head[c].empty())) continue;
    fail(c < m_head.size() ? said(cells[c]) + " stands in column " + std::to_string(c + 1) + ", which has no name"
                           : counts + ": " + said(cells[c]) + " is one too many",
         "a cell for each column; numbers without thousands separators, text with commas in quotes");
  }
  cells.resize(m_head.size());
  return true;
}

std::string csv_cell(std::string_view text) {
  std::string out;
  append_csv_cell(out, text);
  return out;
}

void append_csv_cell(std::string& out, std::string_view text) {
  const auto special = [](char c) { return c == ',' || c == '"' || c == '\r' || c == '\n'; };
  const bool formula = starts_a_formula(text);
  const bool edge_blank = !text.empty() && ((!formula && is_blank(text.front())) || is_blank(text.back()));
  const bool quoted = edge_blank || std::any_of(text.begin(), text.end(), special);
  if (quoted) out += '"';
  if (formula) out += '\'';
  if (!quoted) {
    out += text;
    return;
  }
  for (const char c : text) {
    if (c == '"') out += c;
    out += c;
  }
  out += '"';
}

}  // namespace memwall
