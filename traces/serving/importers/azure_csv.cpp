// SPDX-License-Identifier: Apache-2.0
// Traces of Azure's inference services (github.com/Azure/AzurePublicDataset, 2023 and 2024):
// TIMESTAMP,ContextTokens,GeneratedTokens, with times such as 2023-11-16 18:15:46.6805900, with or without +00:00.
#include <boost/date_time/gregorian/gregorian_types.hpp>

#include "hw/common/params.h"
#include "traces/serving/request_file.h"

namespace memwall::serving {
namespace {

/// Seconds since 1970-01-01 as whole seconds and their fraction; false where the text is no time.
bool read_time(const std::string& text, std::int64_t& whole, double& fraction) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%*1[ T]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
                  &used) != 6 ||
      hour > 23 || minute > 59 || second > 60)
    return false;
  std::string rest = text.substr(static_cast<std::size_t>(used));
  const std::size_t zone = rest.find_first_of("+Z");
  if (zone != std::string::npos) {
    if (rest.substr(zone) != "+00:00" && rest.substr(zone) != "Z") return false;
    rest.erase(zone);
  }
  fraction = 0;
  if (!rest.empty() && (rest[0] != '.' || !detail::read_number("0" + rest, fraction))) return false;
  try {
    const boost::gregorian::date date(static_cast<unsigned short>(year), static_cast<unsigned short>(month),
                                      static_cast<unsigned short>(day));
    whole = (date - boost::gregorian::date(1970, 1, 1)).days() * 86400 + hour * 3600 + minute * 60 + second;
  } catch (const std::out_of_range&) {
    return false;
  }
  return true;
}

request_list read(std::istream& in, const std::string& path) {
  request_list out;
  request_collector collect(path, out);
  std::string line;
  std::int64_t number = 0, start = 0;
  double start_fraction = 0;
  bool started = false;
  next_line(in, line, number);
  while (next_line(in, line, number)) {
    const auto cells = csv_cells(line, collect.where(number));
    if (cells.size() != 3) {
      collect.problems().add({collect.where(number), "", "has " + std::to_string(cells.size()) + " cells", "3", ""});
      continue;
    }
    std::int64_t whole = 0;
    double fraction = 0;
    if (!read_time(cells[0], whole, fraction)) {
      collect.problems().add({collect.where(number), "TIMESTAMP", "got '" + cells[0] + "'",
                              "a time such as 2023-11-16 18:15:46.6805900", ""});
      continue;
    }
    if (!started) {
      start = whole;
      start_fraction = fraction;
      started = true;
    }
    request r;
    r.input = collect.tokens(number, "ContextTokens", cells[1]);
    r.output = collect.tokens(number, "GeneratedTokens", cells[2]);
    collect.add(std::move(r), number, static_cast<double>(whole - start) + (fraction - start_fraction));
  }
  collect.finish();
  return out;
}

const request_importer_entry entry(
    "azure_csv", "Azure LLM trace (TIMESTAMP,ContextTokens,GeneratedTokens)",
    {[](const std::string& first) { return first.rfind("TIMESTAMP,ContextTokens,GeneratedTokens", 0) == 0; }, read});

}  // namespace
}  // namespace memwall::serving
