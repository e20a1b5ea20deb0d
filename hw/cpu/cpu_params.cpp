// SPDX-License-Identifier: Apache-2.0
#include "hw/cpu/cpu_params.h"

namespace memwall {

const param_table<cpu_silicon>& cpu_silicon_table() {
  static const auto table =
      param_table<cpu_silicon>("cpu")
          .add("cores", &cpu_silicon::cores, "physical cores", "Intel ARK 8480+")
          .range<std::int64_t>(1, 4096)
          .add("clock", &cpu_silicon::clock, "all-core clock under vector load")
          .range(frequency(1e6), frequency(1e10))
          .add("flops_per_cycle", &cpu_silicon::flops_per_cycle,
               "operations a cycle a core by type (2 x FMA width; AMX tiles)",
               "Intel: 1024 bf16 / 2048 int8 with AMX, 64 fp32 with AVX-512")
          .add("sustained_fraction", &cpu_silicon::sustained_fraction, "part of the peak a large GEMM sustains")
          .range(0.01, 1.0)
          .add("line_fill_buffers", &cpu_silicon::line_fill_buffers,
               "lines a core keeps in flight: L1 fill buffers and L2 prefetches together",
               "Sapphire Rapids: 16 L1 fill buffers, 48 L2 queue entries")
          .range<std::int64_t>(1, 1024)
          .add("line", &cpu_silicon::line, "cache line")
          .range(byte_size(16), byte_size(1024))
          .add("load_latency", &cpu_silicon::load_latency, "load that misses every cache, unloaded",
               "Intel MLC class figures")
          .range(duration(1e-9), duration(1e-5))
          .add("cache", &cpu_silicon::cache, "last-level cache", "Intel ARK 8480+: 105 MB")
          .range(byte_size(0), byte_size(1e12))
          .add("cache_bandwidth", &cpu_silicon::cache_bandwidth, "last-level cache, all cores")
          .range(bandwidth(1e6), bandwidth(1e15))
          .add("cluster_cores", &cpu_silicon::cluster_cores,
               "cores that share one port to the memory (a chiplet, a cluster); 0: all")
          .range<std::int64_t>(0, 4096)
          .add("cluster_bandwidth", &cpu_silicon::cluster_bandwidth,
               "most that the cores of one cluster take from memory together; 0 GB/s: what the memory gives",
               "streaming reads (STREAM class); Zen 4: 32 B a fabric clock a chiplet")
          .range(bandwidth(0), bandwidth(1e15))
          .add("dequant_ops", &cpu_silicon::dequant_ops, "fp32-lane operations to expand one narrow weight",
               "4-bit: and, shift, subtract a byte lane; a quarter of an fp32 lane each")
          .range(0.0, 1000.0)
          .add("half_lanes", &cpu_silicon::half_lanes,
               "16-bit products of the vector units relative to 32-bit ones: what bounds a product too thin for tiles",
               "AVX-512 FP16, Armv8.2: twice the lanes")
          .range(1.0, 8.0)
          .add("byte_lanes", &cpu_silicon::byte_lanes, "products of bytes of the vector units relative to 32-bit ones",
               "AVX-512 VNNI, Armv8.2 dot product: four times the lanes")
          .range(1.0, 16.0)
          .add("tile_rows", &cpu_silicon::tile_rows, "least rows of a product that fill the matrix units' tiles",
               "Intel AMX: tiles of 16 rows")
          .range<std::int64_t>(1, 1024)
          .add("energy_per_flop", &cpu_silicon::energy_per_flop, "dynamic energy an operation")
          .range(energy(0), energy(1e-6))
          .add("energy_per_cache_byte", &cpu_silicon::energy_per_cache_byte, "last-level cache access, one byte")
          .range(energy(0), energy(1e-6))
          .add("idle_power", &cpu_silicon::idle_power, "static power of the socket without its DRAM")
          .range(power(0), power(1e5));
  return table;
}

const param_table<cpu_software>& cpu_software_table() {
  static const auto table =
      param_table<cpu_software>("cpu")
          .add("threads", &cpu_software::threads, "worker threads, at most one a core; 0: one a core", "runtime")
          .range<std::int64_t>(0, 4096)
          .add("dot_per_cycle", &cpu_software::dot_per_cycle,
               "operations a cycle a core (a multiply-accumulate is two) of the runtime's integer kernels on narrow "
               "weights, unpacking and scales included; 0: weights are expanded and multiplied as gemm_type",
               "runtime; at most four times the fp32 rate (dot products of bytes)")
          .range(0.0, 4096.0)
          .add("gemm_type", &cpu_software::gemm_type,
               "type the runtime multiplies in, e.g. fp32 where it has no kernels for matrix units; operator: the "
               "operator's own",
               "runtime")
          .choices({"operator", "fp32", "bf16", "fp16", "int8"})
          .add("gemm_fraction", &cpu_software::gemm_fraction,
               "rate of the runtime's products relative to sustained_fraction", "runtime")
          .range(0.01, 2.0)
          .add("attention_fraction", &cpu_software::attention_fraction,
               "part of the vector rate that the runtime's attention reaches over many queries", "runtime")
          .range(0.001, 1.0)
          .add("barrier_per_thread", &cpu_software::barrier_per_thread,
               "what each thread adds to the overhead of an operator (barriers through one cache line)", "runtime")
          .range(duration(0), duration(1))
          .add("handoff", &cpu_software::handoff,
               "copy and synchronisation before an operator whose operands another kind of core made", "runtime")
          .range(duration(0), duration(1))
          .add("operator_overhead", &cpu_software::operator_overhead, "barrier and work distribution an operator",
               "OpenMP barrier microbenchmarks: 1 to 5 us")
          .range(duration(0), duration(1))
          .add("layer_overhead", &cpu_software::layer_overhead, "per layer, of the runtime")
          .range(duration(0), duration(1));
  return table;
}

const param_table<cpu_params>& cpu_param_table() {
  static const auto table = param_table<cpu_params>("cpu")
                                .include(cpu_silicon_table(), &cpu_params::silicon)
                                .include(cpu_software_table(), &cpu_params::software);
  return table;
}

}  // namespace memwall
