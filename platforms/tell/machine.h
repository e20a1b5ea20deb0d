// SPDX-License-Identifier: Apache-2.0
// How large the machine is that a run used: what must stand beside a time before two machines are compared.
#pragma once
#include <nlohmann/json.hpp>

namespace memwall::platforms {

/// Of a result with its lists of modules, its configuration and its summary:
///   {chips, memory_devices{standard: stacks, chips or DIMMs}, memory_capacity_bytes, memory_bandwidth_gbps, area_mm2,
///   power_w}
/// Memories that moved nothing and cores that did nothing do not count (a host beside a GPU). memory_bandwidth_gbps is
/// that of the pins, outside; area_mm2 of macros and of NPUs whose area is given (null where there are none); power_w
/// the mean over the run.
nlohmann::ordered_json machine_of(const nlohmann::ordered_json& result);

}  // namespace memwall::platforms
