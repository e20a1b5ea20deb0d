// SPDX-License-Identifier: Apache-2.0
#include "hw/cpu/cpu_model.h"

#include <algorithm>
#include <cmath>

#include "hw/core/plan_accesses.h"

namespace memwall {

double cpu_model::peak_rate(const std::string& type) const {
  double per_cycle = 1;
  for (const char* name : {type.c_str(), "fp32"})
    if (const auto found = m_chip.flops_per_cycle.find(name); found != m_chip.flops_per_cycle.end()) {
      per_cycle = found->second;
      break;
    }
  return per_cycle * m_chip.clock.value * static_cast<double>(active());
}

double cpu_model::gemm_seconds(const operation& op) const {
  const double vector_rate = peak_rate("fp32");
  const bool narrow = op.weight_bits < 16;
  if (narrow && m_stack.dot_per_cycle > 0) {
    const double per_cycle = m_stack.dot_per_cycle * m_chip.clock.value * static_cast<double>(active());
    return op.flops / std::min(per_cycle, m_chip.byte_lanes * vector_rate);
  }
  const double peak = peak_rate(m_stack.gemm_type == "operator" ? op.type : m_stack.gemm_type);
  // A GEMV cannot use the matrix tiles' reuse: it runs on the vector units.
  const double rate =
      op.m >= m_chip.tile_rows ? m_stack.gemm_fraction * peak : std::min(peak, m_chip.half_lanes * vector_rate);
  double seconds = op.flops / (m_chip.sustained_fraction * rate);
  if (narrow)
    seconds += m_chip.dequant_ops * static_cast<double>(op.n) * static_cast<double>(op.k) *
               static_cast<double>(op.batch) / vector_rate;
  return seconds;
}

work cpu_model::plan(const operation& op) {
  work w;
  w.launch = op.fused ? 0 : to_ps(m_stack.operator_overhead) + active() * to_ps(m_stack.barrier_per_thread);
  if (op.first_of_layer) w.host += to_ps(m_stack.layer_overhead);
  if (op.handed_over) w.host += to_ps(m_stack.handoff);
  w.launch += w.host;
  std::int64_t touched = 0;
  w.accesses = through_cache(op, m_cache, touched);

  const double vector_rate = peak_rate("fp32");
  double seconds = 0;
  if (op.kind == work_kind::gemm)
    seconds = gemm_seconds(op);
  else
    seconds = op.flops / (m_chip.sustained_fraction * vector_rate *
                          (op.kind == work_kind::attention && op.m > 1 ? m_stack.attention_fraction : 1.0));
  std::int64_t missed = 0;
  for (const auto& a : w.accesses) missed += a.bytes;
  seconds = std::max(seconds,
                     static_cast<double>(std::max<std::int64_t>(0, touched - missed)) / m_chip.cache_bandwidth.value);
  w.compute[stall::compute] = static_cast<ps_t>(std::llround(seconds * 1e12));
  w.window = active() * m_chip.line_fill_buffers * to_bytes(m_chip.line);
  w.load_latency = to_ps(m_chip.load_latency);
  w.fill_bandwidth = m_chip.cache_bandwidth.value;
  if (m_chip.cluster_bandwidth.value > 0) {
    const std::int64_t size = m_chip.cluster_cores == 0 ? m_chip.cores : m_chip.cluster_cores;
    const std::int64_t clusters = (active() + size - 1) / size;
    w.fill_bandwidth = std::min(w.fill_bandwidth, static_cast<double>(clusters) * m_chip.cluster_bandwidth.value);
  }
  w.energy_pj =
      op.flops * to_pj(m_chip.energy_per_flop) + static_cast<double>(touched) * to_pj(m_chip.energy_per_cache_byte);
  return w;
}

static const core_entry entry{"cpu", "cores with vector and matrix units behind a last-level cache",
                              core_of<cpu_model, cpu_params>(cpu_param_table)};

}  // namespace memwall
