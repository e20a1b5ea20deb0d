// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/request_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <sstream>

#include "hw/common/csv.h"
#include "hw/common/params.h"
#include "hw/common/text_file.h"
#include "traces/layout.h"
#include "traces/serving/request_spec.h"

namespace memwall::serving {

registry<request_importer>& request_importers() {
  static registry<request_importer> all("kind of request file");
  return all;
}

std::vector<std::string> csv_cells(const std::string& line, const std::string& where) {
  return csv_reader(std::make_unique<std::istringstream>(line), where, "cells separated by commas").head();
}

bool next_line(std::istream& in, std::string& line, std::int64_t& number) {
  while (std::getline(in, line)) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) return true;
  }
  return false;
}

void request_collector::problem(std::int64_t line, const std::string& key, const std::string& message,
                                const std::string& expected) {
  if (++m_found <= most_problems) m_problems.add({where(line), key, message, expected, ""});
}

double request_collector::seconds(std::int64_t line, const std::string& key, const std::string& text) {
  double v = 0;
  if (!detail::read_number(text, v) || !std::isfinite(v)) {
    problem(line, key, "got '" + text + "'", "seconds, a number");
    return m_last;
  }
  return v;
}

std::int64_t request_collector::tokens(std::int64_t line, const std::string& key, const std::string& text) {
  std::int64_t v = 0;
  // Some logs write whole numbers as 512.0.
  std::string whole = text;
  if (const std::size_t dot = whole.find('.');
      dot != std::string::npos && dot > 0 && whole.find_first_not_of('0', dot + 1) == std::string::npos)
    whole.erase(dot);
  if (!detail::read_integer(whole, 1, std::int64_t{1} << 24, v)) {
    problem(line, key, "got '" + text + "'", "an integer from 1 to 16777216: a request has a prompt and an output");
    return 1;
  }
  return v;
}

void request_collector::add(request r, std::int64_t line, double arrival_s) {
  constexpr double longest = 9e6;  // picoseconds in 63 bits end at 9.2 million seconds
  if (arrival_s < 0)
    problem(line, "arrival", "is negative: " + detail::param_type<double>::write(arrival_s).dump() + " s",
            "seconds since the start");
  else if (m_any && arrival_s < m_last)
    problem(line, "arrival", "is earlier than that of the line before", "lines in the order of arrival");
  // Clocks start anywhere, at the epoch too: the first request comes at 0.
  if (!m_any) m_first = arrival_s;
  m_last = arrival_s;
  m_any = true;
  r.line = line;
  const double since = arrival_s - m_first;
  if (since > longest) problem(line, "arrival", "is more than 9 million seconds after the first", "a shorter log");
  r.arrival = static_cast<ps_t>(std::llround(std::clamp(since, 0.0, longest) * 1e12));
  if (r.id.empty()) r.id = std::to_string(m_out.requests.size());
  if (r.content.empty()) r.content = {{trace::mix(static_cast<std::uint64_t>(m_out.requests.size()), 0x0e71), r.input}};
  m_out.requests.push_back(std::move(r));
}

void request_collector::finish() {
  if (m_found > most_problems)
    m_problems.add({m_path, "", std::to_string(m_found - most_problems) + " more lines are broken", "", ""});
  if (m_out.requests.empty() && m_problems.empty())
    m_problems.add({m_path, "", "has no requests", "at least one line after the first", ""});
  m_problems.check();
}

request_list read_requests(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    throw input_error(problem{"--requests", "", "'" + path + "' cannot be read, and is no specification",
                              "a file, or poisson:, constant:, gamma: or closed: with their words",
                              nearest_name(path.substr(0, path.find(':')), arrival_processes())});
  constexpr std::size_t largest = std::size_t{1} << 30;
  std::istringstream in(read_text_file(path, "a file of requests", largest));
  std::string first;
  std::int64_t number = 0;
  if (!next_line(in, first, number))
    throw input_error(problem{path, "", "is empty", "a first line that tells what the file is, then requests", ""});
  std::string kinds;
  for (const auto& [name, item] : request_importers().items()) {
    kinds += (kinds.empty() ? "" : "; ") + item.description;
    if (!item.factory.knows(first)) continue;
    in.clear();
    in.seekg(0);
    request_list out = item.factory.read(in, path);
    out.origin = path;
    return out;
  }
  throw input_error(
      problem{path + ":1", "", "tells of no known kind of file: '" + first.substr(0, 80) + "'", kinds, ""});
}

request_list open_requests(const std::string& spec_or_file, std::uint64_t seed) {
  return is_spec(spec_or_file) ? from_spec(spec_or_file, seed) : read_requests(spec_or_file);
}

}  // namespace memwall::serving
