// SPDX-License-Identifier: Apache-2.0
// BurstGPT (github.com/HPMLL/BurstGPT): Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type; newer
// files have a session and its elapsed time besides. The model is the request's class. Requests without an answer are
// the log's failures: they are left out, and counted.
#include <algorithm>

#include "traces/serving/request_file.h"

namespace memwall::serving {
namespace {

request_list read(std::istream& in, const std::string& path) {
  request_list out;
  request_collector collect(path, out);
  std::string line;
  std::int64_t number = 0, failures = 0;
  next_line(in, line, number);
  const auto head = csv_cells(line, path);
  const auto at = [&](const char* name) {
    const auto found = std::find(head.begin(), head.end(), name);
    if (found == head.end())
      collect.problems().add({collect.where(1), name, "the column is missing",
                              "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type", ""});
    return static_cast<std::size_t>(found - head.begin());
  };
  const std::size_t time = at("Timestamp"), model = at("Model"), input = at("Request tokens"),
                    output = at("Response tokens");
  collect.problems().check();
  bool started = false;
  double start = 0;
  while (next_line(in, line, number)) {
    const auto cells = csv_cells(line, collect.where(number));
    if (cells.size() != head.size()) {
      collect.problems().add({collect.where(number), "", "has " + std::to_string(cells.size()) + " cells",
                              std::to_string(head.size()) + ", one for each column of the first line", ""});
      continue;
    }
    const double seconds = collect.seconds(number, "Timestamp", cells[time]);
    if (!started) start = seconds;
    started = true;
    if (cells[output] == "0") {
      ++failures;
      continue;
    }
    request r;
    r.kind = cells[model];
    r.input = collect.tokens(number, "Request tokens", cells[input]);
    r.output = collect.tokens(number, "Response tokens", cells[output]);
    collect.add(std::move(r), number, seconds - start);
  }
  collect.finish();
  if (failures > 0) out.notes.push_back(std::to_string(failures) + " requests without an answer are left out");
  return out;
}

const request_importer_entry entry("burstgpt_csv", "BurstGPT (Timestamp,...,Request tokens,Response tokens,...)",
                                   {[](const std::string& first) {
                                      return first.rfind("Timestamp,", 0) == 0 &&
                                             first.find("Request tokens") != std::string::npos;
                                    },
                                    read});

}  // namespace
}  // namespace memwall::serving
