// SPDX-License-Identifier: Apache-2.0
// Platforms of equal devices without hardware, and what placement and mapper make of a model on them.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "models/model.h"
#include "platforms/place/mapper.h"
#include "traces/generator.h"

namespace memwall::test {

/// `devices` cores with a memory each, joined in tensor parallelism.
inline platforms::platform_description tensor_parallel(int devices) {
  const std::string count = std::to_string(devices);
  return platforms::read_platform(config::node::parse_text("modules:\n  hbm: {type: dram, standard: HBM3, count: " +
                                                               count + "}\n  gpu: {type: gpu, count: " + count +
                                                               "}\nmapping:\n  - {executor: gpu, weights: hbm, "
                                                               "kv_cache: hbm, activations: hbm}\n",
                                                           "p.yaml"),
                                  "p");
}

inline std::vector<platforms::memory_slot> memories(int devices, std::int64_t capacity, std::int64_t alignment = 4096) {
  std::vector<platforms::memory_slot> out;
  for (int i = 0; i < devices; ++i) {
    platforms::memory_slot s;
    s.name = "hbm" + std::to_string(i);
    s.base = static_cast<std::uint64_t>(i + 1) << 50;
    s.capacity = capacity;
    s.alignment = alignment;
    out.push_back(s);
  }
  return out;
}

inline platforms::trace_source source_of(const model& m, const trace::workload& w) {
  return [m, w] { return trace::generate(m, w); };
}

/// Calls f(operator, header, parts, all-reduce) for every operator of the trace.
inline void for_each_op(
    const platforms::placement& where, const platforms::trace_source& source,
    const std::function<void(const trace::op&, const trace::header&, const std::vector<platforms::device_task>&,
                             const std::vector<platforms::device_task>&)>& f) {
  const auto stream = source();
  for (trace::op op; stream->next(op);) {
    const auto& group = where.executors(where.rule(op));
    f(op, stream->header(), platforms::split_operator(op, stream->header(), where, group),
      platforms::all_reduce(op, stream->header(), where, group));
  }
}

/// Bytes of one class that a part of an operator moves.
inline std::int64_t bytes_of_class(const platforms::device_task& part, traffic kind) {
  std::int64_t sum = 0;
  for (const auto& o : part.work.operands)
    if (o.kind == kind) sum += o.bytes;
  return sum;
}

}  // namespace memwall::test
