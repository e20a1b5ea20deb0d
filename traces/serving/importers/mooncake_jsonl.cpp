// SPDX-License-Identifier: Apache-2.0
// Mooncake's traces (github.com/kvcache-ai/Mooncake): a line {"timestamp": ms, "input_length", "output_length",
// "hash_ids": [...]} a request. Each hash stands for 512 tokens of the prompt and all before them: equal hashes are
// equal prefixes.
#include "traces/json_line.h"
#include "traces/layout.h"
#include "traces/serving/request_file.h"

namespace memwall::serving {
namespace {

constexpr std::int64_t block_tokens = 512;

request_list read(std::istream& in, const std::string& path) {
  request_list out;
  request_collector collect(path, out);
  std::string line;
  std::int64_t number = 0;
  while (next_line(in, line, number)) {
    trace::json_line json(line, collect.where(number));
    request r;
    std::int64_t milliseconds = 0;
    bool timed = false;
    std::vector<std::int64_t> hashes;
    for (std::string_view key; json.next_key(key);) {
      if (key == "timestamp") {
        milliseconds = json.integer(INT64_MIN / 2, INT64_MAX / 2);
        timed = true;
      } else if (key == "input_length") {
        r.input = json.integer(1, std::int64_t{1} << 24);
      } else if (key == "output_length") {
        r.output = json.integer(1, std::int64_t{1} << 24);
      } else if (key == "hash_ids") {
        json.each([&] { hashes.push_back(json.integer(INT64_MIN, INT64_MAX)); });
      } else {
        json.skip();
      }
    }
    json.end();
    if (!timed || r.input == 0 || r.output == 0)
      json.fail("is incomplete", "timestamp, input_length and output_length");
    std::int64_t left = r.input;
    for (const auto hash : hashes) {
      if (left <= 0) break;
      // The last block of a prompt may be a part; its hash stands for that part.
      r.content.push_back({trace::mix(static_cast<std::uint64_t>(hash), 0x3005), std::min(left, block_tokens)});
      left -= block_tokens;
    }
    r.content.push_back({trace::mix(out.requests.size(), 0x0e71), std::max<std::int64_t>(0, left)});
    collect.add(std::move(r), number, static_cast<double>(milliseconds) * 1e-3);
  }
  collect.finish();
  return out;
}

const request_importer_entry entry("mooncake_jsonl",
                                   "Mooncake JSON Lines (timestamp, input_length, output_length, hash_ids)",
                                   {[](const std::string& first) {
                                      return first[0] == '{' && first.find("\"input_length\"") != std::string::npos;
                                    },
                                    read});

}  // namespace
}  // namespace memwall::serving
