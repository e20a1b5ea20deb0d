// SPDX-License-Identifier: Apache-2.0
// The table of a sweep, read in one pass, in memory that is bounded by the rows the page carries.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "hw/common/csv.h"
#include "hw/common/error.h"
#include "tools/report_data.h"

namespace memwall::tools {
namespace {

/// The cell as a JSON number, or nothing. NaN and infinities are text.
std::optional<double> as_number(const std::string& s) {
  double value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc() || end != s.data() + s.size() || !(value - value == 0)) return std::nullopt;
  return value;
}

using table = std::vector<std::vector<std::string>>;

void keep_every_second(table& rows) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < rows.size(); i += 2, ++out)
    if (i != out) rows[out] = std::move(rows[i]);
  rows.resize(out);
}

/// Indices into `levels`, which lists each text once, in order of appearance.
ordered_json text_column(const table& rows, std::size_t c, std::size_t most_levels) {
  std::map<std::string, std::size_t> index;
  std::vector<std::string> levels;
  ordered_json values = ordered_json::array();
  for (const auto& row : rows) {
    std::string text = row[c];
    if (index.size() >= most_levels && index.count(text) == 0) text = "(more, see results.csv)";
    const auto [it, added] = index.try_emplace(text, levels.size());
    if (added) levels.push_back(text);
    values.push_back(it->second);
  }
  return {{"levels", levels}, {"values", std::move(values)}};
}

ordered_json number_json(double v) {
  if (std::abs(v) < 9e15 && v == std::floor(v))
    return static_cast<long long>(v);  // "8", not "8.0": shorter, the same number
  return v;
}

/// Numbers, or indices into `levels` where few numbers repeat. Rounded to `digits` significant ones; 17: as
/// they are.
ordered_json number_column(const table& rows, std::size_t c, int digits) {
  const auto value = [&](const std::string& cell) {
    const auto v = as_number(cell);
    if (!v || digits >= 17) return v;
    return as_number(fmt::format("{:.{}g}", *v, digits));
  };
  std::map<double, std::size_t> index;
  std::vector<double> levels;
  for (const auto& row : rows)
    if (const auto v = value(row[c]); v && index.size() <= 256 && index.try_emplace(*v, levels.size()).second)
      levels.push_back(*v);
  ordered_json values = ordered_json::array();
  if (index.size() <= 256 && index.size() * 8 < rows.size()) {
    ordered_json list = ordered_json::array();
    for (const double l : levels) list.push_back(number_json(l));
    for (const auto& row : rows) {
      const auto v = value(row[c]);
      values.push_back(v ? ordered_json(index.at(*v)) : ordered_json(nullptr));
    }
    return {{"numeric", true}, {"levels", std::move(list)}, {"values", std::move(values)}};
  }
  for (const auto& row : rows) {
    const auto v = value(row[c]);
    values.push_back(v ? number_json(*v) : ordered_json(nullptr));
  }
  return {{"numeric", true}, {"values", std::move(values)}};
}

/// Whether a page that reads the cell as a number writes the same characters again.
bool prints_alike(const std::string& cell) {
  const bool plain = !cell.empty() && cell.size() <= 16 &&
                     cell.find_first_not_of("0123456789.", cell[0] == '-' ? 1 : 0) == std::string::npos;
  if (!plain || cell.back() == '.') return false;
  const auto v = as_number(cell);
  return v && std::abs(*v) >= 1e-6 && fmt::format("{}", *v) == cell;
}

/// "run --set bus.width=64": the axis' value becomes a mark, "\x01" + column + "\x01", so that commands share
/// one text.
std::string command_pattern(const std::string& command, const std::vector<std::string>& header,
                            const std::vector<std::string>& row, const std::vector<bool>& numeric) {
  constexpr std::string_view axis = "axis.";
  std::string out = command;
  for (std::size_t c = 0; c < header.size(); ++c) {
    if (header[c].compare(0, axis.size(), axis) != 0 || row[c].empty()) continue;
    if (numeric[c] && !prints_alike(row[c])) continue;
    // "--set bus.width=64", "--platform a"; of workload.batch also "--batch 4".
    const std::string name = header[c].substr(axis.size());
    const std::string option = "--" + name.substr(name.rfind('.') + 1);
    for (const std::string& before : {name + "=", option + " "}) {
      const std::string wanted = before + row[c];
      const auto at = out.find(wanted);
      if (at == std::string::npos || at == 0) continue;
      const auto end = at + wanted.size();
      const bool whole =
          (out[at - 1] == ' ' || out[at - 1] == '\'') && (end == out.size() || out[end] == ' ' || out[end] == '\'');
      if (!whole) continue;
      out.replace(end - row[c].size(), row[c].size(), "\x01" + std::to_string(c) + "\x01");
      break;
    }
  }
  return out;
}

ordered_json pack_columns(const std::vector<std::string>& header, table rows, int digits) {
  std::vector<bool> numeric(header.size());
  for (std::size_t c = 0; c < header.size(); ++c) {
    bool good = true, any = false;
    for (const auto& row : rows)
      if (good && !row[c].empty()) {
        any = true;
        good = as_number(row[c]).has_value();
      }
    numeric[c] = good && any;
  }
  ordered_json columns = ordered_json::array();
  for (std::size_t c = 0; c < header.size(); ++c) {
    ordered_json column{{"name", header[c]}};
    const bool same = std::all_of(rows.begin(), rows.end(), [&](const auto& row) { return row[c] == rows[0][c]; });
    if (header[c] == "key") continue;  // of use to the sweep only
    if (header[c] == "command")
      for (auto& row : rows) row[c] = command_pattern(row[c], header, row, numeric);
    const bool is_axis = header[c].compare(0, 5, "axis.") == 0;
    if (same && !rows.empty() && header[c] != "command")
      column["constant"] = numeric[c] ? number_json(*as_number(rows[0][c])) : ordered_json(rows[0][c]);
    else if (numeric[c])
      column.update(number_column(rows, c, is_axis || header[c] == "point" ? 17 : digits));
    else
      column.update(text_column(rows, c, header[c] == "message" ? 200 : rows.size()));
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace

ordered_json pack_sweep(const std::string& csv_file, const std::string& label, std::size_t rows,
                        std::size_t max_bytes) {
  csv_reader in(csv_file, "the results.csv of a memwall sweep");
  const std::vector<std::string>& header = in.head();
  if (header.size() < 2)
    throw input_error(problem{in.where(), "", "has no header", "columns axis.* and summary.*, one row a point", ""});
  const auto status_at = std::find(header.begin(), header.end(), "status") - header.begin();

  // Even sampling in one pass: keep every `stride`-th point; when the store is full, drop every second and
  // double it.
  table kept;
  std::map<std::string, std::size_t> statuses;
  std::size_t points = 0, stride = 1;
  for (std::vector<std::string> cells; in.next(cells);) {
    if (static_cast<std::size_t>(status_at) < cells.size()) ++statuses[cells[static_cast<std::size_t>(status_at)]];
    if (points % stride == 0 && kept.size() >= rows) {
      keep_every_second(kept);
      stride *= 2;
    }
    if (points % stride == 0) kept.push_back(cells);
    ++points;
  }

  for (;;) {
    const int digits = kept.size() > exact_sweep_rows ? 6 : 17;
    ordered_json out{
        {"label", label}, {"points", points}, {"shown", kept.size()}, {"digits", digits}, {"statuses", statuses}};
    out["columns"] = pack_columns(header, kept, digits);
    if (kept.size() < 2 || out.dump().size() <= max_bytes) return out;
    keep_every_second(kept);
  }
}

}  // namespace memwall::tools
