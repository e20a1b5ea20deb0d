// SPDX-License-Identifier: Apache-2.0
// Turns an operator of the trace into what each device of its executor group does.
#pragma once
#include <vector>

#include "hw/core/work.h"
#include "platforms/place/placement.h"
#include "traces/trace.h"

namespace memwall::platforms {

/// One device's part of an operator.
struct device_task {
  std::size_t device = 0;  ///< position in the group's cores
  operation work;
};

/// The parts of `op` under tensor parallelism (a part a device) or pipeline parallelism (the whole on one device).
/// Byte counts of the parts of split tensors sum to the operator's, rounded up to equal shares, and to more where
/// devices hold copies (place/portion.h).
std::vector<device_task> split_operator(const trace::op& op, const trace::header& header, const placement& where,
                                        const executor_group& group);

/// The all-reduce that must follow an operator cut along its inputs (shard::rows): every device sends its partial sums
/// to the others. Ring: 2 (P - 1) / P of the result leaves each device in 2 (P - 1) steps; the data goes to the next
/// device's activation memory. Empty when none is needed.
std::vector<device_task> all_reduce(const trace::op& op, const trace::header& header, const placement& where,
                                    const executor_group& group);

/// Arithmetic type (key of the cores' rate tables) of a product of two stored types: 8 bits only if both have no more,
/// else the inputs' type, to which narrower weights are unpacked; 32 bits if either has them.
std::string arithmetic_type(const dtype& input, const dtype& weight);

}  // namespace memwall::platforms
