// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "hw/core/tensor_cache.h"
#include "hw/core/work.h"

namespace memwall {

/// The accesses of an operator that reach memory when its operands go through an on-chip cache: weights and cached
/// keys/values as well as activations, by recency. `touched_bytes` returns all operand bytes, hit or miss.
/// Dirty activations pushed out are written back to the address of the operand that pushed them (bytes and bandwidth
/// are right, the row is approximate).
std::vector<operand> through_cache(const operation& op, tensor_cache& cache, std::int64_t& touched_bytes);

}  // namespace memwall
