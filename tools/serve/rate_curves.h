// SPDX-License-Identifier: Apache-2.0
// Latency against the arrival rate: what served runs at several rates say, as figures, a table and a picture. Plain.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memwall::tools {

/// A platform at several rates, in their order: result.json of each, or {exit_code, message}.
struct rate_curve {
  std::string platform;
  std::vector<double> rates;
  std::vector<nlohmann::ordered_json> results;
};

/// {platform, points[]{rate, requests_per_s, ..., ttft_ms, tpot_ms, e2e_ms}, knee{rate, e2e_mean_ms} or null}.
nlohmann::ordered_json curve_json(const rate_curve& c);
/// Where the mean time of a request is the same on two platforms: rates, and whether the second is slower beyond.
nlohmann::ordered_json rate_crossings(const nlohmann::ordered_json& first, const nlohmann::ordered_json& second);
/// "b answers faster than a up to 5.3 requests/s, slower beyond".
std::string rate_verdict(const nlohmann::ordered_json& first, const nlohmann::ordered_json& second);
/// A line a rate.
std::string curve_table(const nlohmann::ordered_json& curve);
/// End-to-end time at p50 and p99 of one platform, or the mean of several; rings are knees.
std::string curve_svg(const nlohmann::ordered_json& curves, const std::string& title);

}  // namespace memwall::tools
