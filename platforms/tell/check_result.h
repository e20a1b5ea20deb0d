// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memwall::platforms {

/// What cannot be right in a result, whatever was simulated: a time that is not positive or beyond the clocks, parts
/// that are negative or do not sum to the time, figures that are no numbers. Empty: nothing is wrong. A result with
/// something in it is a defect of memwall and must not be written.
std::vector<std::string> defects_of(const nlohmann::ordered_json& result);

/// Throws std::runtime_error with all of them.
void check_result(const nlohmann::ordered_json& result);

}  // namespace memwall::platforms
