// SPDX-License-Identifier: Apache-2.0
// memwall's own list of requests: a first line with arrival_s,input_tokens,output_tokens, also request, prefix, class,
// in any order. A requests.csv that `memwall serve` wrote is one, too: what it measured is passed over.
//
// `prefix` names what a prompt starts with: NAME:TOKENS shares the first TOKENS with all prompts of that name, a NAME
// alone shares as much as the shorter of two prompts has.
#include <algorithm>
#include <map>

#include "hw/common/params.h"
#include "traces/layout.h"
#include "traces/serving/request_file.h"

namespace memwall::serving {
namespace {

const std::vector<std::string>& known_columns() {
  static const std::vector<std::string> names = {"arrival_s", "input_tokens", "output_tokens",
                                                 "request",   "prefix",       "class"};
  return names;
}

/// Columns of logs of served requests that say what a server did, not what was asked of it.
bool is_measured(const std::string& name) {
  static const std::vector<std::string> names = {"queued_s",    "scheduled_s", "first_token_s", "last_token_s",
                                                 "preemptions", "prefix_hit",  "replica",       "energy_pj"};
  const auto ends = [&](const std::string& tail) {
    return name.size() > tail.size() && name.compare(name.size() - tail.size(), tail.size(), tail) == 0;
  };
  return std::find(names.begin(), names.end(), name) != names.end() || ends("_ns") || ends("_ps");
}

/// Number of a name, in the order of appearance: contents of prompts are numbers.
std::uint64_t number_of(std::map<std::string, std::uint64_t>& names, const std::string& name) {
  return names.emplace(name, names.size()).first->second;
}

request_list read(std::istream& in, const std::string& path) {
  request_list out;
  request_collector collect(path, out);
  std::string line;
  std::int64_t number = 0;
  next_line(in, line, number);
  const auto head = csv_cells(line, path);
  std::map<std::string, std::size_t> column;
  for (std::size_t i = 0; i < head.size(); ++i) {
    const bool known = std::find(known_columns().begin(), known_columns().end(), head[i]) != known_columns().end();
    if (head[i].empty() || is_measured(head[i])) continue;
    if (!known)
      collect.problems().add({collect.where(number), head[i], "unknown column",
                              "arrival_s, input_tokens, output_tokens, request, prefix, class",
                              nearest_name(head[i], known_columns())});
    else if (!column.emplace(head[i], i).second)
      collect.problems().add({collect.where(number), head[i], "given twice", "each column once", ""});
  }
  for (const char* name : {"arrival_s", "input_tokens", "output_tokens"})
    if (column.count(name) == 0)
      collect.problems().add({collect.where(number), name, "the column is missing",
                              "a first line with arrival_s,input_tokens,output_tokens", ""});
  collect.problems().check();

  std::map<std::string, std::uint64_t> prefixes;
  while (next_line(in, line, number)) {
    const auto cells = csv_cells(line, collect.where(number));
    if (cells.size() != head.size()) {
      collect.problems().add({collect.where(number), "", "has " + std::to_string(cells.size()) + " cells",
                              std::to_string(head.size()) + ", one for each column of the first line", ""});
      continue;
    }
    const auto cell = [&](const char* name) {
      const auto found = column.find(name);
      return found == column.end() ? std::string() : cells[found->second];
    };
    request r;
    r.id = cell("request");
    r.kind = cell("class");
    const double arrival = collect.seconds(number, "arrival_s", cell("arrival_s"));
    r.input = collect.tokens(number, "input_tokens", cell("input_tokens"));
    r.output = collect.tokens(number, "output_tokens", cell("output_tokens"));
    if (const std::string prefix = cell("prefix"); !prefix.empty()) {
      const std::size_t colon = prefix.rfind(':');
      std::int64_t shared = r.input;
      if (colon != std::string::npos && !detail::read_integer(prefix.substr(colon + 1), 0, INT64_MAX, shared))
        collect.problems().add({collect.where(number), "prefix", "got '" + prefix + "'", "NAME or NAME:TOKENS", ""});
      shared = std::min(shared, r.input);
      r.content.push_back({trace::mix(number_of(prefixes, prefix.substr(0, colon)), 0xc5f), shared});
      // What follows the shared tokens, generated ones included, is the request's own.
      r.content.push_back({trace::mix(out.requests.size(), 0x0e71), r.input - shared});
    }
    collect.add(std::move(r), number, arrival);
  }
  collect.finish();
  return out;
}

const request_importer_entry entry("memwall_csv", "CSV with arrival_s,input_tokens,output_tokens",
                                   {[](const std::string& first) {
                                      // An object or a list, no table.
                                      if (first.front() == '{' || first.front() == '[') return false;
                                      const auto cells = csv_cells(first, "the first line of --requests");
                                      return std::any_of(cells.begin(), cells.end(), [](const std::string& c) {
                                        return c == "arrival_s" || c == "input_tokens" || c == "output_tokens";
                                      });
                                    },
                                    read});

}  // namespace
}  // namespace memwall::serving
