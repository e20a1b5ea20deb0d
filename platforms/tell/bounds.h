// SPDX-License-Identifier: Apache-2.0
// What is certain without another simulation: how long each resource must have been at work, and so how much the rest
// of the machine can gain at most.
#pragma once
#include <nlohmann/json.hpp>

#include "hw/common/stall.h"

namespace memwall::platforms {

/// Of a result with its lists of modules: for each kind of resource that was used
///   {resource, at_least_ns, exposed_ns, overlapped_ns, upper_bound}
/// at_least_ns: its bytes (operations) at the peak of the busiest module: the roofline of that resource alone.
/// exposed_ns: what the critical path booked to it; overlapped_ns: the part of at_least_ns behind others' time.
/// upper_bound: the speedup that making this resource better cannot exceed, since all others still take their
/// at_least_ns. Left out where no other resource is known to take time.
nlohmann::ordered_json bounds_of(const nlohmann::ordered_json& result, const stall_stack& critical, ps_t time);

}  // namespace memwall::platforms
