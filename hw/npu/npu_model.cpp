// SPDX-License-Identifier: Apache-2.0
#include "hw/npu/npu_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "hw/common/error.h"

namespace memwall {
namespace {

using npu::dataflow;

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// Bits of an arithmetic type.
int bits_of(const std::string& type) {
  if (type == "fp32" || type == "tf32") return 32;
  if (type == "fp8" || type == "int8") return 8;
  if (type == "int4") return 4;
  return 16;
}

/// What the retained memory knows a part of a tensor by, as caches do: parts at different places are different data.
std::uint64_t key_of(const operand& o) {
  return o.tensor * 0x9E3779B97F4A7C15U + o.address;
}

double sum_bytes(const operation& op, bool write, bool weights) {
  double sum = 0;
  for (const operand& o : op.operands)
    if (o.write == write && (o.kind == traffic::weights) == weights) sum += static_cast<double>(o.bytes);
  return sum;
}

}  // namespace

/// What an operator asks of the chip's parts.
struct npu_model::demand {
  std::vector<operand> accesses;
  double descriptors = 0;   ///< pieces that the DMA engines fetch
  double array_cycles = 0;  ///< conflicts included
  double conflict_cycles = 0;
  double vector_ops = 0;
  double vector_seconds = 0;  ///< beside those, where a single lane works
  double macs = 0;
  double scratchpad_bytes = 0;  ///< read and written there
  double tile_bytes = 0;        ///< of what streams in, a tile; 0: as it comes
  double copies = 1;            ///< of each loaded byte on the network

  void read_or_write(const operand& o, std::int64_t bytes, double piece) {
    if (bytes <= 0) return;
    accesses.push_back(o);
    accesses.back().bytes = bytes;
    descriptors += static_cast<double>(bytes) / piece;
  }
};

npu_model::npu_model(npu_params p)
    : m_chip(std::move(p.silicon)), m_stack(std::move(p.software)), m_retained(to_bytes(m_chip.retained)) {
  if (!m_stack.mapping.empty()) m_lines = npu::read_mappings(m_stack.mapping);
}

double npu_model::rate_of(const std::string& type) const {
  const auto listed = [&](const std::string& name) {
    const auto found = m_chip.type_rate.find(name);
    return found == m_chip.type_rate.end() ? 0.0 : found->second;
  };
  const std::vector<std::string> wider[] = {{"int4", "int8", "fp16", "bf16", "tf32", "fp32"},
                                            {"fp8", "fp16", "bf16", "tf32", "fp32"},
                                            {"int8", "fp16", "bf16", "tf32", "fp32"},
                                            {"fp16", "bf16", "tf32", "fp32"},
                                            {"bf16", "fp16", "tf32", "fp32"},
                                            {"tf32", "fp32"},
                                            {"fp32"}};
  for (const auto& chain : wider)
    if (chain.front() == type)
      for (const auto& name : chain)
        if (const double rate = listed(name); rate > 0) return rate;
  // Wider than anything the arrays know: in as many passes as its halves take.
  double rate = HUGE_VAL;
  for (const auto& [name, r] : m_chip.type_rate)
    rate = std::min(rate, r * std::min(1.0, std::pow(static_cast<double>(bits_of(name)) / bits_of(type), 2)));
  return rate < HUGE_VAL ? rate : 1;
}

/// A single row is a stream of weights; what holds larger products back does not hold it.
double npu_model::sustained(std::int64_t rows) const {
  return rows > 1 ? m_chip.sustained_fraction : 1;
}

double npu_model::peak_rate(const std::string& type) const {
  return 2.0 * static_cast<double>(m_chip.rows * m_chip.columns * m_chip.arrays) * rate_of(type) * m_chip.clock.value;
}

npu_model::array_time npu_model::time_on_arrays(const npu::product_shape& p, std::int64_t batch,
                                                const std::string& type, std::int64_t tile_k,
                                                std::int64_t tile_n) const {
  const npu::array_shape array{m_chip.rows, m_chip.columns, rate_of(type)};
  const bool pipelined = m_chip.folds == "pipelined";
  array_time best;
  for (const dataflow flow : npu::dataflows) {
    if (m_chip.dataflow != "any" && m_chip.dataflow != npu::name_of(flow)) continue;
    const npu::array_split split = npu::split_over(flow, array, p, batch, m_chip.arrays, pipelined);
    if (best.split.cycles == 0 || split.cycles < best.split.cycles) best.split = split;
  }
  // Both edges have a scratchpad of their own; the slower one sets the pace.
  const double value = bits_of(type) / 8.0;
  const bool blocked = m_chip.scratchpad_layout == "blocked";
  const auto depth = array.depth();
  const auto stride = [&](std::int64_t row) {
    return blocked ? 0 : static_cast<std::int64_t>(static_cast<double>(row) * value);
  };
  const auto feed = [&](std::int64_t lanes, std::int64_t row) {
    return npu::feed_cycles(lanes * (blocked ? depth : 1), value, stride(row), m_chip.scratchpad_banks,
                            to_bytes(m_chip.bank_width));
  };
  std::int64_t pace = feed(m_chip.rows, tile_k);
  if (best.split.flow == dataflow::output) pace = std::max(pace, feed(m_chip.columns, tile_n));
  const double cycles = static_cast<double>(best.split.cycles) / sustained(p.m);
  best.cycles = cycles * static_cast<double>(pace);
  best.conflicts = best.cycles - cycles;
  return best;
}

npu_model::dma_limits npu_model::dma(double run) const {
  const double most = m_chip.descriptor_bytes.value;
  const double piece = std::max(1.0, m_chip.descriptor_dimensions > 1 ? most : std::min(most, run));
  const auto engines = static_cast<double>(m_chip.dma_engines);
  dma_limits out;
  out.window = std::max<std::int64_t>(
      64, static_cast<std::int64_t>(engines * static_cast<double>(m_chip.dma_descriptors) * piece));
  out.bandwidth = engines * piece / (m_chip.descriptor_time.value + piece / m_chip.dma_bandwidth.value);
  return out;
}

const npu::tiling& npu_model::tiling_of(const npu::tiling_problem& p) {
  const problem_key key{p.shape.m,      p.shape.n,       p.shape.k,       p.input_bytes,
                        p.weight_bytes, p.input_on_chip, p.output_on_chip};
  auto [at, fresh] = m_mappings.emplace(key, mapped{});
  if (fresh) {
    at->second.problem = p;
    npu::tiling t;
    if (!npu::mapped_tiling(m_lines, p, t)) t = npu::best_tiling(p);
    at->second.tiling = t;
  }
  ++at->second.uses;
  return at->second.tiling;
}

bool npu_model::on_chip(const operand& o) const {
  return o.kind == traffic::activations && to_bytes(m_chip.retained) > 0;
}

/// Results: activations stay in the retained memory as far as they fit, everything else is written once.
void npu_model::keep(const operation& op, demand& d) {
  const double piece = m_chip.descriptor_bytes.value;
  for (const operand& o : op.operands) {
    if (!o.write || o.resident) continue;
    if (!on_chip(o) || op.kind == work_kind::collective) {
      d.read_or_write(o, o.bytes, piece);
      continue;
    }
    const auto result = m_retained.write(key_of(o), o.bytes);
    d.read_or_write(o, result.miss_bytes, piece);
    d.read_or_write(o, std::min(result.writeback_bytes, o.bytes), piece);
  }
}

void npu_model::plan_gemm(const operation& op, demand& d) {
  const double count = static_cast<double>(std::max<std::int64_t>(1, op.batch));
  const double inputs = static_cast<double>(op.m) * static_cast<double>(op.k) * count,
               results = static_cast<double>(op.m) * static_cast<double>(op.n) * count;
  npu::tiling_problem p;
  p.shape = {op.m, op.n, op.k};
  const auto width = [](double bytes, double values) {
    return bytes > 0 ? std::min(8.0, std::max(0.25, bytes / values)) : 2.0;
  };
  p.input_bytes = width(sum_bytes(op, false, false), inputs);
  p.output_bytes = width(sum_bytes(op, true, false), results);
  p.weight_bytes = op.weight_bits / 8;
  p.scratchpad = to_bytes(m_chip.scratchpad);
  p.buffers = m_chip.double_buffer ? 2 : 1;

  // What lies on chip already decides what the mapper has to move.
  std::vector<std::pair<operand, std::int64_t>> missing;
  p.input_on_chip = sum_bytes(op, false, false) > 0;
  for (const operand& o : op.operands) {
    if (o.write || o.resident) continue;
    std::int64_t miss = o.bytes;
    if (on_chip(o)) {
      const auto result = m_retained.read(key_of(o), o.bytes);
      miss = result.miss_bytes;
      if (result.writeback_bytes > 0) {
        operand back = o;
        back.write = true;
        d.read_or_write(back, std::min(result.writeback_bytes, o.bytes), m_chip.descriptor_bytes.value);
      }
    }
    if (o.kind != traffic::weights && miss > 0) p.input_on_chip = false;
    missing.emplace_back(o, miss);
  }
  p.output_on_chip = results * p.output_bytes <= m_chip.retained.value;

  const npu::array_shape array{m_chip.rows, m_chip.columns, rate_of(op.type)};
  const auto depth = array.depth();
  const auto on_whole = time_on_arrays(p.shape, op.batch, op.type, op.k, op.n);
  switch (on_whole.split.flow) {
    case dataflow::output:
      p.step_m = m_chip.rows, p.step_n = m_chip.columns, p.step_k = 16 * depth;
      break;
    case dataflow::weight:
      p.step_k = m_chip.rows * depth, p.step_n = m_chip.columns;
      break;
    case dataflow::input:
      p.step_k = m_chip.rows * depth, p.step_m = m_chip.columns;
      break;
  }
  const npu::tiling& t = tiling_of(p);

  // Tile by tile; only the tiles at the edges of the product are smaller.
  struct part {
    std::int64_t size, times;
  };
  const auto parts = [](std::int64_t whole, std::int64_t tile) {
    std::vector<part> out{{tile, whole / tile}};
    if (whole % tile > 0) out.push_back({whole % tile, 1});
    return out;
  };
  double copies = 1, last = 0, last_conflicts = 0;
  for (const part& m : parts(op.m, t.tile_m))
    for (const part& n : parts(op.n, t.tile_n))
      for (const part& k : parts(op.k, t.tile_k)) {
        if (m.times * n.times * k.times == 0) continue;
        const array_time one = time_on_arrays({m.size, n.size, k.size}, op.batch, op.type, t.tile_k, t.tile_n);
        const double times = static_cast<double>(m.times) * static_cast<double>(n.times) * static_cast<double>(k.times);
        // SCALE-Sim's count begins with cycle 0: a fold after another begins a cycle later. Where folds are pipelined,
        // the fill of a tile hides behind the one before.
        const npu::fold_plan f = npu::folds_of(one.split.flow, array, {m.size, n.size, k.size});
        const double pace = one.conflicts > 0 ? one.cycles / (one.cycles - one.conflicts) : 1;
        const double cycle = pace / sustained(m.size) * array.cycles_each();
        const double shown = cycle * (m_chip.folds == "pipelined" ? static_cast<double>(f.length - f.steady) : 0.0);
        const double cycles = (one.cycles + cycle - shown) * times;
        d.array_cycles += cycles;
        d.conflict_cycles += cycles * (1 - 1 / pace);
        last = shown - cycle;
        last_conflicts = last * (1 - 1 / pace);
        if (!m_chip.multicast)
          copies = std::max(copies, (t.traffic.weight * static_cast<double>(one.split.by_stream) +
                                     t.traffic.input * static_cast<double>(one.split.by_fold)) /
                                        std::max(1.0, t.traffic.weight + t.traffic.input));
      }
  d.array_cycles += last;
  d.conflict_cycles += last_conflicts;
  d.copies = copies;

  // An operand that crosses several times is asked for several times, interleaved with the others as the loops are.
  const double one_input = static_cast<double>(op.m) * static_cast<double>(op.k) * p.input_bytes;
  const double one_weight = static_cast<double>(op.n) * static_cast<double>(op.k) * p.weight_bytes;
  const auto passes = [](double bytes, double one) { return std::max<std::int64_t>(1, std::llround(bytes / one)); };
  const std::int64_t input_passes = p.input_on_chip ? 1 : passes(t.traffic.input, one_input);
  const std::int64_t weight_passes = passes(t.traffic.weight, one_weight);
  const double most = m_chip.descriptor_bytes.value;
  const auto piece = [&](bool tiled, double run) {
    return m_chip.descriptor_dimensions > 1 || tiled ? most : std::max(1.0, std::min(most, run));
  };
  for (std::int64_t pass = 0; pass < std::max(input_passes, weight_passes); ++pass)
    for (const auto& [o, miss] : missing) {
      const bool weights = o.kind == traffic::weights;
      if (pass >= (weights ? weight_passes : input_passes)) continue;
      const double run =
          static_cast<double>(weights ? t.tile_n : t.tile_k) * (weights ? p.weight_bytes : p.input_bytes);
      const bool whole_rows = weights ? t.tile_n == op.n : t.tile_k == op.k;
      d.read_or_write(o, miss, piece(whole_rows || (weights && m_chip.weight_layout == "tiled"), run));
    }
  // Sums that leave before they are complete come back: at the place of the results.
  if (t.traffic.sums_read > 0)
    for (const operand& o : op.operands) {
      if (!o.write || o.resident) continue;
      const double share = static_cast<double>(o.bytes) / std::max(1.0, sum_bytes(op, true, false));
      for (double left = t.traffic.sums_read * count * share; left >= 1; left -= static_cast<double>(o.bytes))
        for (const bool write : {true, false}) {
          operand sums = o;
          sums.write = write;
          sums.kind = traffic::activations;
          d.read_or_write(sums, static_cast<std::int64_t>(std::min(left, static_cast<double>(o.bytes))), most);
        }
    }
  keep(op, d);

  d.macs = static_cast<double>(op.m) * static_cast<double>(op.n) * static_cast<double>(op.k) * count;
  if (op.weight_bits < bits_of(op.type))
    d.vector_ops += m_chip.unpack_ops * static_cast<double>(op.n) * static_cast<double>(op.k) * count *
                    std::max(1.0, static_cast<double>(weight_passes));
  const double tiles = static_cast<double>(divide_up(op.m, t.tile_m)) * static_cast<double>(divide_up(op.n, t.tile_n)) *
                       static_cast<double>(divide_up(op.k, t.tile_k));
  d.tile_bytes = (t.traffic.input + t.traffic.weight) / tiles;
  d.scratchpad_bytes = d.array_cycles * static_cast<double>(m_chip.rows * m_chip.arrays) * p.input_bytes;
  m_traffic += t.traffic.total() * count;
  m_bound += t.lower_bound * count;
  m_useful_cycles += d.macs / (static_cast<double>(m_chip.rows * m_chip.columns * m_chip.arrays) * array.rate);
}

/// Keys and values stream past a block of queries that stays in the scratchpad; scores never leave it. As many blocks
/// as the scratchpad makes necessary, each over the positions that its queries may see.
void npu_model::plan_attention(const operation& op, demand& d) {
  const std::int64_t queries = op.m * op.group;
  const std::int64_t positions = std::max({std::int64_t{1}, op.n, m_stack.padded_context});
  const double stretch = static_cast<double>(positions) / static_cast<double>(std::max<std::int64_t>(1, op.n));
  const bool padded = m_stack.padded_context > 0;  // everything is computed, and masked afterwards
  const auto head = static_cast<double>(op.k);
  const double value = bits_of(op.type) / 8.0;
  const auto tile = static_cast<double>(std::min<std::int64_t>(positions, std::max<std::int64_t>(m_chip.columns, 128)));
  const double streams = (m_chip.double_buffer ? 2 : 1) * 2 * tile * head * value;
  const double each = head * (value + 4) + tile * 4;  // a query, its sums and scores in fp32
  const auto block = static_cast<std::int64_t>((m_chip.scratchpad.value - streams) / each);
  if (block < 1)
    throw input_error(problem{
        "", "scratchpad",
        fmt::format("attention's tiles take {:.0f} B, there are {} B", streams + each, to_bytes(m_chip.scratchpad)),
        "a larger scratchpad", ""});
  const std::int64_t blocks = divide_up(queries, block);
  if (!m_chip.double_buffer) d.tile_bytes = streams;
  const double most = m_chip.descriptor_bytes.value;
  const double run = head * value;
  const double piece = m_chip.descriptor_dimensions > 1 ? most : std::min(most, run);
  for (std::int64_t i = 0; i < blocks; ++i) {
    // The last query of this block sees so many positions.
    const auto last = std::min(op.m, divide_up(std::min(queries, (i + 1) * block), op.group));
    const double share = padded ? 1 : static_cast<double>(positions - op.m + last) / static_cast<double>(positions);
    for (const operand& o : op.operands) {
      if (o.write || o.resident) continue;
      const bool cache = o.kind != traffic::activations;
      if (!cache) {
        if (i == 0) d.read_or_write(o, on_chip(o) ? m_retained.read(key_of(o), o.bytes).miss_bytes : o.bytes, most);
        continue;
      }
      // Padding is read like positions, from the same place here.
      double left = std::max(1.0, std::floor(static_cast<double>(o.bytes) * share * stretch + 0.5));
      for (; left >= 1; left -= static_cast<double>(o.bytes))
        d.read_or_write(o, static_cast<std::int64_t>(std::min(left, static_cast<double>(o.bytes))), piece);
    }
  }
  keep(op, d);

  // What is masked is not computed: the trace's operations are those of the positions that are seen.
  const double all =
      4.0 * static_cast<double>(queries) * static_cast<double>(positions) * head * static_cast<double>(op.batch);
  const double flops = padded ? all : op.flops;
  const double seen = all > 0 ? std::min(1.0, flops / all) : 1;
  if (m_chip.attention_unit == "vector" && queries < m_chip.rows) {
    d.vector_ops += flops;
  } else {
    for (const npu::product_shape& p :
         {npu::product_shape{queries, positions, op.k}, npu::product_shape{queries, op.k, positions}}) {
      const array_time t = time_on_arrays(p, op.batch, op.type, p.k, p.n);
      d.array_cycles += t.cycles * seen;
      d.conflict_cycles += t.conflicts * seen;
    }
    d.macs = flops / 2;
    m_useful_cycles += d.macs / (static_cast<double>(m_chip.rows * m_chip.columns * m_chip.arrays) * rate_of(op.type));
  }
  const double scores = flops / (4.0 * head);
  d.vector_ops += m_chip.softmax_ops * scores;
  if (op.m == 1) d.vector_seconds += m_stack.score_cycles * scores / m_chip.clock.value;
  d.scratchpad_bytes = d.array_cycles * static_cast<double>(m_chip.rows * m_chip.arrays) * value;
}

/// Everything else runs on the vector unit, its operands passing through once.
void npu_model::plan_vector(const operation& op, demand& d) {
  for (const operand& o : op.operands) {
    if (o.write || o.resident) continue;
    d.read_or_write(o, on_chip(o) ? m_retained.read(key_of(o), o.bytes).miss_bytes : o.bytes,
                    m_chip.descriptor_bytes.value);
  }
  keep(op, d);
  d.vector_ops = op.flops;
}

void npu_model::plan_collective(const operation& op, work& w) const {
  w.launch = w.host + to_ps(m_stack.collective_launch) + op.n * to_ps(m_stack.collective_step);
  w.result_bandwidth = m_stack.collective_rate.value;
}

/// What the runtime takes before an operator, while the chip waits.
ps_t npu_model::host_time(const operation& op) const {
  ps_t time = op.first_of_layer ? to_ps(m_stack.layer_overhead) : 0;
  if (op.first_of_prompt) time += to_ps(m_stack.prompt_overhead);
  if (op.first_of_pass)
    time += to_ps(m_stack.step_overhead) + (op.first_of_prompt ? 0 : op.m * to_ps(m_stack.sequence_overhead));
  if (op.kind == work_kind::gemm && op.m > 1)
    time += static_cast<ps_t>(
        std::llround(m_stack.result_time.value * 1e12 * static_cast<double>(op.m) * static_cast<double>(op.n) *
                     static_cast<double>(std::max<std::int64_t>(1, op.batch))));
  if (!op.handed_over) return time;
  time += to_ps(m_stack.handoff);
  if (m_stack.handoff_bandwidth.value > 0)
    for (const auto& o : op.operands)
      if (!o.write && o.kind == traffic::activations)
        time += static_cast<ps_t>(std::llround(static_cast<double>(o.bytes) / m_stack.handoff_bandwidth.value * 1e12));
  return time;
}

ps_t npu_model::launch_time(const operation& op) const {
  const bool fused = op.fused || (m_stack.fusion != "none" && op.kind == work_kind::elementwise) ||
                     (m_stack.fusion == "layer" && !op.first_of_layer && !op.first_of_pass);
  return fused ? 0 : to_ps(m_stack.launch) + to_ps(m_stack.synchronisation);
}

void npu_model::count_energy(const operation& op, const demand& d, work& w) {
  double moved = 0;
  for (const operand& a : w.accesses) moved += static_cast<double>(a.bytes);
  const double parts[] = {d.macs * to_pj(m_chip.energy_per_mac) * std::min(2.0, bits_of(op.type) / 16.0),
                          d.vector_ops * to_pj(m_chip.energy_per_vector_op),
                          (d.scratchpad_bytes + 2 * moved) * to_pj(m_chip.energy_per_scratchpad_byte),
                          moved * to_pj(m_chip.energy_per_memory_byte)};
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    w.energy_pj += parts[i];
    m_energy_pj[i] += parts[i];
  }
}

work npu_model::plan(const operation& op) {
  work w;
  w.host = host_time(op);
  ps_t launch = launch_time(op);
  if (op.kind == work_kind::attention && op.m > 1) launch += op.batch * to_ps(m_stack.attention_launch);
  w.drain = launch > 0 ? to_ps(m_stack.synchronisation) : 0;
  w.launch = w.host + launch - w.drain;
  demand d;
  switch (op.kind) {
    case work_kind::gemm:
      plan_gemm(op, d);
      break;
    case work_kind::attention:
      plan_attention(op, d);
      break;
    default:
      plan_vector(op, d);
  }
  if (op.kind == work_kind::collective) plan_collective(op, w), w.drain = 0;
  w.accesses = std::move(d.accesses);

  // Arrays and vector unit work side by side, tile by tile. While the edge waits for a bank the arrays stand still:
  // that is the core's own limit, not arithmetic.
  const double clock = m_chip.clock.value;
  const double arrays = d.array_cycles / clock, conflicts = d.conflict_cycles / clock,
               vectors = d.vector_ops / m_chip.vector_rate.value + d.vector_seconds;
  const double busy = std::max(arrays - conflicts, vectors), whole = std::max(arrays, vectors);
  w.compute[stall::compute] = static_cast<ps_t>(std::llround(busy * 1e12));
  w.compute[stall::core_requests] = static_cast<ps_t>(std::llround((whole - busy) * 1e12));

  double moved = 0;
  for (const operand& a : w.accesses) moved += static_cast<double>(a.bytes);
  const double piece = d.descriptors > 0 ? moved / d.descriptors : m_chip.descriptor_bytes.value;
  const auto engines = static_cast<double>(m_chip.dma_engines);
  w.window = std::max<std::int64_t>(
      64, static_cast<std::int64_t>(engines * static_cast<double>(m_chip.dma_descriptors) * piece));
  w.load_latency = to_ps(m_chip.load_latency);
  w.fill_bandwidth = engines * piece / (m_chip.descriptor_time.value + piece / m_chip.dma_bandwidth.value);
  if (m_chip.network_bandwidth.value > 0)
    w.fill_bandwidth = std::min(w.fill_bandwidth, m_chip.network_bandwidth.value / d.copies);
  // A tile's room is taken from its first descriptor until it is full: no more than a tile in that time comes in.
  // Without a second buffer the next tile waits until this one is computed: stream_core does that, tile by tile.
  if (d.tile_bytes > 0 && m_chip.double_buffer)
    w.fill_bandwidth =
        std::min(w.fill_bandwidth, d.tile_bytes / (m_chip.load_latency.value + d.tile_bytes / w.fill_bandwidth));
  if (!m_chip.double_buffer) w.tile_bytes = static_cast<std::int64_t>(std::ceil(d.tile_bytes));
  m_descriptors += d.descriptors;
  m_busy_cycles += d.array_cycles;
  m_conflict_cycles += d.conflict_cycles;
  count_energy(op, d, w);
  return w;
}

nlohmann::ordered_json npu_model::figures(ps_t) const {
  nlohmann::ordered_json out;
  const double elements = static_cast<double>(m_chip.rows * m_chip.columns * m_chip.arrays);
  double peak = 0;
  for (const auto& [type, unused] : m_chip.type_rate) peak = std::max(peak, peak_rate(type));
  out["peak_tops"] = peak * 1e-12;
  out["array_busy_ns"] = m_busy_cycles / m_chip.clock.value * 1e9;
  out["array_occupancy"] = m_busy_cycles > 0 ? m_useful_cycles / m_busy_cycles : 0.0;
  out["bank_conflict_ns"] = m_conflict_cycles / m_chip.clock.value * 1e9;
  out["dma_descriptors"] = std::round(m_descriptors);
  out["product_bytes"] = m_traffic;
  out["product_lower_bound_bytes"] = m_bound;
  out["product_bytes_over_bound"] = m_bound > 0 ? m_traffic / m_bound : 1.0;
  if (const double mm2 = 1e6 * (elements * m_chip.element_area.value +
                                (m_chip.scratchpad.value + m_chip.retained.value) * m_chip.scratchpad_area.value);
      mm2 > 0)
    out["area_mm2"] = mm2;
  // The mappings of most traffic: what was chosen and why.
  std::vector<const mapped*> all;
  for (const auto& [unused, m] : m_mappings) all.push_back(&m);
  std::stable_sort(all.begin(), all.end(), [](const mapped* a, const mapped* b) {
    return static_cast<double>(a->uses) * a->tiling.traffic.total() >
           static_cast<double>(b->uses) * b->tiling.traffic.total();
  });
  constexpr std::size_t most = 32;
  auto list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
    const auto& p = all[i]->problem;
    const auto& t = all[i]->tiling;
    list.push_back({{"m", p.shape.m},
                    {"n", p.shape.n},
                    {"k", p.shape.k},
                    {"uses", all[i]->uses},
                    {"order", t.order},
                    {"tile", {t.tile_m, t.tile_n, t.tile_k}},
                    {"stays", t.stays},
                    {"bytes", t.traffic.total()},
                    {"lower_bound_bytes", t.lower_bound},
                    {"why", npu::reason(p, t)}});
  }
  out["mappings"] = std::move(list);
  return out;
}

std::vector<std::pair<std::string, double>> npu_model::energy_parts() const {
  return {{"arrays", m_energy_pj[0]},
          {"vector", m_energy_pj[1]},
          {"scratchpad", m_energy_pj[2]},
          {"memory_path", m_energy_pj[3]}};
}

static const core_entry entry{"npu", "systolic arrays and a vector unit behind scratchpads that DMA engines fill",
                              core_of<npu_model, npu_params>(npu_param_table)};

}  // namespace memwall
