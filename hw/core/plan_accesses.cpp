// SPDX-License-Identifier: Apache-2.0
#include "hw/core/plan_accesses.h"

#include <algorithm>

namespace memwall {
namespace {

/// What the cache knows a part of a tensor by: parts at different places (two experts of a stack) are different data.
std::uint64_t key_of(const operand& o) {
  return o.tensor * 0x9E3779B97F4A7C15U + o.address;
}

}  // namespace

std::vector<operand> through_cache(const operation& op, tensor_cache& cache, std::int64_t& touched_bytes) {
  std::vector<operand> out;
  out.reserve(op.operands.size() + 1);
  for (const operand& o : op.operands) {
    touched_bytes += o.bytes;
    // Appended keys and values and anything else written for good goes to memory; activations may stay on chip.
    // What a collective sends goes to another device.
    if (o.write && (o.kind != traffic::activations || op.kind == work_kind::collective)) {
      out.push_back(o);
      continue;
    }
    const auto result = o.write ? cache.write(key_of(o), o.bytes) : cache.read(key_of(o), o.bytes);
    if (result.miss_bytes > 0) {
      out.push_back(o);
      out.back().bytes = result.miss_bytes;
    }
    if (result.writeback_bytes > 0) {
      operand back = o;
      back.kind = traffic::activations;
      back.write = true;
      back.bytes = std::min(result.writeback_bytes, o.bytes);
      out.push_back(back);
    }
  }
  return out;
}

}  // namespace memwall
