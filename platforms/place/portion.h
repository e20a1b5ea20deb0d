// SPDX-License-Identifier: Apache-2.0
// What one of several devices gets of an operator and of its tensors under tensor parallelism.
#pragma once
#include <cstdint>

#include "traces/trace.h"

namespace memwall::platforms {

/// part / of. Devices get equal portions, as software pads what it cannot divide evenly.
struct portion {
  std::int64_t part = 1, of = 1;

  bool whole() const { return part >= of; }
  std::int64_t count(std::int64_t total) const;   ///< of so many bytes or rows; rounded up
  std::int64_t start(std::int64_t offset) const;  ///< where a place in the whole lies in the part; rounded down
  double share() const { return static_cast<double>(part) / static_cast<double>(of); }
};

/// Heads on one device. A head is never cut: with fewer KV heads than devices, each device has a copy of one KV head
/// and some of the query heads that look at it.
struct device_heads {
  std::int64_t queries = 1, kv = 1;
};
device_heads heads_on_device(std::int64_t heads, std::int64_t kv_heads, std::int64_t devices);

/// What one of `devices` computes of an operator: outputs (n) of shard::columns, inputs (k) of shard::rows, query heads
/// of shard::heads, a part of each expert of shard::experts.
portion work_of(const trace::op& op, std::int64_t devices);

/// What one of `devices` holds and moves of a tensor that an operator uses.
portion part_of(const trace::op& op, const trace::tensor& tensor, trace::access what, std::int64_t devices);

}  // namespace memwall::platforms
