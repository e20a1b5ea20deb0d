// SPDX-License-Identifier: Apache-2.0
// What a page shows of a served run, packed: requests and steps from its CSV files.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

namespace memwall::tools {

/// Requests that a page draws one by one; beyond, evenly sampled ones. Distributions have all of them.
constexpr std::size_t report_requests = 2000;
/// Intervals of the course over time.
constexpr std::size_t report_intervals = 600;

/// {requests{total, shown, id[], class[], arrival_s[], scheduled_s[], first_token_s[], last_token_s[], input[],
/// output[], preemptions[]}, latencies{ttft_ms[], tpot_ms[], e2e_ms[]} (each sorted, at most 512 quantiles),
/// steps{interval_s, running[], waiting[], kv_blocks[], tokens_per_s[]}} of the folder of a served run; null where it
/// has no requests.csv. Throws input_error (file and line) for files that are not what `memwall serve` writes.
nlohmann::ordered_json pack_served(const std::string& directory);

}  // namespace memwall::tools
