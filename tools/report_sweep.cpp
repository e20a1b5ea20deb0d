// SPDX-License-Identifier: Apache-2.0
// The table of a sweep, read in one pass, in memory that is bounded by the rows the page carries.
#include <charconv>
#include <fstream>
#include <map>
#include <optional>

#include "hw/common/error.h"
#include "tools/report_data.h"

namespace memwall::tools {
namespace {

/// Reads one record of an RFC 4180 file; quoted cells may hold commas, quotes and line ends. False at the
/// end.
bool read_record(std::istream& in, std::vector<std::string>& cells, std::size_t& line) {
  cells.clear();
  std::string cell;
  bool quoted = false, any = false;
  for (int c = in.get(); c != EOF; c = in.get()) {
    any = true;
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"')
        cell += static_cast<char>(c);
      else if (in.peek() == '"')
        cell += static_cast<char>(in.get());
      else
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      cells.push_back(std::move(cell));
      cell.clear();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      cell += static_cast<char>(c);
    }
  }
  if (any) cells.push_back(std::move(cell));
  return any;
}

/// The cell as a JSON number, or nothing. NaN and infinities are text.
std::optional<double> as_number(const std::string& s) {
  double value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc() || end != s.data() + s.size() || !(value - value == 0)) return std::nullopt;
  return value;
}

}  // namespace

ordered_json pack_sweep(const std::string& csv_file, const std::string& label, std::size_t rows) {
  std::ifstream in(csv_file, std::ios::binary);
  if (!in)
    throw input_error(problem{csv_file, "", "cannot be read", "the results.csv of a memwall sweep", ""});
  std::vector<std::string> header, cells;
  std::size_t line = 1;
  if (!read_record(in, header, line) || header.size() < 2)
    throw input_error(
        problem{csv_file + ":1", "", "has no header", "columns axis.* and summary.*, one row a point", ""});

  // Even sampling in one pass: keep every `stride`-th point; when the store is full, drop every second and
  // double it.
  std::vector<std::vector<std::string>> kept;
  std::size_t points = 0, stride = 1;
  for (std::size_t at = line; read_record(in, cells, line); at = line) {
    if (cells.size() == 1 && cells[0].empty()) continue;
    if (cells.size() != header.size())
      throw input_error(problem{csv_file + ":" + std::to_string(at), "",
                                "has " + std::to_string(cells.size()) + " cells",
                                std::to_string(header.size()) + ", as the header", ""});
    if (points % stride == 0) {
      if (kept.size() >= rows) {
        std::size_t out = 0;
        for (std::size_t i = 0; i < kept.size(); i += 2, ++out)
          if (i != out) kept[out] = std::move(kept[i]);
        kept.resize(out);
        stride *= 2;
      }
      if (points % stride == 0) kept.push_back(cells);
    }
    ++points;
  }

  ordered_json columns = ordered_json::array();
  for (std::size_t c = 0; c < header.size(); ++c) {
    bool numeric = true, any = false;
    for (const auto& row : kept)
      if (!row[c].empty()) {
        any = true;
        if (!(numeric = as_number(row[c]).has_value())) break;
      }
    ordered_json column{{"name", header[c]}}, values = ordered_json::array();
    if (numeric && any) {
      for (const auto& row : kept) {
        const auto v = as_number(row[c]);
        if (!v)
          values.push_back(nullptr);
        else if (*v == static_cast<double>(static_cast<long long>(*v)) && std::abs(*v) < 9e15)
          values.push_back(static_cast<long long>(*v));  // "8", not "8.0": shorter, the same number
        else
          values.push_back(*v);
      }
    } else {
      std::map<std::string, std::size_t> index;
      std::vector<std::string> levels;
      for (const auto& row : kept) {
        const auto [it, added] = index.try_emplace(row[c], levels.size());
        if (added) levels.push_back(row[c]);
        values.push_back(it->second);
      }
      column["levels"] = levels;
    }
    column["values"] = std::move(values);
    columns.push_back(std::move(column));
  }
  return {{"label", label}, {"points", points}, {"shown", kept.size()}, {"columns", std::move(columns)}};
}

}  // namespace memwall::tools
