// SPDX-License-Identifier: Apache-2.0
// Tables in CSV as RFC 4180 has it, read and written alike everywhere.
#pragma once
#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace memwall {

/// Reads a table whose first line names its columns, record by record. Cells in quotes may hold commas, doubled quotes
/// and line ends; blanks around a cell without quotes do not belong to it. Lines end in LF or CR LF; a byte order mark,
/// blank lines and a comma at the end of all lines do not matter. Throws input_error with file and line:
///   csv_reader in("gemms.csv", "a table name,M,N,K");
///   for (std::vector<std::string> cells; in.next(cells);) ... cells[i] stands under in.head()[i] ...
class csv_reader {
 public:
  /// `comment`: lines that start with it are skipped; 0: there are none.
  csv_reader(const std::string& path, const std::string& expected, char comment = '\0');
  csv_reader(std::unique_ptr<std::istream> in, std::string name, const std::string& expected, char comment = '\0');

  const std::vector<std::string>& head() const { return m_head; }
  /// The next record that is not blank, with a cell for each column; false at the end.
  bool next(std::vector<std::string>& cells);
  /// "file:line" of the record read last, where it begins.
  std::string where() const { return m_name + ":" + std::to_string(m_record_line); }

 private:
  bool read_record(std::vector<std::string>& cells);
  std::string read_quoted();
  std::string read_plain();
  int peek() { return m_in->rdbuf()->sgetc(); }
  int take();
  bool at_line_end();
  void skip_line();
  [[noreturn]] void fail(const std::string& message, const std::string& expected) const;

  std::unique_ptr<std::istream> m_in;
  std::string m_name;
  char m_comment;
  std::vector<std::string> m_head;
  std::int64_t m_line = 1, m_record_line = 0;
  std::size_t m_record_bytes = 0;
};

/// Text as a cell: in quotes where it needs them. A text that a spreadsheet would run as a formula (=, +, -, @ first,
/// but no number) gets an apostrophe in front, which the spreadsheet hides and csv_reader takes off again.
std::string csv_cell(std::string_view text);
/// The same, behind what is there.
void append_csv_cell(std::string& out, std::string_view text);

}  // namespace memwall
