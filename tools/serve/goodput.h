// SPDX-License-Identifier: Apache-2.0
// How many requests a machine serves within what clients want: what a search over loads found, as figures, as a table
// and as a picture. Plain: the simulations are somebody else's.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace memwall::tools {

/// A served run at one load: its result.json.
struct tried_load {
  double load = 0;  ///< requests a second, or users
  nlohmann::ordered_json result;
};

/// What a search on one platform came to.
struct found_load {
  std::string platform;
  bool users = false;              ///< loads are users, not requests a second
  int share = 90;                  ///< percent of the requests that are to be within the limits
  nlohmann::ordered_json at_once;  ///< the result with all requests at once; or {exit_code, message}: nothing was tried
  std::vector<tried_load> tried;
  double carried = 0;  ///< 0: none
  /// What all at once came to: too much, unless that was within the limits.
  double ceiling = 0;
};

/// Whether so many percent of a served run's requests are within its limits.
bool within_limits(const nlohmann::ordered_json& result, int share);
/// The limit that a run is nearest to or furthest beyond, and how many times it: {"ttft", 1.4}. Compared is the time
/// within which `share` percent of the requests stay (p50, p90, p95 or p99).
std::optional<std::pair<std::string, double>> tightest_limit(const nlohmann::ordered_json& result, int share);

/// One platform's entry of a comparison; tools/serve/README.md lists the keys.
nlohmann::ordered_json goodput_json(const found_load& f);
/// What an architect says of an entry against the first one.
std::string goodput_verdict(const nlohmann::ordered_json& entry, const nlohmann::ordered_json& first);
/// Entries side by side, a column each.
std::string goodput_table(const nlohmann::ordered_json& entries);
/// The tightest limit over the load, a line a platform.
std::string goodput_svg(const nlohmann::ordered_json& entries, const std::string& title);

/// `requests` with another number of users: a specification of a closed loop.
std::string with_users(const std::string& requests, std::int64_t users);

}  // namespace memwall::tools
