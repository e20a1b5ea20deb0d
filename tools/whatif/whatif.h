// SPDX-License-Identifier: Apache-2.0
// The same run with one part of the machine better: what that gains, by simulation.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "platforms/describe/description.h"
#include "tools/whatif/resources.h"

namespace memwall::tools {

struct whatif_options {
  std::vector<double> factors{1.1, 2, infinite};
  int jobs = 1;  ///< simulations at a time
  bool quiet = false;
  /// What is to become smaller, in a result, and how many nanoseconds one of it is.
  nlohmann::ordered_json::json_pointer time{"/summary/time_ns"};
  double time_ns = 1;
};
/// "1.1,2,inf". Throws input_error (option --factors).
std::vector<double> parse_factors(const std::string& text);

/// Simulates the run of `result` again, a process each time, with every resource that it used `factors` times as good,
/// and with pairs of them. `words`: the run as words of a command line, from "run" on, without what it writes. Adds to
/// the result
///   whatif[]        {resource, factor, time_ns (of a served run: the mean time of a request), speedup, elasticity,
///   set[]}, largest gain first; factor "inf": as good
///                   as the parameters go. A resource that gains nothing there is not tried at smaller factors.
///   whatif_pairs[]  {resources[], factor, time_ns, speedup, alone[], set[]}: pairs that gain more together than the
///                   product of what they gain alone
///   summary.bound_by, layers[].bound_by: the resource with the largest gain at factor 2, all within 1 % of it
/// False when a signal cut it short: then nothing is added.
bool add_whatif(nlohmann::ordered_json& result, const platforms::platform_description& d,
                const std::vector<std::string>& words, const whatif_options& options);

}  // namespace memwall::tools
