// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/csv_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hw/common/csv.h"

namespace memwall::sweep {

std::string one_line_cell(std::string text) {
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) text.replace(at, 1, "; ");
  return csv_cell(text);
}

csv_table::csv_table(std::vector<std::string> first_columns) : m_columns(std::move(first_columns)) {}

void csv_table::set(const std::string& column, const nlohmann::ordered_json& value) {
  if (std::find(m_columns.begin(), m_columns.end(), column) == m_columns.end()) m_columns.push_back(column);
  std::string& cell = m_rows.back()[column];
  if (value.is_string())
    cell = one_line_cell(value.get<std::string>());
  else if (value.is_number_float())
    cell = fmt::format("{}", value.get<double>());
  else if (!value.is_null())
    cell = value.dump();
}

std::string csv_table::text() const {
  std::string out;
  for (std::size_t c = 0; c < m_columns.size(); ++c) out += (c != 0 ? "," : "") + one_line_cell(m_columns[c]);
  out += '\n';
  for (const auto& row : m_rows) {
    for (std::size_t c = 0; c < m_columns.size(); ++c) {
      const auto found = row.find(m_columns[c]);
      out += (c != 0 ? "," : "") + (found != row.end() ? found->second : std::string());
    }
    out += '\n';
  }
  return out;
}

}  // namespace memwall::sweep
