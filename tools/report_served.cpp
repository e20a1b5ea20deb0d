// SPDX-License-Identifier: Apache-2.0
#include "tools/report_served.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <vector>

#include "hw/common/csv.h"
#include "hw/common/error.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t quantiles = 512;

/// Cells of a table by the names of its columns.
class named_cells {
 public:
  named_cells(const std::string& file, const std::string& expected) : m_in(file, expected) {
    for (std::size_t i = 0; i < m_in.head().size(); ++i) m_place[m_in.head()[i]] = i;
  }
  bool next() { return m_in.next(m_cells); }
  const std::string& text(const std::string& column) const {
    const auto at = m_place.find(column);
    if (at == m_place.end())
      throw input_error(problem{m_in.where(), column, "is missing", "the table as memwall serve writes it", ""});
    return m_cells[at->second];
  }
  double number(const std::string& column) const {
    const std::string& s = text(column);
    double v = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
    if (error != std::errc() || end != s.data() + s.size() || !std::isfinite(v))
      throw input_error(problem{m_in.where(), column, "got '" + s + "'", "a number", ""});
    return v;
  }

 private:
  csv_reader m_in;
  std::map<std::string, std::size_t> m_place;
  std::vector<std::string> m_cells;
};

struct request_row {
  std::string id, kind;
  double arrival, scheduled, first, last, input, output, preemptions;
};

/// Values in order; of many evenly spaced ones, ends included.
json quantiles_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  json out = json::array();
  const std::size_t n = values.size(), shown = std::min(n, quantiles);
  for (std::size_t i = 0; i < shown; ++i) out.push_back(values[shown == 1 ? 0 : i * (n - 1) / (shown - 1)]);
  return out;
}

json requests_json(const std::vector<request_row>& rows) {
  json out{{"total", rows.size()}};
  const std::size_t shown = std::min(rows.size(), report_requests);
  out["shown"] = shown;
  for (const char* key :
       {"id", "class", "arrival_s", "scheduled_s", "first_token_s", "last_token_s", "input", "output", "preemptions"})
    out[key] = json::array();
  for (std::size_t i = 0; i < shown; ++i) {
    const request_row& r = rows[shown == rows.size() ? i : i * (rows.size() - 1) / (shown - 1)];
    out["id"].push_back(r.id);
    out["class"].push_back(r.kind);
    out["arrival_s"].push_back(r.arrival);
    out["scheduled_s"].push_back(r.scheduled);
    out["first_token_s"].push_back(r.first);
    out["last_token_s"].push_back(r.last);
    out["input"].push_back(r.input);
    out["output"].push_back(r.output);
    out["preemptions"].push_back(r.preemptions);
  }
  return out;
}

json latencies_json(const std::vector<request_row>& rows) {
  std::vector<double> ttft, tpot, e2e;
  for (const auto& r : rows) {
    ttft.push_back((r.first - r.arrival) * 1e3);
    e2e.push_back((r.last - r.arrival) * 1e3);
    if (r.output > 1) tpot.push_back((r.last - r.first) * 1e3 / (r.output - 1));
  }
  return {{"ttft_ms", quantiles_of(std::move(ttft))},
          {"tpot_ms", quantiles_of(std::move(tpot))},
          {"e2e_ms", quantiles_of(std::move(e2e))}};
}

/// The course over time: of running, waiting and KV blocks the mean over each interval, replicas added up, steps
/// weighted by the time that they have in it; between steps there is nobody.
json steps_json(const std::string& file, double end) {
  struct interval {
    double running = 0, waiting = 0, kv = 0, tokens = 0;
  };
  std::vector<interval> all(report_intervals);
  const double width = end > 0 ? end / static_cast<double>(report_intervals) : 1;
  named_cells in(file, "the steps.csv of a memwall serve");
  while (in.next()) {
    const double from = in.number("start_s"), to = in.number("end_s");
    const double running = in.number("running"), waiting = in.number("waiting"), kv = in.number("kv_blocks"),
                 tokens = in.number("tokens");
    const auto first = static_cast<std::size_t>(std::clamp(from / width, 0.0, static_cast<double>(all.size() - 1)));
    for (std::size_t i = first; i < all.size() && static_cast<double>(i) * width < to; ++i) {
      const double low = std::max(from, static_cast<double>(i) * width),
                   high = std::min(to, static_cast<double>(i + 1) * width);
      const double share = std::max(0.0, high - low) / width;
      all[i].running += running * share;
      all[i].waiting += waiting * share;
      all[i].kv += kv * share;
      if (to > from) all[i].tokens += tokens * std::max(0.0, high - low) / (to - from);
    }
  }
  json out{{"interval_s", width}};
  for (const char* key : {"running", "waiting", "kv_blocks", "tokens_per_s"}) out[key] = json::array();
  const auto short_number = [](double v) { return std::round(v * 1e4) / 1e4; };
  for (const auto& i : all) {
    out["running"].push_back(short_number(i.running));
    out["waiting"].push_back(short_number(i.waiting));
    out["kv_blocks"].push_back(short_number(i.kv));
    out["tokens_per_s"].push_back(short_number(i.tokens / width));
  }
  return out;
}

}  // namespace

json pack_served(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const std::string requests = directory + "/requests.csv", steps = directory + "/steps.csv";
  if (!fs::is_regular_file(requests, ignored)) return nullptr;
  std::vector<request_row> rows;
  double end = 0;
  named_cells in(requests, "the requests.csv of a memwall serve");
  while (in.next()) {
    request_row r{in.text("request"),        in.text("class"),           in.number("arrival_s"),
                  in.number("scheduled_s"),  in.number("first_token_s"), in.number("last_token_s"),
                  in.number("input_tokens"), in.number("output_tokens"), in.number("preemptions")};
    end = std::max(end, r.last);
    rows.push_back(std::move(r));
  }
  json out{{"requests", requests_json(rows)}, {"latencies", latencies_json(rows)}};
  if (fs::is_regular_file(steps, ignored)) out["steps"] = steps_json(steps, end);
  return out;
}

}  // namespace memwall::tools
