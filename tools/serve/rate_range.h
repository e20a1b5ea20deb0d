// SPDX-License-Identifier: Apache-2.0
// Arrival rates to look at, and where the latency bends away among them.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace memwall::tools {

/// "8": one rate; "5..40": eight of them in equal ratios, ends included; "5..40:4": four; "5,10,40": a list. Throws
/// input_error (`option`).
std::vector<double> parse_rates(const std::string& text, const std::string& option);

/// A specification of arrivals that names no rate, with one: for who sets the rate himself. Others as they are.
std::string with_some_rate(const std::string& requests);

/// The knee of a latency curve: the point with the most power, rate over mean latency (L. Kleinrock, "Power and
/// deterministic rules of thumb for probabilistic problems in computer communications", ICC 1979). Below it more load
/// costs little time, beyond it more than it brings. Points: rate served, latency. Nothing: no point has a latency, or
/// the power still grows at the last one.
std::optional<std::size_t> knee_of(const std::vector<std::pair<double, double>>& points);

}  // namespace memwall::tools
