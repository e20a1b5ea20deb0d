// SPDX-License-Identifier: Apache-2.0
// The figures of a served run that tables list, flat.
#pragma once
#include <nlohmann/json.hpp>

namespace memwall::sweep {

/// Adds to `summary` of a served result what tables and searches want of `serving`: requests_per_s,
/// output_tokens_per_s, within (share of the requests within --slo), goodput_per_s, preemptions, and ttft_, tpot_ and
/// e2e_ with mean, p50, p90, p99 in ms. Leaves other results as they are.
void add_served_figures(nlohmann::ordered_json& result);

}  // namespace memwall::sweep
