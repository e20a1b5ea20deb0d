// SPDX-License-Identifier: Apache-2.0
// Request logs as JSON Lines, as serving engines and their benchmarks write them: an object a request with its arrival
// and two token counts. The names differ from tool to tool; all below are read. Other members are passed over.
#include <algorithm>
#include <string>

#include "traces/json_line.h"
#include "traces/serving/request_file.h"

namespace memwall::serving {
namespace {

struct alias {
  const char* name;
  char what;     // a arrival, i input, o output, r request, c class
  double scale;  // arrival: seconds a unit
};
constexpr alias aliases[] = {{"arrival_s", 'a', 1},
                             {"arrival_time", 'a', 1},
                             {"arrival_time_s", 'a', 1},
                             {"arrived_at", 'a', 1},
                             {"arrival", 'a', 1},
                             {"arrival_ms", 'a', 1e-3},
                             {"arrival_time_ms", 'a', 1e-3},
                             {"arrival_time_ns", 'a', 1e-9},
                             {"input_tokens", 'i', 1},
                             {"prompt_tokens", 'i', 1},
                             {"num_prompt_tokens", 'i', 1},
                             {"prompt_len", 'i', 1},
                             {"input_len", 'i', 1},
                             {"input_toks", 'i', 1},
                             {"output_tokens", 'o', 1},
                             {"completion_tokens", 'o', 1},
                             {"num_generation_tokens", 'o', 1},
                             {"num_output_tokens", 'o', 1},
                             {"output_len", 'o', 1},
                             {"output_toks", 'o', 1},
                             {"request", 'r', 1},
                             {"request_id", 'r', 1},
                             {"class", 'c', 1}};

const alias* find(std::string_view key) {
  for (const auto& a : aliases)
    if (key == a.name) return &a;
  return nullptr;
}

request_list read(std::istream& in, const std::string& path) {
  request_list out;
  request_collector collect(path, out);
  std::string line;
  std::int64_t number = 0;
  double start = 0;
  while (next_line(in, line, number)) {
    trace::json_line json(line, collect.where(number));
    request r;
    double arrival = 0;
    bool timed = false, absolute = false;
    for (std::string_view key; json.next_key(key);) {
      const alias* a = find(key);
      if (a == nullptr) {
        json.skip();
        continue;
      }
      if (a->what == 'a') {
        arrival = json.number() * a->scale;
        timed = true;
        absolute = arrival > 1e9;  // wall-clock time, counted from 1970
      } else if (a->what == 'i') {
        r.input = json.integer(1, std::int64_t{1} << 24);
      } else if (a->what == 'o') {
        r.output = json.integer(1, std::int64_t{1} << 24);
      } else if (a->what == 'c') {
        r.kind = std::string(json.text());
      } else {
        r.id = json.at_text() ? std::string(json.text()) : std::to_string(json.integer(INT64_MIN, INT64_MAX));
      }
    }
    json.end();
    if (!timed || r.input == 0 || r.output == 0)
      json.fail("is incomplete",
                "arrival_time, prompt_tokens and completion_tokens (or the other names of the README)");
    if (out.requests.empty() && absolute) start = arrival;
    collect.add(std::move(r), number, arrival - start);
  }
  collect.finish();
  return out;
}

const request_importer_entry entry("vllm_jsonl", "JSON Lines with arrival_time, prompt_tokens, completion_tokens",
                                   {[](const std::string& first) {
                                      return first[0] == '{' && first.find("\"input_length\"") == std::string::npos;
                                    },
                                    read});

}  // namespace
}  // namespace memwall::serving
