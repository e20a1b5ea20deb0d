// SPDX-License-Identifier: Apache-2.0
// Machines of equal size: counts scaled until two platforms have the same of something.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memwall::tools {

/// What platforms can be made equal in: "bandwidth", "capacity", "power", "area".
const std::vector<std::string>& iso_quantities();

/// How much of it the machine of a result has (see machine_of). Throws input_error where it has none or that is not
/// known.
double iso_value(const nlohmann::ordered_json& result, const std::string& quantity);

/// The --set arguments that give the machine `factor` times its memories (in whole stacks, chips or DIMMs) and its
/// chips of compute-in-memory; a rack whose units sit in a memory grows with it. Cores of other kinds stay one each.
std::vector<std::string> scaled_counts(const nlohmann::ordered_json& result, double factor);

/// What was scaled, in lines; `told` is {quantity, value, scaled[]{platform, had, has, set[]}}.
std::string iso_lines(const nlohmann::ordered_json& told);

}  // namespace memwall::tools
