// SPDX-License-Identifier: Apache-2.0
// A results.csv: RFC 4180, but lines end in \n.
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace memwall::sweep {

/// As a cell (csv_cell) of a row that stays one line: line ends inside a text become "; ".
std::string one_line_cell(std::string text);

/// A table whose columns appear as they are first set.
class csv_table {
 public:
  explicit csv_table(std::vector<std::string> first_columns);
  void begin_row() { m_rows.emplace_back(); }
  /// In the row begun last. Numbers with the shortest digits that read back to the same value; null: empty.
  void set(const std::string& column, const nlohmann::ordered_json& value);
  std::string text() const;

 private:
  std::vector<std::string> m_columns;
  std::vector<std::map<std::string, std::string>> m_rows;
};

}  // namespace memwall::sweep
