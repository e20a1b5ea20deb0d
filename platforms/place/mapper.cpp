// SPDX-License-Identifier: Apache-2.0
#include "platforms/place/mapper.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "platforms/place/portion.h"

namespace memwall::platforms {
namespace {

work_kind kind_of(trace::op_kind k) {
  switch (k) {
    case trace::op_kind::embed:
      return work_kind::gather;
    case trace::op_kind::attention:
      return work_kind::attention;
    case trace::op_kind::collective:
      return work_kind::collective;
    case trace::op_kind::gemm:
    case trace::op_kind::lm_head:
    case trace::op_kind::router:
    case trace::op_kind::expert_gemm:
      return work_kind::gemm;
    case trace::op_kind::norm:
    case trace::op_kind::rope:
    case trace::op_kind::elementwise:
    case trace::op_kind::softmax:
    case trace::op_kind::sample:
      return work_kind::elementwise;
  }
  // No default above: the compiler asks for a decision when a kind is added.
  throw std::logic_error("operator '" + std::string(trace::name_of(k)) + "' is no kind of work");
}

traffic class_of(trace::tensor_class c) {
  switch (c) {
    case trace::tensor_class::weights:
      return traffic::weights;
    case trace::tensor_class::kv_cache:
      return traffic::kv_cache;
    default:
      return traffic::activations;
  }
}

std::int64_t at_least_one(std::int64_t v) {
  return std::max<std::int64_t>(1, v);
}

/// The shape of what one of `devices` computes.
void cut_shape(operation& w, const trace::op& op, std::int64_t devices) {
  const portion mine = work_of(op, devices);
  w.flops = static_cast<double>(op.flops()) * mine.share();
  switch (op.shard) {
    case trace::shard::none:
      break;
    case trace::shard::columns:
    case trace::shard::experts:
      w.n = at_least_one(mine.count(w.n));
      break;
    case trace::shard::rows:
      w.k = at_least_one(mine.count(w.k));
      break;
    case trace::shard::heads:
      if (w.kind == work_kind::attention && op.heads > 0 && op.kv_heads > 0) {
        const device_heads heads = heads_on_device(op.heads, op.kv_heads, devices);
        w.batch = at_least_one(op.batch) * heads.kv;
        w.group = at_least_one((heads.queries + heads.kv - 1) / heads.kv);
      } else {
        w.batch = at_least_one(mine.count(w.batch));
      }
  }
}

/// An all-reduce of what an operator writes, a task for each device; none where there is nobody to meet.
std::vector<device_task> sum_over_devices(const trace::op& op, const std::string& name, const trace::header& header,
                                          const placement& where, const executor_group& group) {
  std::vector<device_task> out;
  const std::size_t devices = group.cores.size();
  if (devices < 2 || group.pipeline) return out;
  const trace::tensor_use* result = nullptr;
  for (const auto& u : op.uses)
    if (u.what == trace::access::write && header.tensors[u.tensor].cls == trace::tensor_class::activations) result = &u;
  if (result == nullptr) return out;
  const auto p = static_cast<std::int64_t>(devices);
  for (std::size_t i = 0; i < devices; ++i) {
    device_task t;
    t.device = i;
    t.work.id = op.id;
    t.work.name = name;
    t.work.kind = work_kind::collective;
    t.work.n = 2 * (p - 1);  // steps
    t.work.type = arithmetic_type(op.input, op.weight);
    t.work.flops = static_cast<double>(op.m * op.n) * static_cast<double>(p - 1) / static_cast<double>(p);
    const home& next = where.of(result->tensor, (i + 1) % devices);
    // Reduce-scatter, then all-gather: each sends (P - 1) / P of the result.
    for (int pass = 0; pass < 2; ++pass) {
      operand o;
      o.tensor = result->tensor;
      o.kind = traffic::activations;
      o.write = true;
      o.address = next.address;
      o.bytes = std::max<std::int64_t>(1, (p - 1) * result->bytes / p);
      t.work.operands.push_back(o);
    }
    out.push_back(std::move(t));
  }
  return out;
}

/// An operator of the trace that is itself an all-reduce. One device only starts it.
std::vector<device_task> collective_of(const trace::op& op, const trace::header& header, const placement& where,
                                       const executor_group& group) {
  auto out = sum_over_devices(op, op.name, header, where, group);
  if (!out.empty()) return out;
  device_task t;
  t.device = group.pipeline ? where.pipeline_stage(op, group.cores.size()) : 0;
  t.work.id = op.id;
  t.work.name = op.name;
  t.work.kind = work_kind::gather;  // a kernel of its own: no runtime fuses it
  return {t};
}

}  // namespace

std::string arithmetic_type(const dtype& input, const dtype& weight) {
  const bool narrow = weight.bits_e4 <= 80000;
  if (!input.is_float() && input.bits_e4 <= 80000 && !input.is_grouped() && narrow) return "int8";
  if (input.number == dtype::kind::fp && input.bits_e4 == 80000 && narrow) return "fp8";
  if (input.number == dtype::kind::tf) return "tf32";
  if (input.bits_e4 >= 320000 || (weight.is_float() && weight.bits_e4 >= 320000))
    return weight.number == dtype::kind::tf ? "tf32" : "fp32";
  return input.number == dtype::kind::bf ? "bf16" : "fp16";
}

std::vector<device_task> split_operator(const trace::op& op, const trace::header& header, const placement& where,
                                        const executor_group& group) {
  if (op.kind == trace::op_kind::collective) return collective_of(op, header, where, group);
  std::vector<device_task> out;
  const std::size_t devices = group.cores.size();
  const bool parallel = devices > 1 && !group.pipeline;
  const std::size_t parts = parallel ? devices : 1;
  for (std::size_t i = 0; i < parts; ++i) {
    device_task t;
    t.device = group.pipeline ? where.pipeline_stage(op, devices) : i;
    operation& w = t.work;
    w.id = op.id;
    w.name = op.name;
    w.kind = kind_of(op.kind);
    w.routes = op.kind == trace::op_kind::router;
    w.m = std::max<std::int64_t>(1, op.m);
    w.n = std::max<std::int64_t>(1, op.n);
    w.k = std::max<std::int64_t>(1, op.k);
    w.batch = std::max<std::int64_t>(1, op.batch);
    if (w.kind == work_kind::attention) {
      w.batch *= std::max<std::int64_t>(1, op.kv_heads);
      w.group = std::max<std::int64_t>(1, op.heads / std::max<std::int64_t>(1, op.kv_heads));
    }
    if (op.kind == trace::op_kind::expert_gemm && !op.group_rows.empty()) {
      // Experts run as a grouped GEMM: as many products as experts touched.
      w.batch = static_cast<std::int64_t>(op.group_rows.size());
      w.m = std::max<std::int64_t>(1, (op.m + w.batch - 1) / w.batch);
      w.rows = op.group_rows;
      w.tokens = op.choices > 0 ? op.m / op.choices : op.m;
    }
    cut_shape(w, op, static_cast<std::int64_t>(parts));
    w.type = arithmetic_type(op.input, op.weight);
    w.weight_bits = op.weight.bits();
    w.weight_group = op.weight.group;
    for (const auto& u : op.uses) {
      const trace::tensor& tensor = header.tensors[u.tensor];
      if (!w.rows.empty() && w.experts == 0 && tensor.cls == trace::tensor_class::weights && !tensor.shape.empty())
        w.experts = tensor.shape.front() / at_least_one(op.n);  // a stack of matrices of n rows
      const home& h =
          op.kind == trace::op_kind::embed ? where.rows_of(u.tensor, t.device) : where.of(u.tensor, t.device);
      operand o;
      o.tensor = u.tensor;
      o.kind = class_of(tensor.cls);
      o.write = u.what == trace::access::write;
      const portion mine = part_of(op, tensor, u.what, static_cast<std::int64_t>(parts));
      o.bytes = mine.count(u.bytes);
      std::int64_t offset = mine.start(u.offset);
      if (h.scale > 1) {  // held, and moved, at the width of the units beside the memory
        o.bytes = static_cast<std::int64_t>(static_cast<double>(o.bytes) * h.scale);
        offset = static_cast<std::int64_t>(static_cast<double>(offset) * h.scale);
        if (tensor.cls == trace::tensor_class::weights)
          w.weight_bits = std::max(w.weight_bits, tensor.type.bits() * h.scale);
      }
      o.bytes = std::min(o.bytes, std::max<std::int64_t>(0, h.bytes - offset));
      o.address = h.address + static_cast<std::uint64_t>(offset);
      const memory_slot& slot = where.slots()[static_cast<std::size_t>(h.memory)];
      const bool beside =
          tensor.cls != trace::tensor_class::activations && !o.write &&
          std::find(slot.computed_by.begin(), slot.computed_by.end(), group.cores[t.device]) != slot.computed_by.end();
      o.resident = slot.in_core || beside;
      if (o.bytes > 0) w.operands.push_back(o);
    }
    out.push_back(std::move(t));
  }
  return out;
}

std::vector<device_task> all_reduce(const trace::op& op, const trace::header& header, const placement& where,
                                    const executor_group& group) {
  return op.shard == trace::shard::rows ? sum_over_devices(op, op.name + ".all_reduce", header, where, group)
                                        : std::vector<device_task>{};
}

}  // namespace memwall::platforms
