// SPDX-License-Identifier: Apache-2.0
#include "hw/gpu/gpu_model.h"

#include <algorithm>
#include <cmath>

#include "hw/core/plan_accesses.h"

namespace memwall {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Thread-block tiles of the vendors' GEMM libraries (CUTLASS profiler's shapes). Tensor cores take at least 16 rows.
struct tile {
  std::int64_t m, n;
};
constexpr tile tiles[] = {{256, 128}, {128, 256}, {128, 128}, {128, 64}, {64, 128},
                          {64, 64},   {32, 64},   {16, 64},   {16, 128}};

double bytes_per_element(const std::string& type) {
  if (type == "fp32" || type == "tf32") return 4;
  if (type == "fp8" || type == "int8") return 1;
  if (type == "int4") return 0.5;
  return 2;
}

}  // namespace

const param_table<gpu_params>& gpu_param_table() {
  static const auto table =
      param_table<gpu_params>("gpu")
          .add("sms", &gpu_params::sms,
               "streaming multiprocessors (compute units) that share the chip's rates below: more of them are smaller "
               "ones",
               "H100 whitepaper: 132 in the SXM5 part")
          .range<std::int64_t>(1, 4096)
          .add("clock", &gpu_params::clock, "clock at which tensor_rate holds",
               "H100 datasheet: dense rates at 1830 MHz")
          .range(frequency(1e6), frequency(1e10))
          .add("tensor_rate", &gpu_params::tensor_rate, "dense peak of the matrix units by arithmetic type",
               "H100 datasheet")
          .range(op_rate(1e6), op_rate(1e18))
          .choices({"fp32", "tf32", "fp16", "bf16", "fp8", "int8", "int4"})
          .add("vector_rate", &gpu_params::vector_rate, "fp32 peak of the vector units", "H100 datasheet")
          .range(op_rate(1e6), op_rate(1e18))
          .add("sustained_fraction", &gpu_params::sustained_fraction,
               "part of the dense peak a large GEMM sustains (power, clocks, issue)",
               "measured: M = 2048 linear layers, Vidur profiles")
          .range(0.01, 1.0)
          .add("attention_efficiency", &gpu_params::attention_efficiency,
               "part of the sustained rate that fused attention reaches in prefill",
               "FlashAttention-2 paper, Fig. 4-6: 50 to 73 % of peak on A100, 35 to 40 % on H100")
          .range(0.01, 1.0)
          .add("l2", &gpu_params::l2, "last-level cache", "H100 whitepaper")
          .range(byte_size(0), byte_size(1e12))
          .add("l2_line", &gpu_params::l2_line, "bytes of a request to memory",
               "line of an NVIDIA L2: 128 B in four sectors (tuning guides); assumed for other makers' parts")
          .range(byte_size(32), byte_size(4096))
          .add("l2_bandwidth", &gpu_params::l2_bandwidth, "last-level cache to SMs, total",
               "microbenchmarks: 64 B a cycle a slice")
          .range(bandwidth(1e6), bandwidth(1e15))
          .add("in_flight_per_sm", &gpu_params::in_flight_per_sm, "bytes an SM keeps in flight towards memory",
               "fitted on M = 1 linear layers; bounded by registers and MSHRs")
          .range(byte_size(32), byte_size(1e9))
          .add("load_latency", &gpu_params::load_latency, "load that misses every cache, unloaded, as a kernel sees it",
               "pointer-chase microbenchmarks")
          .range(duration(1e-9), duration(1e-4))
          .add("dequant_ops", &gpu_params::dequant_ops, "vector operations to expand one narrow weight",
               "int4 unpack, scale: 2 (packed half2 conversion)")
          .range(0.0, 1000.0)
          .add("half_accumulate_gain", &gpu_params::half_accumulate_gain,
               "speed of fp16 products summed in fp16 relative to sums in fp32",
               "GA102 and Ada whitepapers: 2 on GeForce cards, else 1")
          .range(1.0, 8.0)
          .add("power_limit", &gpu_params::power_limit, "of the board; 0 W: none", "data sheets")
          .range(power(0), power(1e5))
          .add("gemm_energy", &gpu_params::gemm_energy,
               "what the board takes for a 16-bit operation of a large product, everything included; with power_limit "
               "it bounds the rate under a sustained load (8-bit operations take half). 0 pJ: no bound",
               "fitted: prompts of llama.cpp over cards of one architecture and different limits")
          .range(energy(0), energy(1e-6))
          .add("cluster", &gpu_params::cluster,
               "thread blocks that share the operands they load (distributed shared memory)",
               "Hopper tuning guide: 2 is what the GEMM libraries use; 1 before Hopper")
          .range<std::int64_t>(1, 16)
          .add("kernel_launch", &gpu_params::kernel_launch, "gap between back-to-back kernels",
               "2.7 us from a stream, 1.3 us from a graph (H200 microbenchmark)")
          .range(duration(0), duration(1))
          .add("kernel_ramp", &gpu_params::kernel_ramp,
               "kernel prologue and tail: block scheduling, first loads, last stores",
               "intercept of kernel time over bytes, M = 1 linear layers")
          .range(duration(0), duration(1))
          .add("layer_overhead", &gpu_params::layer_overhead,
               "per layer, of the runtime (graph nodes, host synchronisation)",
               "intercept of decode time over bytes by runtime")
          .range(duration(0), duration(1))
          .add("fusion", &gpu_params::fusion,
               "none: a kernel an operator; elementwise: norms, rotations, activations and residuals run in their "
               "neighbour's kernel",
               "runtime")
          .choices({"none", "elementwise"})
          .add("accumulate", &gpu_params::accumulate, "type in which the runtime's GEMMs sum fp16 products", "runtime")
          .choices({"fp32", "fp16"})
          .add("load", &gpu_params::load,
               "burst: too short for the power limit to act (a prompt, a kernel timed on its own); sustained: runs "
               "repeated back to back",
               "how the runtime is used")
          .choices({"burst", "sustained"})
          .add("attention", &gpu_params::attention,
               "flash: scores stay on chip; separate: scores, softmax and values are kernels that pass fp32 scores "
               "through memory",
               "runtime")
          .choices({"flash", "separate"})
          .add("gemm_fraction", &gpu_params::gemm_fraction,
               "rate of the runtime's GEMMs relative to the vendor library's", "fitted on prefill rows, by runtime")
          .range(0.01, 2.0)
          .add("elementwise_traffic", &gpu_params::elementwise_traffic,
               "bytes that elementwise kernels move relative to 16-bit tensors read and written once (fp32 tensors, "
               "conversions, copies)",
               "fitted on prefill rows, by runtime")
          .range(0.1, 100.0)
          .add("expand_rows", &gpu_params::expand_rows,
               "from that many rows on, narrow weights are first written out in 16 bits (and read back) before a "
               "16-bit GEMM; 0: never",
               "runtime")
          .range<std::int64_t>(0, 1 << 20)
          .add("dot_rows", &gpu_params::dot_rows,
               "up to that many rows, products of narrow weights run on the vector units' integer dot products (a row "
               "of weights a block, the activations re-read for each); 0: never",
               "runtime")
          .range<std::int64_t>(0, 1 << 20)
          .add("dot_ops", &gpu_params::dot_ops,
               "vector operations that a multiply-accumulate costs there, loads of activations and scales included",
               "fitted: micro-batches of 4 to 8 rows")
          .range(0.0, 1000.0)
          .add("dot_tile_ops", &gpu_params::dot_tile_ops,
               "the same for integer kernels with tiles, for all rows beyond dot_rows; 0: the matrix units multiply",
               "fitted: 4-bit prompts on kernels without matrix units")
          .range(0.0, 1000.0)
          .add("many_row_overhead", &gpu_params::many_row_overhead,
               "per layer, more than layer_overhead, where several rows are processed (graphs replay steps of one row "
               "only)",
               "runtime")
          .range(duration(0), duration(1))
          .add("gemm_overhead", &gpu_params::gemm_overhead,
               "beside each product of more rows than the runtime's thin kernels take: kernels that quantise or "
               "convert its input and join split sums",
               "runtime")
          .range(duration(0), duration(1))
          .add("handoff", &gpu_params::handoff,
               "synchronisation before an operator whose operands another core made (the host's, another stage's)",
               "runtime")
          .range(duration(0), duration(1))
          .add("handoff_bandwidth", &gpu_params::handoff_bandwidth,
               "rate at which those operands are copied, counted in the trace's bytes; 0 GB/s: they are not",
               "runtime: through host memory, or to the peer")
          .range(bandwidth(0), bandwidth(1e15))
          .add("prompt_overhead", &gpu_params::prompt_overhead,
               "of the runtime before a prompt's pass (tokens, masks, tables)", "runtime: prompts of 128 tokens")
          .range(duration(0), duration(1))
          .add(
              "fp8_fraction", &gpu_params::fp8_fraction,
              "rate of the runtime's 8-bit floating-point products relative to its 16-bit ones, each over its own peak",
              "runtime")
          .range(0.01, 2.0)
          .add("unpacking", &gpu_params::unpacking,
               "serial: registers that wait for narrow weights are held while the ones before are unpacked; "
               "overlapped: loads go to shared memory and never wait for it",
               "runtime: dequantise-on-load kernels against asynchronous-copy ones (Marlin, Frantar et al. 2024)")
          .choices({"serial", "overlapped"})
          .add("kernel_in_flight", &gpu_params::kernel_in_flight,
               "bytes an SM that the runtime's thin kernels (up to 16 rows) keep in flight with 16-bit weights; 0: as "
               "many as the SM can",
               "runtime: blocks an SM x threads x bytes a load")
          .range(byte_size(0), byte_size(1e9))
          .add("collective_launch", &gpu_params::collective_launch,
               "start of an all-reduce whose words carry their own flags (the library's protocol for small ones): "
               "launch, handshake of all devices",
               "intercept of small all-reduces")
          .range(duration(0), duration(1))
          .add("collective_step", &gpu_params::collective_step, "a step of the ring: flag, copy, flag",
               "small all-reduces over device counts")
          .range(duration(0), duration(1))
          .add("collective_rate", &gpu_params::collective_rate,
               "what a device sends a second that way; 0 GB/s: what the links take",
               "fitted: all-reduces of 64 to 512 KiB")
          .range(bandwidth(0), bandwidth(1e15))
          .add(
              "bulk_collective_launch", &gpu_params::bulk_collective_launch,
              "start of an all-reduce in buffers (the protocol for large ones; the library takes whichever ends first)",
              "fitted: all-reduces of 1 to 64 MiB")
          .range(duration(0), duration(1))
          .add("bulk_collective_rate", &gpu_params::bulk_collective_rate,
               "what a device sends a second in buffers: the copying SMs; 0 GB/s: no such protocol",
               "H200, eight devices, 16 GiB: 367 GB/s (stas00/ml-engineering, network benchmarks)")
          .range(bandwidth(0), bandwidth(1e15))
          .add("energy_per_flop", &gpu_params::energy_per_flop,
               "dynamic energy of one 16-bit operation incl. register and shared memory traffic",
               "H100: 700 W / 989 TFLOPS = 0.7 pJ all in; the arithmetic part")
          .range(energy(0), energy(1e-6))
          .add("energy_per_l2_byte", &gpu_params::energy_per_l2_byte, "L2 access and crossbar, one byte",
               "Arunkumar et al., MICRO 2019 class figures")
          .range(energy(0), energy(1e-6))
          .add("idle_power", &gpu_params::idle_power, "static power of the chip without its DRAM")
          .range(power(0), power(1e5));
  return table;
}

double gpu_model::peak_rate(const std::string& type) const {
  const bool wide = type == "fp32" || type == "tf32";  // 16-bit units cannot compute them
  const std::vector<const char*> candidates =
      wide ? std::vector<const char*>{type.c_str()}
           : std::vector<const char*>{type.c_str(), "fp16", "bf16", "tf32", "fp32"};
  for (const char* name : candidates)
    if (const auto found = m_p.tensor_rate.find(name); found != m_p.tensor_rate.end()) return found->second.value;
  return m_p.vector_rate.value;
}

double gpu_model::gemm_rate(const std::string& type) const {
  const double gain = m_p.accumulate == "fp16" && type == "fp16" ? m_p.half_accumulate_gain : 1.0;
  const double kernels = m_p.gemm_fraction * (type == "fp8" ? m_p.fp8_fraction : 1.0);
  const double rate = peak_rate(type) * gain * m_p.sustained_fraction * kernels;
  if (m_p.load == "burst" || m_p.power_limit.value <= 0 || m_p.gemm_energy.value <= 0) return rate;
  return std::min(rate, m_p.power_limit.value / (m_p.gemm_energy.value * bytes_per_element(type) / 2));
}

// Refresh and turnarounds leave nine tenths of a memory's peak to a stream (88 to 93 % over the standards here).
void gpu_model::set_memory_bandwidth(double peak) {
  m_memory_rate = 0.9 * peak;
}

/// Bytes a second of what a runtime moves through memory beyond the trace's operands.
double gpu_model::spill_rate() const {
  const double rate = std::min(m_p.l2_bandwidth.value, load_rate(m_p.sms, 0, 0));
  return m_memory_rate > 0 ? std::min(rate, m_memory_rate) : rate;
}

double gpu_model::load_rate(std::int64_t blocks, double weight_bits, double type_bits) const {
  double in_flight = m_p.in_flight_per_sm.value;
  if (m_p.kernel_in_flight.value > 0) in_flight = std::min(in_flight, m_p.kernel_in_flight.value);
  double interval = m_p.load_latency.value / (in_flight * static_cast<double>(blocks));  // seconds a byte
  if (m_p.unpacking == "serial" && weight_bits > 0 && weight_bits < type_bits)
    interval += m_p.dequant_ops / m_p.vector_rate.value * 8 / weight_bits;
  return 1 / interval;
}

double gpu_model::gemm_seconds(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch,
                               const std::string& type, double weight_bits) const {
  const double sm_rate = gemm_rate(type) / static_cast<double>(m_p.sms);
  const double sm_bandwidth = m_p.l2_bandwidth.value / static_cast<double>(m_p.sms);
  const double element = bytes_per_element(type);
  const double weight = weight_bits > 0 ? std::min(element, weight_bits / 8) : element;
  const auto shared = static_cast<double>(m_p.cluster);
  double best = HUGE_VAL;
  for (const tile& t : tiles) {
    const auto rows = static_cast<double>(t.m), columns = static_cast<double>(t.n);
    const std::int64_t blocks = divide_up(m, t.m) * divide_up(n, t.n) * batch;
    for (std::int64_t split = 1; split <= 16; split *= 2) {
      if (split > 1 && (blocks * split > m_p.sms || k / split < 256)) break;
      const double depth = static_cast<double>(divide_up(k, split));
      const double arithmetic = 2.0 * rows * columns * depth / sm_rate;
      // The blocks of a cluster lie along one side of the tile and load the other side's operand once.
      const double feed =
          std::min(rows * element / shared + columns * weight, rows * element + columns * weight / shared) * depth /
          sm_bandwidth;
      // Partial sums of a split are written and read once more in fp32.
      const double reduce = split == 1 ? 0 : 2.0 * 4.0 * rows * columns / sm_bandwidth;
      const double waves = static_cast<double>(divide_up(blocks * split, m_p.sms));
      best = std::min(best, waves * (std::max(arithmetic, feed) + reduce));
    }
  }
  return best;
}

void gpu_model::plan_gemm(const operation& op, double& seconds) const {
  const double type_bits = 8 * bytes_per_element(op.type);
  const bool narrow = op.weight_bits < type_bits;
  const double weights = static_cast<double>(op.n) * static_cast<double>(op.k) * static_cast<double>(op.batch);
  const double unpack = narrow ? m_p.dequant_ops * weights / m_p.vector_rate.value : 0.0;
  // A GEMV runs on the vector units, at the pace of its loads; what feeds tiles from the L2 is for products with reuse.
  const auto product = [&](double stored_bits) {
    return op.m == 1 ? op.flops / std::min(m_p.vector_rate.value, peak_rate(op.type))
                     : gemm_seconds(op.m, op.n, op.k, op.batch, op.type, stored_bits);
  };
  if (narrow && m_p.expand_rows > 0 && op.m >= m_p.expand_rows) {
    // A kernel of its own reads the narrow weights and writes 16-bit ones; then the product reads those back while it
    // computes. (The transfers that are simulated are the narrow weights'.)
    const double wide = type_bits / 8 * weights / spill_rate(), stored = op.weight_bits / 8 * weights / spill_rate();
    seconds = std::max(product(0), wide) + std::max(unpack, stored + wide) + m_p.kernel_launch.value;
  } else if (narrow && op.m > 1 && op.m <= m_p.dot_rows) {
    seconds = std::max(unpack, m_p.dot_ops * static_cast<double>(op.m) * weights / m_p.vector_rate.value);
  } else if (narrow && op.m > 1 && m_p.dot_tile_ops > 0) {
    seconds = m_p.dot_tile_ops * static_cast<double>(op.m) * weights / m_p.vector_rate.value;
  } else {
    seconds = product(op.weight_bits) + unpack * static_cast<double>(divide_up(op.m, 256));
  }
}

double gpu_model::attention_seconds(const operation& op) const {
  const double rate = op.m > 1 ? gemm_rate(op.type) * m_p.attention_efficiency : m_p.vector_rate.value;
  double seconds = op.flops / rate;
  if (m_p.attention == "separate") {
    // Two products of k multiply-accumulates a score. Scores are written, read and written by the softmax, and read:
    // fp32.
    const double scores =
        op.flops / (4.0 * static_cast<double>(op.k)) * (op.m > 1 ? 2.0 : 1.0);  // the masked half is computed too
    const double bytes = 4 * 4 * scores;
    seconds += 2 * (m_p.kernel_launch.value + m_p.kernel_ramp.value);
    seconds += bytes / (bytes / 4 > m_p.l2.value / 2 ? spill_rate() : m_p.l2_bandwidth.value);
  }
  return seconds;
}

/// Of an all-reduce's protocols the library takes the one that ends first. What is sent crosses the modelled links
/// besides.
void gpu_model::plan_collective(const operation& op, work& w) const {
  double bytes = 0;
  for (const auto& o : op.operands) bytes += o.write ? static_cast<double>(o.bytes) : 0.0;
  const double small = m_p.collective_rate.value, bulk = m_p.bulk_collective_rate.value;
  const double small_end = m_p.collective_launch.value + (small > 0 ? bytes / small : 0.0);
  const bool in_bulk = bulk > 0 && m_p.bulk_collective_launch.value + bytes / bulk < small_end;
  w.launch = to_ps(in_bulk ? m_p.bulk_collective_launch : m_p.collective_launch) + op.n * to_ps(m_p.collective_step);
  w.result_bandwidth = in_bulk ? bulk : small;
}

/// Activations that other cores made are copied here first.
ps_t gpu_model::handoff_time(const operation& op) const {
  std::int64_t bytes = 0;
  for (const auto& o : op.operands)
    if (!o.write && o.kind == traffic::activations) bytes += o.bytes;
  ps_t time = to_ps(m_p.handoff);
  if (m_p.handoff_bandwidth.value > 0)
    time += static_cast<ps_t>(std::llround(static_cast<double>(bytes) / m_p.handoff_bandwidth.value * 1e12));
  return time;
}

work gpu_model::plan(const operation& op) {
  work w;
  const bool fused = op.fused || (m_p.fusion == "elementwise" && op.kind == work_kind::elementwise);
  if (!fused) w.launch = to_ps(m_p.kernel_launch) + to_ps(m_p.kernel_ramp);
  if (op.first_of_layer) w.launch += to_ps(m_p.layer_overhead) + (op.m > 1 ? to_ps(m_p.many_row_overhead) : 0);
  if (op.kind == work_kind::gemm && op.m > std::max<std::int64_t>(1, m_p.dot_rows))
    w.launch += to_ps(m_p.gemm_overhead);
  if (op.first_of_prompt) w.launch += to_ps(m_p.prompt_overhead);
  if (op.handed_over) w.launch += handoff_time(op);
  if (op.kind == work_kind::collective) plan_collective(op, w);

  std::int64_t touched = 0;
  w.accesses = through_cache(op, m_l2, touched);
  std::int64_t missed = 0;
  for (const auto& a : w.accesses) missed += a.bytes;

  double seconds = 0, moved = static_cast<double>(touched), narrow = 0;
  std::int64_t blocks = m_p.sms;  // how many SMs have work that loads
  switch (op.kind) {
    case work_kind::gemm:
      plan_gemm(op, seconds);
      narrow = op.weight_bits;
      break;
    case work_kind::attention:
      seconds = attention_seconds(op);
      // Flash decoding splits the cache in pieces of 256 positions; fewer pieces than SMs leave SMs idle.
      if (op.m == 1) blocks = std::min(m_p.sms, op.batch * divide_up(op.n, 256));
      break;
    case work_kind::elementwise:
      seconds = op.flops / m_p.vector_rate.value;
      // What the kernels move beyond the tensors themselves comes from memory once it no longer fits.
      if (const double extra = (m_p.elementwise_traffic - 1) * moved; extra > 0) {
        const bool on_chip = 2 * moved <= m_p.l2.value;
        if (!on_chip) seconds = std::max(seconds, extra / spill_rate());
        moved += extra;
      }
      break;
    default:
      seconds = op.flops / m_p.vector_rate.value;
  }
  // Operands that hit on chip still cross the L2; those that miss are paced by fill_bandwidth.
  seconds = std::max(seconds, std::max(0.0, moved - static_cast<double>(missed)) / m_p.l2_bandwidth.value);
  w.compute[stall::compute] = static_cast<ps_t>(std::llround(seconds * 1e12));
  // A block needs a few kilobytes to be worth launching: tiny operators cannot occupy every SM.
  blocks = std::max<std::int64_t>(1, std::min(blocks, divide_up(std::max<std::int64_t>(missed, 1), 4096)));
  const bool thin = op.kind == work_kind::gemm && op.m <= 16;
  const double rate = thin ? load_rate(blocks, narrow, 8 * bytes_per_element(op.type))
                           : m_p.in_flight_per_sm.value * static_cast<double>(blocks) / m_p.load_latency.value;
  w.window = std::max<std::int64_t>(4096, blocks * to_bytes(m_p.in_flight_per_sm));
  w.load_latency = to_ps(m_p.load_latency);
  w.fill_bandwidth = std::min(m_p.l2_bandwidth.value, rate);
  w.energy_pj = op.flops * to_pj(m_p.energy_per_flop) + static_cast<double>(touched) * to_pj(m_p.energy_per_l2_byte);
  return w;
}

static const register_core<gpu_model, gpu_params> registered("gpu",
                                                             "streaming multiprocessors with matrix units behind an L2",
                                                             gpu_param_table);

}  // namespace memwall
