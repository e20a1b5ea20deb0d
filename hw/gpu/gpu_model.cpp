// SPDX-License-Identifier: Apache-2.0
#include "hw/gpu/gpu_model.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <vector>

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

/// Tiles of `height` rows that products of m rows each take, or of the rows given.
std::int64_t row_tiles(std::int64_t m, std::int64_t batch, const std::vector<std::int64_t>& rows, std::int64_t height) {
  if (rows.empty()) return divide_up(m, height) * batch;
  std::int64_t sum = 0;
  for (const std::int64_t r : rows) sum += divide_up(r, height);
  return sum;
}

constexpr std::int64_t resident_blocks = 3;  // of FlashAttention-2 an SM, over one query

double bytes_per_element(const std::string& type) {
  if (type == "fp32" || type == "tf32") return 4;
  if (type == "fp8" || type == "int8") return 1;
  if (type == "int4") return 0.5;
  return 2;
}

}  // namespace

double gpu_model::peak_rate(const std::string& type) const {
  const bool wide = type == "fp32" || type == "tf32";  // 16-bit units cannot compute them
  const std::vector<const char*> candidates =
      wide ? std::vector<const char*>{type.c_str()}
           : std::vector<const char*>{type.c_str(), "fp16", "bf16", "tf32", "fp32"};
  for (const char* name : candidates)
    if (const auto found = m_chip.tensor_rate.find(name); found != m_chip.tensor_rate.end()) return found->second.value;
  return m_chip.vector_rate.value;
}

double gpu_model::gemm_rate(const std::string& type) const {
  const double gain = m_stack.accumulate == "fp16" && type == "fp16" ? m_chip.half_accumulate_gain : 1.0;
  const double kernels = m_stack.gemm_fraction * (type == "fp8" ? m_stack.fp8_fraction : 1.0) *
                         (bytes_per_element(type) <= 1 ? m_chip.byte_fraction : 1.0);
  return peak_rate(type) * gain * m_chip.sustained_fraction * kernels;
}

bool gpu_model::by_warps(double weight_bits, const std::string& type,
                         const std::vector<std::int64_t>& expert_rows) const {
  const bool narrow = weight_bits > 0 && weight_bits < 8 * bytes_per_element(type);
  return narrow && !expert_rows.empty() && m_stack.narrow_experts == "warps";
}

double gpu_model::power_rate(const std::string& type) const {
  if (m_stack.load != "sustained" || m_chip.power_limit.value <= 0 || m_chip.gemm_energy.value <= 0) return HUGE_VAL;
  return m_chip.power_limit.value / (m_chip.gemm_energy.value * bytes_per_element(type) / 2);
}

void gpu_model::set_memory(double peak_bandwidth, double byte_pj) {
  m_memory_rate = m_chip.stream_fraction * peak_bandwidth;
  m_memory_byte_pj = byte_pj;
}

double gpu_model::flop_pj(const std::string& type) const {
  const double bytes = bytes_per_element(type);
  return to_pj(m_chip.energy_per_flop) * (bytes >= 2 ? bytes / 2 : m_chip.byte_energy * bytes);
}

double gpu_model::power_left() const {
  const double standing = m_chip.idle_power.value + m_chip.context_power.value + m_chip.active_power.value;
  const double left = m_chip.power_limit.value - standing;
  return m_stack.load == "burst" || m_chip.power_limit.value <= 0 || left <= 0 ? HUGE_VAL : left;
}

double gpu_model::least_seconds(double pj) const {
  return pj * 1e-12 / power_left();
}

double gpu_model::clock_under_limit(double arithmetic, double loads, double core_pj, double fixed_pj) const {
  const auto fits = [&](double clock) {
    return least_seconds(core_pj * clock * clock + fixed_pj) <= std::max(arithmetic / clock, loads);
  };
  if (fits(1)) return 1;
  double low = m_chip.least_clock, high = 1;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

/// Bytes a second of what a runtime moves through memory beyond the trace's operands. These kernels stream over all
/// SMs: what a runtime's thin products keep in flight does not bound them.
double gpu_model::spill_rate() const {
  const double rate = std::min(m_chip.l2_bandwidth.value, sm_load_rate(m_chip.sms));
  return m_memory_rate > 0 ? std::min(rate, m_memory_rate) : rate;
}

double gpu_model::sm_load_rate(std::int64_t blocks) const {
  return m_chip.in_flight_per_sm.value * static_cast<double>(blocks) / m_chip.load_latency.value;
}

double gpu_model::load_rate(std::int64_t blocks, double weight_bits, double type_bits) const {
  const bool narrow = weight_bits > 0 && weight_bits < type_bits;
  const bool own = narrow && m_stack.narrow_in_flight.value > 0;
  const double kernel = own ? m_stack.narrow_in_flight.value : m_stack.kernel_in_flight.value;
  double in_flight = m_chip.in_flight_per_sm.value;
  if (kernel > 0) in_flight = std::min(in_flight, kernel);
  double interval = m_chip.load_latency.value / (in_flight * static_cast<double>(blocks));  // seconds a byte
  if (m_stack.unpacking == "serial" && narrow)
    interval += m_chip.dequant_ops / m_chip.vector_rate.value * 8 / weight_bits;
  return 1 / interval;
}

double gpu_model::with_loads(double arithmetic, double loads) const {
  const double order = m_stack.overlap_order;
  const double longer = std::max(arithmetic, loads), shorter = std::min(arithmetic, loads);
  return longer <= 0 ? 0 : longer * std::pow(1 + std::pow(shorter / longer, order), 1 / order);
}

double gpu_model::load_seconds(double bytes, double rate) const {
  if (m_memory_rate > 0) rate = std::min(rate, m_memory_rate);
  return bytes / std::min(rate, m_chip.l2_bandwidth.value);
}

gpu_model::product gpu_model::gemm(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch,
                                   const std::string& type, double weight_bits, double missed,
                                   const std::vector<std::int64_t>& expert_rows) const {
  const double rate = gemm_rate(type) * (by_warps(weight_bits, type, expert_rows) ? m_chip.warp_fraction : 1.0);
  const double sm_rate = rate / static_cast<double>(m_chip.sms);
  const double sm_power_rate = power_rate(type) / static_cast<double>(m_chip.sms);
  const double sm_bandwidth = m_chip.l2_bandwidth.value / static_cast<double>(m_chip.sms);
  const double element = bytes_per_element(type);
  const double weight = weight_bits > 0 ? std::min(element, weight_bits / 8) : element;
  const auto shared = static_cast<double>(m_chip.cluster);
  product best{HUGE_VAL, 1};
  double best_end = HUGE_VAL;
  for (const tile& t : tiles) {
    if (t.n < m_stack.tile_columns) continue;
    const auto rows = static_cast<double>(t.m), columns = static_cast<double>(t.n);
    const std::int64_t tiles_there = row_tiles(m, batch, expert_rows, t.m) * divide_up(n, t.n);
    // A tile's rows and columns beyond the product are zeros: they take time, but hardly power.
    const double useful =
        std::min(1.0, static_cast<double>(m * n * batch) / (rows * columns * static_cast<double>(tiles_there)));
    for (std::int64_t split = 1; split <= m_stack.split_limit; ++split) {
      if (split > 1 && k / split < m_stack.split_depth) break;
      const std::int64_t blocks = tiles_there * split;
      const double depth = static_cast<double>(divide_up(k, split));
      const double work = 2.0 * rows * columns * depth, arithmetic = work / sm_rate;
      // The blocks of a cluster lie along one side of the tile and load the other side's operand once.
      const double feed =
          std::min(rows * element / shared + columns * weight, rows * element + columns * weight / shared) * depth /
          sm_bandwidth;
      // Partial sums of a split are written and read once more in fp32, by blocks that join them.
      const double reduce = split == 1 ? 0 : 2.0 * 4.0 * rows * columns / sm_bandwidth;
      const double join = split == 1 ? 0 : m_stack.tile_overhead.value;
      const double waves = static_cast<double>(divide_up(blocks, m_chip.sms));
      const double around = m_stack.tile_overhead.value + reduce;
      const double seconds = waves * (std::max(arithmetic, feed) + around) + join;
      // While a kernel waits for memory its tiles draw little, so that the limit is for the time that it takes in all.
      const double least = waves * (work * useful / sm_power_rate + around) + join;
      const double loads = missed > 0 ? load_seconds(missed, sm_load_rate(std::min(m_chip.sms, blocks))) : 0;
      const double end = std::max(with_loads(seconds, loads), least);
      if (end < best_end) {
        best_end = end;
        best = {seconds, blocks, least};
      }
    }
  }
  return best;
}

bool gpu_model::by_rule(const operation& op) const {
  return m_stack.expert_tiles == "rule" && !op.rows.empty() && !by_warps(op.weight_bits, op.type, op.rows);
}

/// A kernel that nobody tuned waits in every step for what it has just asked for: its pace is that of its steps.
gpu_model::product gpu_model::gemm_by_rule(const operation& op) const {
  const bool thin = static_cast<double>(op.tokens) <= m_stack.expert_thin_tokens * static_cast<double>(op.experts);
  const auto& tile = thin ? m_stack.expert_thin_tile : m_stack.expert_tile;
  const std::int64_t height = tile.at("rows"), width = tile.at("columns"), depth = tile.at("depth");
  const std::int64_t blocks = row_tiles(op.m, op.batch, op.rows, height) * divide_up(op.n, width);
  const double computing =
      2.0 * static_cast<double>(height * width * depth) * static_cast<double>(m_chip.sms) / gemm_rate(op.type);
  const double step = std::max(computing, (thin ? m_stack.expert_thin_step : m_stack.expert_step).value);
  const double steps = std::max(1.0, static_cast<double>(blocks) / static_cast<double>(m_chip.sms)) *
                       static_cast<double>(divide_up(op.k, depth));
  return {steps * step + m_stack.tile_overhead.value, blocks, op.flops / power_rate(op.type)};
}

gpu_model::product gpu_model::plan_gemm(const operation& op, double missed) const {
  const double type_bits = 8 * bytes_per_element(op.type);
  const bool narrow = op.weight_bits < type_bits;
  const double weights = static_cast<double>(op.n) * static_cast<double>(op.k) * static_cast<double>(op.batch);
  const double unpack = narrow ? m_chip.dequant_ops * weights / m_chip.vector_rate.value : 0.0;
  // A GEMV runs on the vector units, at the pace of its loads; what feeds tiles from the L2 is for products with reuse.
  const auto times = [&](double stored_bits) {
    if (by_rule(op)) return gemm_by_rule(op);
    if (op.m > 1) return gemm(op.m, op.n, op.k, op.batch, op.type, stored_bits, missed, op.rows);
    return product{op.flops / std::min(m_chip.vector_rate.value, peak_rate(op.type)), m_chip.sms};
  };
  if (narrow && m_stack.expand_rows > 0 && op.m >= m_stack.expand_rows) {
    // A kernel of its own reads the narrow weights and writes 16-bit ones; then the product reads those back while it
    // computes. (The transfers that are simulated are the narrow weights'.)
    const double rate = std::min(spill_rate(), load_rate(m_chip.sms, 0, 0));
    const double wide = type_bits / 8 * weights / rate, stored = op.weight_bits / 8 * weights / rate;
    const product p = times(0);
    const double seconds =
        std::max({p.seconds, p.least, wide}) + std::max(unpack, stored + wide) + m_stack.kernel_launch.value;
    return {seconds, m_chip.sms};
  }
  if (narrow && op.m > 1 && op.m <= m_stack.dot_rows)
    return {std::max(unpack, m_stack.dot_ops * static_cast<double>(op.m) * weights / m_chip.vector_rate.value),
            m_chip.sms};
  if (narrow && op.m > 1 && m_stack.dot_tile_ops > 0)
    return {m_stack.dot_tile_ops * static_cast<double>(op.m) * weights / m_chip.vector_rate.value, m_chip.sms};
  product p = times(op.weight_bits);
  p.seconds += unpack * static_cast<double>(divide_up(op.m, m_stack.unpack_rows));
  return p;
}

std::string gpu_model::attention_generation() const {
  const auto third = m_chip.attention_efficiency.find("flash3");
  const bool runs = third != m_chip.attention_efficiency.end() && third->second > 0;
  return m_stack.attention == "flash3" && runs ? "flash3" : "flash2";
}

bool gpu_model::in_prompt_kernel(const operation& op) const {
  return op.beside_prompt && m_stack.attention != "separate" && attention_generation() == "flash2";
}

/// Kernels without copy engines: what a block loads first and computes last stands alone, for all blocks on the chip.
ps_t gpu_model::attention_ends(const operation& op, double rate) const {
  if (op.m > 1 || in_prompt_kernel(op) || attention_generation() == "flash3") return 0;
  const double blocks = static_cast<double>(std::min(op.batch, resident_blocks * m_chip.sms));
  return to_ps(m_stack.attention_start) +
         static_cast<ps_t>(std::llround(load_seconds(blocks * m_stack.attention_fill.value, rate) * 1e12));
}

/// FlashAttention-2 gives each block of query rows of a head to an SM as one becomes free, in the order of the rows.
/// Later rows see more, so that the last blocks end apart, and few blocks leave SMs without any: how much longer that
/// takes than if all SMs shared the work. (The third generation has blocks that stay and take the longest first.)
double gpu_model::unevenness(const operation& op, double attended) const {
  constexpr std::int64_t block_rows = 128, most = 8192;
  const std::int64_t rows = divide_up(op.m, block_rows), heads = op.batch * op.group;
  // In blocks of keys: what is before the prompt, and as much of it as there is by then. Behind a window all see alike.
  const double mean = attended / block_rows, half = static_cast<double>(rows) / 2;
  const bool window = mean < 0.99 * half;
  const auto work = [&](std::int64_t row) {
    return window ? mean : std::max(0.0, mean - half) + static_cast<double>(row + 1);
  };
  double sum = 0;
  for (std::int64_t row = 0; row < rows; ++row) sum += work(row);
  const double shared = sum * static_cast<double>(heads) / static_cast<double>(m_chip.sms);
  // Of many blocks the last ones end as far apart as ones of random length do.
  if (rows * heads > most) return 1 + 0.62 * work(rows - 1) / shared;
  std::priority_queue<double, std::vector<double>, std::greater<>> free;
  for (std::int64_t i = 0; i < m_chip.sms; ++i) free.push(0);
  double end = 0;
  for (std::int64_t head = 0; head < heads; ++head)
    for (std::int64_t row = 0; row < rows; ++row) {
      const double done = free.top() + work(row);
      free.pop();
      free.push(done);
      end = std::max(end, done);
    }
  return std::max(1.0, end / shared);
}

double gpu_model::attention_seconds(const operation& op) const {
  const double rate = std::min(gemm_rate(op.type), power_rate(op.type));
  const double scores = op.flops / (4.0 * static_cast<double>(op.k));  // two products of k multiply-accumulates each
  if (m_stack.attention != "separate") {
    if (op.m == 1 && in_prompt_kernel(op))
      return op.flops * static_cast<double>(m_chip.attention_tile) / (rate * m_chip.attention_efficiency.at("flash2"));
    if (op.m == 1) return op.flops / m_chip.vector_rate.value;
    // A query attends to half of the prompt on average and to all that was cached before, or to a window of it: the
    // operations say to how much. Its block computes more.
    const double attended = scores / (static_cast<double>(op.m) * static_cast<double>(op.batch * op.group));
    const double computed = op.flops * (1 + static_cast<double>(m_stack.attention_edge) / attended);
    const double even = computed / (rate * m_chip.attention_efficiency.at(attention_generation()));
    return attention_generation() == "flash2" ? even * unevenness(op, attended) : even;
  }
  // Every query's scores over all positions are computed and pass through memory, those that the mask hides too.
  const double computed = op.m == 1 ? scores
                                    : std::max(scores, static_cast<double>(op.m) * static_cast<double>(op.n) *
                                                           static_cast<double>(op.batch * op.group));
  const double bytes = m_stack.score_bytes.value * computed;
  double seconds = op.m > 1 ? 4.0 * static_cast<double>(op.k) * computed / (rate * m_stack.score_efficiency)
                            : op.flops / m_chip.vector_rate.value;
  seconds += 2 * (m_stack.kernel_launch.value + m_chip.kernel_ramp.value);
  // Kernels after each other stream over scores in and scores out, of 32 bits each: the L2 keeps its share of them.
  const double missing = m_chip.l2.value > 0 ? std::min(1.0, 2 * 4 * computed / m_chip.l2.value) : 1.0;
  seconds += bytes * (missing / spill_rate() + (1 - missing) / m_chip.l2_bandwidth.value);
  if (op.m == 1) seconds += scores * m_stack.score_cycles / (m_chip.clock.value * static_cast<double>(m_chip.sms));
  return seconds;
}

/// Of an all-reduce's protocols the runtime takes the one that ends first. What is sent crosses the modelled links
/// besides.
void gpu_model::plan_collective(const operation& op, work& w) const {
  double sent = 0;  // 2 (P - 1) / P of the result
  for (const auto& o : op.operands) sent += o.write ? static_cast<double>(o.bytes) : 0.0;
  const duration steps(static_cast<double>(op.n) * m_stack.collective_step.value);
  const auto in_seconds = [&](const protocol& p) {
    return p.launch.value + (p.rate.value > 0 ? sent / p.rate.value : 0.0);
  };
  protocol best{duration(m_stack.collective_launch.value + steps.value), m_stack.collective_rate};
  const auto may_take = [&](const protocol& other) {
    if (other.rate.value > 0 && in_seconds(other) < in_seconds(best)) best = other;
  };
  may_take({duration(m_stack.bulk_collective_launch.value + steps.value), m_stack.bulk_collective_rate});
  if (m_stack.direct_launch.value > 0) may_take(direct(op.n / 2 + 1, sent));
  w.launch = w.host + to_ps(best.launch);
  w.result_bandwidth = best.rate.value;
}

/// Devices that read each other's data with loads. In one stage each reads the result's bytes from all others; in two
/// it reads its part from them, and then their parts. Two devices would read as much in two stages. Many devices leave
/// what needs two stages to the switch between them, where it can add.
gpu_model::protocol gpu_model::direct(std::int64_t devices, double sent) const {
  const auto p = static_cast<double>(devices);
  const double bytes = sent * p / (2 * (p - 1));
  const bool in_one = devices <= 2 || p * bytes <= m_stack.direct_inputs.value;
  if (in_one) return {m_stack.direct_launch, bandwidth(m_chip.peer_rate.value * sent / ((p - 1) * bytes))};
  if (devices > 4 && m_stack.multicast_launch.value > 0 && m_chip.multicast_rate.value > 0)
    return {m_stack.multicast_launch, bandwidth(m_chip.multicast_rate.value * sent / bytes)};
  return {duration(m_stack.direct_launch.value + m_stack.direct_stage.value), m_chip.peer_rate};
}

/// Activations that other cores made are copied here first.
ps_t gpu_model::handoff_time(const operation& op) const {
  std::int64_t bytes = 0;
  for (const auto& o : op.operands)
    if (!o.write && o.kind == traffic::activations) bytes += o.bytes;
  ps_t time = to_ps(m_stack.handoff);
  if (m_stack.handoff_bandwidth.value > 0)
    time += static_cast<ps_t>(std::llround(static_cast<double>(bytes) / m_stack.handoff_bandwidth.value * 1e12));
  return time;
}

/// What the runtime takes before an operator, while the device waits.
ps_t gpu_model::host_time(const operation& op) const {
  ps_t time = 0;
  if (op.first_of_layer) time += to_ps(m_stack.layer_overhead) + (op.m > 1 ? to_ps(m_stack.many_row_overhead) : 0);
  if (op.first_of_prompt) time += to_ps(m_stack.prompt_overhead);
  if (op.first_of_pass)
    time += to_ps(m_stack.step_overhead) + (op.first_of_prompt ? 0 : op.m * to_ps(m_stack.sequence_overhead));
  return op.handed_over ? time + handoff_time(op) : time;
}

/// What the further kernels of an attention add to its launch: they start one after another, and a host that issues
/// them one by one is not ready for the next call before attention_floor has passed.
ps_t gpu_model::attention_launch(double seconds, ps_t launch) const {
  const ps_t kernels = (m_stack.attention_kernels - 1) * to_ps(m_stack.kernel_launch);
  const ps_t busy = launch + kernels + to_ps(m_chip.load_latency) + static_cast<ps_t>(std::llround(seconds * 1e12));
  return kernels + std::max<ps_t>(0, to_ps(m_stack.attention_floor) - busy);
}

work gpu_model::plan(const operation& op) {
  work w;
  const bool fused = op.fused || (m_stack.fusion == "elementwise" && op.kind == work_kind::elementwise);
  if (!fused) w.launch = to_ps(m_stack.kernel_launch) + to_ps(m_chip.kernel_ramp);
  if (op.kind == work_kind::gemm && op.m > std::max<std::int64_t>(1, m_stack.dot_rows))
    w.launch += to_ps(m_stack.gemm_overhead);
  if (op.routes) w.launch += to_ps(m_stack.route_time);
  w.host = host_time(op);
  w.launch += w.host;
  if (op.kind == work_kind::collective) plan_collective(op, w);

  std::int64_t touched = 0;
  w.accesses = through_cache(op, m_l2, touched);
  std::int64_t missed = 0;
  for (const auto& a : w.accesses) missed += a.bytes;

  double seconds = 0, limited = 0, moved = static_cast<double>(touched), narrow = 0;
  const auto from_memory = static_cast<double>(missed);
  std::int64_t blocks = m_chip.sms;  // how many SMs have work that loads
  switch (op.kind) {
    case work_kind::gemm: {
      const product p = plan_gemm(op, from_memory);
      seconds = p.seconds;
      limited = p.least;
      blocks = std::min(blocks, p.blocks);
      narrow = op.weight_bits;
      break;
    }
    case work_kind::attention:
      seconds = attention_seconds(op);
      // Flash decoding splits the cache in pieces; fewer pieces than SMs leave SMs idle.
      if (op.m == 1) blocks = std::min(m_chip.sms, op.batch * divide_up(op.n, m_stack.decode_piece));
      break;
    case work_kind::elementwise:
      seconds = op.flops / m_chip.vector_rate.value;
      // What the kernels move beyond the tensors themselves comes from memory once it no longer fits.
      if (const double extra = (m_stack.elementwise_traffic - 1) * moved; extra > 0) {
        const bool on_chip = 2 * moved <= m_chip.l2.value;
        if (!on_chip) seconds = std::max(seconds, extra / spill_rate());
        moved += extra;
      }
      break;
    default:
      seconds = op.flops / m_chip.vector_rate.value;
  }
  // Operands that hit on chip still cross the L2; those that miss are paced by fill_bandwidth.
  seconds = std::max(seconds, std::max(0.0, moved - from_memory) / m_chip.l2_bandwidth.value);
  // A block needs a few kilobytes to be worth launching: tiny operators cannot occupy every SM.
  blocks = std::max<std::int64_t>(
      1, std::min(blocks, divide_up(std::max<std::int64_t>(missed, 1), to_bytes(m_stack.block_bytes))));
  const bool thin = op.kind == work_kind::gemm && op.m <= m_stack.thin_rows && !by_rule(op);
  const bool copied = op.kind == work_kind::attention && op.m == 1 && attention_generation() == "flash2" &&
                      m_stack.attention_in_flight.value > 0;
  const byte_size in_flight = copied ? m_stack.attention_in_flight : m_chip.in_flight_per_sm;
  double rate = thin ? load_rate(blocks, narrow, 8 * bytes_per_element(op.type))
                     : in_flight.value * static_cast<double>(blocks) / m_chip.load_latency.value;
  if (copied) rate = std::min(rate, sm_load_rate(m_chip.sms));
  if (op.kind == work_kind::gemm && !thin && missed > 0) {
    const double loads = load_seconds(from_memory, rate), both = with_loads(seconds, loads);
    (seconds >= loads ? seconds : rate) = seconds >= loads ? both : from_memory / both;
  }
  if (op.kind == work_kind::attention && m_stack.attention != "separate")
    w.launch +=
        attention_launch(std::max(seconds, load_seconds(from_memory, rate)), w.launch) + attention_ends(op, rate);
  // A board at its limit lowers the clock of its cores, and their voltage with it: an operation takes longer, and less
  // energy. What memory takes stays; if that alone is too much, the operator runs longer.
  const double loads = missed > 0 ? load_seconds(from_memory, rate) : 0;
  double parts[] = {op.flops * flop_pj(op.type), static_cast<double>(touched) * to_pj(m_chip.energy_per_l2_byte),
                    from_memory * to_pj(m_chip.energy_per_memory_byte)};
  // SMs that unpack weights are as busy as those that multiply, and draw as much.
  if (op.m > 1 && by_warps(op.weight_bits, op.type, op.rows)) parts[0] /= std::min(1.0, m_chip.warp_fraction);
  const double fixed_pj = parts[2] + from_memory * m_memory_byte_pj;
  const double clock = clock_under_limit(seconds, loads, parts[0] + parts[1], fixed_pj);
  seconds /= clock;
  parts[0] *= clock * clock;
  parts[1] *= clock * clock;
  if (const double least = std::max(limited, least_seconds(parts[0] + parts[1] + fixed_pj));
      least > std::max(seconds, loads) * 1.000001)
    (seconds >= loads ? seconds : rate) = seconds >= loads ? least : from_memory / least;
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    w.energy_pj += parts[i];
    m_energy_pj[i] += parts[i];
  }
  w.compute[stall::compute] = static_cast<ps_t>(std::llround(seconds * 1e12));
  w.window = std::max(to_bytes(m_stack.block_bytes), blocks * to_bytes(in_flight));
  w.load_latency = to_ps(m_chip.load_latency);
  w.fill_bandwidth = std::min(m_chip.l2_bandwidth.value, rate);
  return w;
}

std::vector<std::pair<std::string, double>> gpu_model::energy_parts() const {
  return {{"arithmetic", m_energy_pj[0]}, {"l2", m_energy_pj[1]}, {"memory_path", m_energy_pj[2]}};
}

static const core_entry entry{"gpu", "streaming multiprocessors with matrix units behind an L2",
                              core_of<gpu_model, gpu_params>(gpu_param_table)};

}  // namespace memwall
