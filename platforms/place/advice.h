// SPDX-License-Identifier: Apache-2.0
// What would make a workload fit that does not: found by placing it again, so that the advice holds when it is
// followed.
#pragma once
#include <string>
#include <vector>

#include "platforms/place/placement.h"

namespace memwall::platforms {

/// The platform with `devices` of each executor and of the memories that belong to it, and its memories to match; false
/// when its executors do not share the work evenly, or share one memory.
bool with_devices(std::size_t devices, platform_description& platform, std::vector<memory_slot>& slots);

/// The fewest devices, more than there are, on which the workload fits; 0 when none are found.
std::size_t devices_that_hold(const platform_description& platform, const std::vector<memory_slot>& slots,
                              const trace_source& source);

/// "What would fit: ..." in sentences, for the message of a refusal.
std::string what_would_fit(const platform_description& platform, const std::vector<memory_slot>& slots,
                           const trace_source& source);

}  // namespace memwall::platforms
