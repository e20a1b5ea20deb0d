// SPDX-License-Identifier: Apache-2.0
// What equal devices hold of a workload that they share: the placement of `run`, on devices that nothing is known of
// but their number.
#pragma once
#include <array>
#include <cstdint>

#include "platforms/describe/run_options.h"

namespace memwall::platforms {

/// What the fullest of some devices holds.
struct device_load {
  std::int64_t bytes = 0;                                      ///< all of it, and what lies unused between tensors
  std::array<std::int64_t, trace::tensor_classes> by_class{};  ///< by trace::tensor_class
};

/// The load of one of `devices` that share every layer (tensor parallelism).
device_load load_of_each(const trace_source& source, std::size_t devices);

/// The fewest devices with `capacity` bytes each on which the workload fits; 0 when none are found (what each must hold
/// whole is already too much).
std::size_t devices_needed(const trace_source& source, std::int64_t capacity);

}  // namespace memwall::platforms
