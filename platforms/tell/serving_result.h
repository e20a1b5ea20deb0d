// SPDX-License-Identifier: Apache-2.0
// What a server of requests found, in the words of result.json, requests.csv and steps.csv.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "hw/common/figures.h"

#include "traces/serving/engine.h"
#include "traces/serving/step_costs.h"

namespace memwall::platforms {

using json = nlohmann::ordered_json;

/// What a client wants: limits in picoseconds, 0: none.
struct service_level {
  ps_t ttft = 0, tpot = 0, e2e = 0;
  bool any() const { return ttft > 0 || tpot > 0 || e2e > 0; }
  /// "ttft=200ms,tpot=50ms". Throws input_error (option --slo).
  static service_level parse(const std::string& text);
};

/// Values and how often each occurred.
using weighted = std::vector<std::pair<double, std::int64_t>>;
/// {mean, p50, p90, p95, p99}; between two values percentiles lie on a straight line. Empty values: nulls.
json distribution_json(weighted values);

/// `serving` of a result: times by class, goodput, KV use.
json serving_json(const serving::request_list& list, const serving::engine& server,
                  const serving::server_params& params, const service_level& slo);
/// What `serving` of the result holds.
std::vector<figure_info> serving_figures();

/// A line a request, with the parts of its latency by group of causes: they sum to it. `pj_per_byte`: what moving a
/// byte takes outside of the cores.
std::string requests_csv_header();
std::string requests_csv_line(const serving::request& asked, const serving::served_request& r, double pj_per_byte);
std::string steps_csv_header();
std::string steps_csv_line(std::int64_t number, const serving::served_step& s);

}  // namespace memwall::platforms
