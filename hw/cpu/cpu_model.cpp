// SPDX-License-Identifier: Apache-2.0
#include "hw/cpu/cpu_model.h"

#include <algorithm>
#include <cmath>

#include "hw/core/plan_accesses.h"

namespace memwall {

const param_table<cpu_params>& cpu_param_table() {
  static const auto table =
      param_table<cpu_params>("cpu")
          .add("cores", &cpu_params::cores, "physical cores", "Intel ARK 8480+")
          .range<std::int64_t>(1, 4096)
          .add("threads", &cpu_params::threads, "worker threads, at most one a core; 0: one a core", "runtime")
          .range<std::int64_t>(0, 4096)
          .add("clock", &cpu_params::clock, "all-core clock under vector load")
          .range(frequency(1e6), frequency(1e10))
          .add("flops_per_cycle", &cpu_params::flops_per_cycle,
               "operations a cycle a core by type (2 x FMA width; AMX tiles)",
               "Intel: 1024 bf16 / 2048 int8 with AMX, 64 fp32 with AVX-512")
          .add("sustained_fraction", &cpu_params::sustained_fraction, "part of the peak a large GEMM sustains")
          .range(0.01, 1.0)
          .add("line_fill_buffers", &cpu_params::line_fill_buffers,
               "lines a core keeps in flight: L1 fill buffers and L2 prefetches together",
               "Sapphire Rapids: 16 L1 fill buffers, 48 L2 queue entries")
          .range<std::int64_t>(1, 1024)
          .add("line", &cpu_params::line, "cache line")
          .range(byte_size(16), byte_size(1024))
          .add("load_latency", &cpu_params::load_latency, "load that misses every cache, unloaded",
               "Intel MLC class figures")
          .range(duration(1e-9), duration(1e-5))
          .add("cache", &cpu_params::cache, "last-level cache", "Intel ARK 8480+: 105 MB")
          .range(byte_size(0), byte_size(1e12))
          .add("cache_bandwidth", &cpu_params::cache_bandwidth, "last-level cache, all cores")
          .range(bandwidth(1e6), bandwidth(1e15))
          .add("cluster_cores", &cpu_params::cluster_cores,
               "cores that share one port to the memory (a chiplet, a cluster); 0: all")
          .range<std::int64_t>(0, 4096)
          .add("cluster_bandwidth", &cpu_params::cluster_bandwidth,
               "most that the cores of one cluster take from memory together; 0 GB/s: what the memory gives",
               "streaming reads (STREAM class); Zen 4: 32 B a fabric clock a chiplet")
          .range(bandwidth(0), bandwidth(1e15))
          .add("dequant_ops", &cpu_params::dequant_ops, "fp32-lane operations to expand one narrow weight",
               "4-bit: and, shift, subtract a byte lane; a quarter of an fp32 lane each")
          .range(0.0, 1000.0)
          .add("dot_per_cycle", &cpu_params::dot_per_cycle,
               "operations a cycle a core (a multiply-accumulate is two) of the runtime's integer kernels on narrow "
               "weights, unpacking and scales included; 0: weights are expanded and multiplied as gemm_type",
               "runtime; at most four times the fp32 rate (dot products of bytes)")
          .range(0.0, 4096.0)
          .add("gemm_type", &cpu_params::gemm_type,
               "type the runtime multiplies in, e.g. fp32 where it has no kernels for matrix units; operator: the "
               "operator's own",
               "runtime")
          .choices({"operator", "fp32", "bf16", "fp16", "int8"})
          .add("gemm_fraction", &cpu_params::gemm_fraction,
               "rate of the runtime's products relative to sustained_fraction", "runtime")
          .range(0.01, 2.0)
          .add("attention_fraction", &cpu_params::attention_fraction,
               "part of the vector rate that the runtime's attention reaches over many queries", "runtime")
          .range(0.001, 1.0)
          .add("barrier_per_thread", &cpu_params::barrier_per_thread,
               "what each thread adds to the overhead of an operator (barriers through one cache line)", "runtime")
          .range(duration(0), duration(1))
          .add("handoff", &cpu_params::handoff,
               "copy and synchronisation before an operator whose operands another kind of core made", "runtime")
          .range(duration(0), duration(1))
          .add("operator_overhead", &cpu_params::operator_overhead, "barrier and work distribution an operator",
               "OpenMP barrier microbenchmarks: 1 to 5 us")
          .range(duration(0), duration(1))
          .add("layer_overhead", &cpu_params::layer_overhead, "per layer, of the runtime")
          .range(duration(0), duration(1))
          .add("energy_per_flop", &cpu_params::energy_per_flop, "dynamic energy an operation")
          .range(energy(0), energy(1e-6))
          .add("energy_per_cache_byte", &cpu_params::energy_per_cache_byte, "last-level cache access, one byte")
          .range(energy(0), energy(1e-6))
          .add("idle_power", &cpu_params::idle_power, "static power of the socket without its DRAM")
          .range(power(0), power(1e5));
  return table;
}

double cpu_model::peak_rate(const std::string& type) const {
  double per_cycle = 1;
  for (const char* name : {type.c_str(), "fp32"})
    if (const auto found = m_p.flops_per_cycle.find(name); found != m_p.flops_per_cycle.end()) {
      per_cycle = found->second;
      break;
    }
  return per_cycle * m_p.clock.value * static_cast<double>(active());
}

double cpu_model::gemm_seconds(const operation& op) const {
  const double vector_rate = peak_rate("fp32");
  const bool narrow = op.weight_bits < 16;
  if (narrow && m_p.dot_per_cycle > 0) {
    const double per_cycle = m_p.dot_per_cycle * m_p.clock.value * static_cast<double>(active());
    return op.flops / std::min(per_cycle, 4 * vector_rate);
  }
  const double peak = peak_rate(m_p.gemm_type == "operator" ? op.type : m_p.gemm_type);
  // A GEMV cannot use the matrix tiles' reuse: it runs on the vector units.
  const double rate = op.m >= 16 ? m_p.gemm_fraction * peak : std::min(peak, 2 * vector_rate);
  double seconds = op.flops / (m_p.sustained_fraction * rate);
  if (narrow)
    seconds += m_p.dequant_ops * static_cast<double>(op.n) * static_cast<double>(op.k) * static_cast<double>(op.batch) /
               vector_rate;
  return seconds;
}

work cpu_model::plan(const operation& op) {
  work w;
  w.launch = op.fused ? 0 : to_ps(m_p.operator_overhead) + active() * to_ps(m_p.barrier_per_thread);
  if (op.first_of_layer) w.launch += to_ps(m_p.layer_overhead);
  if (op.handed_over) w.launch += to_ps(m_p.handoff);
  std::int64_t touched = 0;
  w.accesses = through_cache(op, m_cache, touched);

  const double vector_rate = peak_rate("fp32");
  double seconds = 0;
  if (op.kind == work_kind::gemm)
    seconds = gemm_seconds(op);
  else
    seconds = op.flops / (m_p.sustained_fraction * vector_rate *
                          (op.kind == work_kind::attention && op.m > 1 ? m_p.attention_fraction : 1.0));
  std::int64_t missed = 0;
  for (const auto& a : w.accesses) missed += a.bytes;
  seconds =
      std::max(seconds, static_cast<double>(std::max<std::int64_t>(0, touched - missed)) / m_p.cache_bandwidth.value);
  w.compute[stall::compute] = static_cast<ps_t>(std::llround(seconds * 1e12));
  w.window = active() * m_p.line_fill_buffers * to_bytes(m_p.line);
  w.load_latency = to_ps(m_p.load_latency);
  w.fill_bandwidth = m_p.cache_bandwidth.value;
  if (m_p.cluster_bandwidth.value > 0) {
    const std::int64_t size = m_p.cluster_cores == 0 ? m_p.cores : m_p.cluster_cores;
    const std::int64_t clusters = (active() + size - 1) / size;
    w.fill_bandwidth = std::min(w.fill_bandwidth, static_cast<double>(clusters) * m_p.cluster_bandwidth.value);
  }
  w.energy_pj = op.flops * to_pj(m_p.energy_per_flop) + static_cast<double>(touched) * to_pj(m_p.energy_per_cache_byte);
  return w;
}

static const register_core<cpu_model, cpu_params> registered(
    "cpu", "cores with vector and matrix units behind a last-level cache", cpu_param_table);

}  // namespace memwall
