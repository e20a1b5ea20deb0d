// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/dram_bank.h"

#include <algorithm>

namespace memwall::cim {
namespace {

const std::string kind_name = "dram_bank";

// Rows of the address space that are not memory: where a mode is set, where registers are written.
constexpr std::int64_t row_park = 4096, row_mode = 0x17ff, row_mode_back = 0x1fff, row_registers = 0x3fff;
// Inner loops simulated in detail before the rest is taken at their steady rate: enough for many refresh
// intervals.
constexpr std::int64_t refreshes_in_detail = 24;
constexpr std::int64_t host_bursts_in_detail = 65536;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// A program under construction.
class program_builder {
 public:
  void add(bool write, int bank, std::int64_t row, access_purpose purpose, bool all_banks) {
    column_access a;
    a.write = write;
    a.bank = bank;
    a.row = row;
    a.purpose = purpose;
    a.all_banks = all_banks;
    m_accesses.push_back(a);
  }
  void buffer(bool write, access_purpose purpose) {
    add(write, 0, 0, purpose, false);
    m_accesses.back().buffer = true;
  }
  void mode(int bank, std::int64_t row) {
    add(true, bank, row, access_purpose::control, false);
    m_accesses.back().settle = true;
  }
  void fence() {
    if (!m_accesses.empty()) m_accesses.back().fence = true;
  }
  const std::vector<column_access>& accesses() const { return m_accesses; }

 private:
  std::vector<column_access> m_accesses;
};

sequencer_cycles extrapolate(const sequencer_cycles& half, const sequencer_cycles& whole, double factor) {
  const auto grow = [factor](std::int64_t a, std::int64_t b) {
    return b + static_cast<std::int64_t>(static_cast<double>(b - a) * factor + 0.5);
  };
  sequencer_cycles out;
  for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = grow(half.data[i], whole.data[i]);
  out.row = grow(half.row, whole.row);
  out.turnaround = grow(half.turnaround, whole.turnaround);
  out.refresh = grow(half.refresh, whole.refresh);
  out.latency = whole.latency;
  out.activates = grow(half.activates, whole.activates);
  out.all_bank_activates = grow(half.all_bank_activates, whole.all_bank_activates);
  out.refreshes = grow(half.refreshes, whole.refreshes);
  out.columns = grow(half.columns, whole.columns);
  out.all_bank_columns = grow(half.all_bank_columns, whole.all_bank_columns);
  out.total = grow(half.total, whole.total);
  return out;
}

}  // namespace

dram_bank::dram_bank(dram_bank_params p) : m_p(std::move(p)) {
  config::node changes = config::node::map("");
  const auto change = [&changes](const std::string& key, std::int64_t value) {
    changes.set(key, std::to_string(value), "macro");
  };
  if (m_p.ranks > 0) change("organisation.ranks", m_p.ranks);
  if (m_p.rows > 0) change("organisation.rows", m_p.rows);
  for (const auto& [name, cycles] : m_p.timing) change("timing." + name, cycles);
  const dram::standard s = dram::load_standard(m_p.standard, changes);
  m_org = s.org;
  m_t = s.t;
  // Cycles stay what they are at another clock.
  if (m_p.clock_period) m_t.tck_fs = static_cast<std::int64_t>(m_p.clock_period->value * 1e15 + 0.5);
  problem_list problems;
  if (m_org.banks_per_rank() % m_p.banks_per_unit != 0)
    problems.add({"", "banks_per_unit", "does not divide the " + std::to_string(m_org.banks_per_rank()) + " banks",
                  "a divisor", ""});
  if (m_p.lanes * m_p.value_bits != m_org.access_bytes() * 8 && m_p.dataflow != "processor")
    problems.add({"", "lanes", "lanes x value_bits is not one column access",
                  std::to_string(m_org.access_bytes() * 8) + " bits", ""});
  problems.check();
}

const std::string& dram_bank::kind() const {
  return kind_name;
}

geometry dram_bank::shape(int) const {
  geometry g;
  g.flexible = true;
  const std::int64_t banks = m_p.dataflow == "processor" ? m_p.banks_per_unit : m_org.banks_per_rank();
  g.weights = m_org.row_bytes() * m_org.rows * banks * 8 / m_p.value_bits;
  g.rows = g.cols = g.weights;
  if (m_p.dataflow == "register") {
    g.row_quantum = std::int64_t{m_p.lanes} * m_p.input_registers;
    g.col_quantum = std::int64_t{units()} * m_p.accumulators;
  } else if (m_p.dataflow == "broadcast") {
    g.row_quantum = m_p.lanes;
    g.col_quantum = m_org.banks_per_rank();
  }
  return g;
}

int dram_bank::natural_out_bits(const mvm_shape& s) const {
  return m_p.arithmetic == "integer" ? std::min(64, s.in_bits + s.w_bits + ceil_log2(s.rows)) : m_p.value_bits;
}

double dram_bank::bytes_per_s_inside() const {
  if (m_p.dataflow == "processor") return m_p.unit_bandwidth.value;
  return units() * m_org.access_bytes() / (m_t.CCD_L * static_cast<double>(m_t.tck_fs) * 1e-15);
}

double dram_bank::peak_macs_per_s() const {
  if (m_p.dataflow == "processor") return m_p.unit_clock.value / m_p.instructions_per_mac;
  return bytes_per_s_inside() * 8 / m_p.value_bits;
}

std::int64_t dram_bank::output_tiles(std::int64_t cols) const {
  return m_p.dataflow == "register" ? ceil_div(cols, std::int64_t{units()} * m_p.accumulators)
                                    : ceil_div(cols, m_org.banks_per_rank());
}

// Every bank is closed on a row of its own before the mode changes, and left so after it.
void dram_bank::enter(bank_sequencer& s) const {
  program_builder p;
  for (int b = 0; b < m_org.banks_per_group; ++b)
    for (int g = 0; g < m_org.bank_groups; ++g)
      p.add(false, g * m_org.banks_per_group + b, row_park, access_purpose::control, false);
  p.fence();
  // All-bank mode takes a write to four banks, the units' instructions one more.
  const int second = m_org.banks_per_rank() / 2;
  for (const int bank : {0, 1, second, second + 1}) p.mode(bank, row_mode);
  p.fence();
  if (m_p.dataflow == "register") {
    p.add(true, 1, row_registers, access_purpose::control, true);
    p.fence();
  }
  s.run(p.accesses());
}

void dram_bank::leave(bank_sequencer& s) const {
  program_builder p;
  for (const int bank : {0, 1}) p.mode(bank, row_mode_back);
  p.fence();
  for (int b = 0; b < m_org.banks_per_group; ++b)
    for (int g = 0; g < m_org.bank_groups; ++g)
      p.add(false, g * m_org.banks_per_group + b, row_park, access_purpose::control, false);
  p.fence();
  s.run(p.accesses());
}

void dram_bank::run_gemv(bank_sequencer& s, std::int64_t rows, std::int64_t cols, std::int64_t vectors) const {
  const std::int64_t tiles = output_tiles(cols);
  program_builder p;
  if (m_p.dataflow == "register") {
    const std::int64_t input_tiles = ceil_div(rows, std::int64_t{m_p.lanes} * m_p.input_registers);
    const std::int64_t per_tile = std::int64_t{m_p.input_registers} * m_p.accumulators;
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      for (std::int64_t v = 0; v < vectors; ++v) {
        p = {};
        p.mode(0, row_registers);
        p.fence();
        // The even banks hold the even input tiles: all of them, then the odd ones.
        for (int parity = 0; parity < std::min(2, m_p.banks_per_unit); ++parity)
          for (std::int64_t i = parity; i < input_tiles; i += std::min(2, m_p.banks_per_unit)) {
            for (int g = 0; g < m_p.input_registers; ++g) p.add(true, 1, row_registers, access_purpose::input, true);
            p.fence();
            const std::int64_t column = per_tile * (i / 2 + tile * input_tiles / 2);
            for (std::int64_t c = 0; c < per_tile; ++c) {
              p.add(false, parity, (column + c) / m_org.columns, access_purpose::compute, true);
              if (c % m_p.fence == m_p.fence - 1) p.fence();
            }
            p.fence();
          }
        const std::int64_t result = tiles * input_tiles / 2 * per_tile + (tile + v) * m_p.accumulators;
        for (int g = 0; g < m_p.accumulators; ++g)
          p.add(true, 1, (result + g) / m_org.columns, access_purpose::output, true);
        p.fence();
        p.mode(0, row_registers);
        p.fence();
        s.run(p.accesses());
      }
    }
    return;
  }
  // Broadcast: the buffer takes a piece of the input, every row of weights is read against it.
  const std::int64_t piece = std::max<std::int64_t>(to_bytes(m_p.global_buffer) * 8 / m_p.value_bits, m_p.lanes);
  for (std::int64_t v = 0; v < vectors; ++v)
    for (std::int64_t begin = 0, chunk = 0; begin < rows; begin += piece, ++chunk) {
      const std::int64_t accesses = ceil_div(std::min(piece, rows - begin), m_p.lanes);
      p = {};
      for (std::int64_t c = 0; c < accesses; ++c) p.buffer(true, access_purpose::input);
      p.fence();
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        const std::int64_t first = (chunk * tiles + tile) * ceil_div(accesses, m_org.columns);
        for (std::int64_t c = 0; c < accesses; ++c)
          p.add(false, 0, first + c / m_org.columns, access_purpose::compute, true);
        p.fence();
        p.buffer(false, access_purpose::output);
        p.fence();
      }
      s.run(p.accesses());
    }
}

sequencer_cycles dram_bank::gemv_cycles(std::int64_t rows, std::int64_t cols, std::int64_t vectors) const {
  const std::array<std::int64_t, 3> shape{rows, cols, vectors};
  {
    const std::lock_guard<std::mutex> lock(m_known_guard);
    const auto known = m_known.find(shape);
    if (known != m_known.end()) return known->second;
  }
  const sequencer_cycles cycles = simulate_gemv(rows, cols, vectors);
  const std::lock_guard<std::mutex> lock(m_known_guard);
  return m_known.emplace(shape, cycles).first->second;
}

sequencer_cycles dram_bank::simulate_gemv(std::int64_t rows, std::int64_t cols, std::int64_t vectors) const {
  // Vectors repeat one another: beyond some refresh intervals the rest runs at the rate measured.
  bank_sequencer s = sequencer();
  enter(s);
  const std::int64_t refresh = m_t.REFI > 0 ? m_t.REFI : 4000;
  std::int64_t done = 0;
  sequencer_cycles half;
  std::int64_t half_at = 0;
  while (done < vectors) {
    const std::int64_t step = std::max<std::int64_t>(1, done);  // 1, 1, 2, 4, ...: the marks are halves
    const std::int64_t now = std::min(step, vectors - done);
    half = s.cycles();
    half_at = done;
    run_gemv(s, rows, cols, now);
    done += now;
    if (half_at > 0 && s.now() - half.total > refreshes_in_detail * refresh) break;
  }
  const sequencer_cycles measured = s.cycles();
  leave(s);
  s.finish();
  if (done == vectors) return s.cycles();
  const double factor = static_cast<double>(vectors - done) / static_cast<double>(done - half_at);
  sequencer_cycles tail = s.cycles();
  sequencer_cycles out = extrapolate(half, measured, factor);
  const auto append = [](std::int64_t& to, std::int64_t from, std::int64_t to_now) { to += to_now - from; };
  for (std::size_t i = 0; i < out.data.size(); ++i) append(out.data[i], measured.data[i], tail.data[i]);
  append(out.row, measured.row, tail.row);
  append(out.turnaround, measured.turnaround, tail.turnaround);
  append(out.refresh, measured.refresh, tail.refresh);
  append(out.latency, measured.latency, tail.latency);
  append(out.activates, measured.activates, tail.activates);
  append(out.all_bank_activates, measured.all_bank_activates, tail.all_bank_activates);
  append(out.refreshes, measured.refreshes, tail.refreshes);
  append(out.columns, measured.columns, tail.columns);
  append(out.all_bank_columns, measured.all_bank_columns, tail.all_bank_columns);
  append(out.total, measured.total, tail.total);
  return out;
}

sequencer_cycles dram_bank::elementwise_cycles(elementwise op, std::int64_t elements) const {
  if (m_p.dataflow != "register")
    throw input_error(
        problem{"", "dataflow", "got " + m_p.dataflow, "register: only its units have element-wise instructions", ""});
  bank_sequencer s = sequencer();
  enter(s);
  program_builder p;
  p.mode(0, row_registers);
  p.fence();
  // Operands lie in rows of their own; a tile is what the registers of all units take. A last part tile takes
  // fewer registers.
  constexpr std::int64_t second_operand = 128, results = 256;
  const std::int64_t per_register = std::int64_t{m_org.banks_per_rank()} * m_p.lanes;
  for (std::int64_t first = 0, left = ceil_div(elements, per_register); left > 0; first += m_p.input_registers) {
    const std::int64_t registers = std::min<std::int64_t>(left, m_p.input_registers);
    left -= registers;
    for (int parity = 0; parity < 2; ++parity) {
      const std::int64_t row = first / m_org.columns;
      const auto group = [&](bool write, std::int64_t at, access_purpose purpose) {
        for (std::int64_t g = 0; g < registers; ++g) p.add(write, parity, at + row, purpose, true);
        p.fence();
      };
      group(false, 0, access_purpose::compute);
      if (op != elementwise::relu) group(false, second_operand, access_purpose::compute);
      group(true, results, access_purpose::output);
    }
  }
  p.mode(0, row_registers);
  p.fence();
  s.run(p.accesses());
  leave(s);
  s.finish();
  return s.cycles();
}

sequencer_cycles dram_bank::host_cycles(std::int64_t read_bytes, std::int64_t write_bytes) const {
  bank_sequencer s = sequencer();
  const std::int64_t reads = ceil_div(read_bytes, m_org.access_bytes()),
                     writes = ceil_div(write_bytes, m_org.access_bytes());
  std::int64_t n = 0;
  // Neighbouring accesses go to neighbouring banks, then to the next column.
  const auto stream = [&](bool write, std::int64_t end) {
    s.run([&](column_access& a) {
      if (n >= end) return false;
      a = {};
      a.write = write;
      a.bank = static_cast<int>(n / m_org.banks_per_group % m_org.bank_groups) * m_org.banks_per_group +
               static_cast<int>(n % m_org.banks_per_group);
      a.row = n / m_org.banks_per_rank() / m_org.columns;
      a.purpose = write ? access_purpose::input : access_purpose::output;
      ++n;
      return true;
    });
  };
  stream(false, reads);
  if (reads > 0 && writes > 0) s.finish();
  stream(true, reads + writes);
  s.finish();
  return s.cycles();
}

sequencer_cycles dram_bank::read_back_cycles(std::int64_t columns) const {
  const std::lock_guard<std::mutex> lock(m_known_guard);
  const auto [known, fresh] = m_read_back.try_emplace(columns);
  if (!fresh) return known->second;
  bank_sequencer s = sequencer();
  std::int64_t n = 0;
  s.run([&](column_access& a) {
    if (n >= columns) return false;
    a = {};
    a.bank = static_cast<int>(n % m_org.banks_per_rank());
    a.row = n / m_org.banks_per_rank() / m_org.columns;
    a.purpose = access_purpose::output;
    ++n;
    return true;
  });
  s.finish();
  return known->second = s.cycles();
}

mvm_cost dram_bank::processor_mvm(const mvm_shape& s) const {
  const double values = static_cast<double>(s.rows) * static_cast<double>(s.cols) * static_cast<double>(s.vectors);
  const double copying = values * m_p.value_bits / 8 / m_p.unit_bandwidth.value;
  const double computing = values * m_p.instructions_per_mac / m_p.unit_clock.value;
  mvm_cost out;
  const auto to = [](double seconds) { return static_cast<ps_t>(seconds * 1e12 + 0.5); };
  // Threads overlap copying and computing; the longer one shows.
  out.parts[stall::cim_digital] = to(computing);
  out.parts[stall::cim_array] = to(std::max(0.0, copying - computing));
  out.total = out.parts.sum();
  out.interval = out.total / s.vectors;
  out.input_bytes = s.rows * m_p.value_bits / 8 * s.vectors;
  out.output_bytes = s.cols * 4 * s.vectors;
  out.energy[component::dram] =
      values * m_p.value_bits * to_pj(m_p.bank_bit) +
      values * m_p.value_bits / 8 / static_cast<double>(m_org.row_bytes()) * to_pj(m_p.activate);
  out.energy[component::digital] = values * to_pj(m_p.mac);
  out.energy[component::leakage] = leakage_mw() * 1e-3 * static_cast<double>(out.total);
  return out;
}

mvm_cost dram_bank::mvm(const mvm_shape& s) const {
  check_mvm(kind_name, s, shape(s.w_bits), max_in_bits(), max_w_bits());
  if (m_p.dataflow == "processor") return processor_mvm(s);
  const sequencer_cycles c = gemv_cycles(s.rows, s.cols, s.vectors);
  const std::int64_t access = m_org.access_bytes();
  std::int64_t result_columns = 0;  // read back as ordinary memory (broadcast reads them in its program)
  sequencer_cycles back;
  if (m_p.dataflow == "register") {
    result_columns = output_tiles(s.cols) * s.vectors * std::int64_t{units()} * m_p.accumulators;
    const std::int64_t detailed = std::min(result_columns, host_bursts_in_detail);
    back = read_back_cycles(detailed);
    if (detailed < result_columns)
      back.total = static_cast<std::int64_t>(static_cast<double>(back.total) * static_cast<double>(result_columns) /
                                             static_cast<double>(detailed));
  }
  const auto data = [&c](access_purpose p) { return c.data[static_cast<std::size_t>(p)]; };
  stall_stack cycles;
  cycles[stall::cim_array] = data(access_purpose::compute);
  cycles[stall::cim_input] = data(access_purpose::input) + data(access_purpose::control);
  cycles[stall::dram_data] = data(access_purpose::output) + back.total;
  cycles[stall::dram_row_miss] = c.row;
  cycles[stall::dram_turnaround] = c.turnaround;
  cycles[stall::dram_refresh] = c.refresh;
  cycles[stall::dram_latency] = c.latency;
  mvm_cost out;
  out.total = ps(static_cast<double>(c.total + back.total));
  out.parts = apportion(out.total, cycles, stall::cim_array);
  out.interval = out.total / s.vectors;
  const std::int64_t input_columns = m_p.dataflow == "register"
                                         ? ceil_div(s.rows, m_p.lanes) * output_tiles(s.cols) * s.vectors
                                         : ceil_div(s.rows, m_p.lanes) * s.vectors;
  if (m_p.dataflow == "broadcast")
    result_columns =
        output_tiles(s.cols) * s.vectors *
        ceil_div(s.rows, std::max<std::int64_t>(to_bytes(m_p.global_buffer) * 8 / m_p.value_bits, m_p.lanes));
  out.input_bytes = input_columns * access;
  out.output_bytes = result_columns * access;

  // One parity of banks answers an all-bank command when two banks share a unit.
  const double access_bits = static_cast<double>(access) * 8, unit_count = units();
  const double macs = static_cast<double>(s.rows) * static_cast<double>(s.cols) * static_cast<double>(s.vectors);
  out.energy[component::dram] =
      static_cast<double>(c.all_bank_columns) * unit_count * access_bits * to_pj(m_p.bank_bit) +
      (static_cast<double>(c.all_bank_activates) * unit_count + static_cast<double>(c.activates + back.activates)) *
          to_pj(m_p.activate);
  out.energy[component::buffer] =
      static_cast<double>(input_columns + result_columns) * access_bits * to_pj(m_p.host_bit);
  out.energy[component::digital] = macs * to_pj(m_p.mac);
  out.energy[component::leakage] = leakage_mw() * 1e-3 * static_cast<double>(out.total);
  return out;
}

program_cost dram_bank::program(std::int64_t rows, std::int64_t cols, int w_bits) const {
  check_mvm(kind_name, mvm_shape{rows, cols, 1, 1, w_bits, 0}, shape(w_bits), max_in_bits(), max_w_bits());
  program_cost out;
  out.bytes = ceil_div(rows * cols * m_p.value_bits, 8);
  out.cell_writes = rows * cols * m_p.value_bits;
  const std::int64_t detailed = std::min(out.bytes, host_bursts_in_detail * m_org.access_bytes());
  const sequencer_cycles c = host_cycles(0, detailed);
  const double scale = static_cast<double>(out.bytes) / static_cast<double>(detailed);
  out.total = ps(static_cast<double>(c.total) * scale);
  out.energy[component::dram] = static_cast<double>(c.activates) * scale * to_pj(m_p.activate);
  out.energy[component::buffer] = static_cast<double>(out.bytes) * 8 * to_pj(m_p.host_bit);
  out.energy[component::leakage] = leakage_mw() * 1e-3 * static_cast<double>(out.total);
  return out;
}

std::unique_ptr<programmed_array> dram_bank::program_weights(const std::int32_t* weights, std::int64_t rows,
                                                             std::int64_t cols, number_format format,
                                                             std::uint64_t) const {
  check_weights(kind_name, weights, rows, cols, format, shape(format.bits), max_w_bits());
  return hold_weights(m_p, weights, rows, cols);
}

breakdown dram_bank::area() const {
  breakdown out;
  out[component::digital] = m_p.unit_area.value * 1e6 * (m_p.dataflow == "processor" ? 1 : units());
  return out;
}

nlohmann::ordered_json dram_bank::parameters() const {
  auto out = dram_bank_table().write(m_p);
  out["type"] = kind_name;
  return out;
}

namespace {

std::unique_ptr<const macro> make(const config::node& tree, const std::string& path) {
  dram_bank_params p;
  problem_list problems;
  dram_bank_table().read(tree, p, problems, path, {"type", "base", "description", "sources"});
  problems.check();
  return std::make_unique<dram_bank>(std::move(p));
}

const macro_entry entry{kind_name,
                        "DRAM banks with multiply-accumulate units: HBM-PIM, AiM, UPMEM",
                        {make, [] { return dram_bank_table().describe(); }}};

}  // namespace

const param_table<dram_bank_params>& dram_bank_table() {
  static const auto table = [] {
    using p = dram_bank_params;
    const energy none(0), most(1e-6);
    param_table<p> t("dram_bank");
    t.add("dataflow", &p::dataflow, "how inputs reach the units").choices({"register", "broadcast", "processor"});
    t.add("standard", &p::standard, "DRAM standard of the banks");
    t.add("timing", &p::timing, "constraints that differ from the standard, in clock cycles, by JEDEC name");
    t.add("clock_period", &p::clock_period, "where it differs from the standard")
        .range(std::optional(duration(1e-11)), std::optional(duration(1e-7)));
    t.add("ranks", &p::ranks, "refresh is staggered over them; 0: the standard's").range(0, 16);
    t.add("rows", &p::rows, "of a bank; 0: the standard's").range(0, 1 << 24);
    t.add("banks_per_unit", &p::banks_per_unit, "banks sharing one unit").range(1, 64);
    t.add("lanes", &p::lanes, "values of one column access").range(1, 1024);
    t.add("value_bits", &p::value_bits, "width of a value in the bank").range(1, 32);
    t.add("arithmetic", &p::arithmetic, "of the units").choices({"fp16", "bf16", "fp32", "integer"});
    t.add("max_input_bits", &p::max_input_bits, "widest input").range(1, 32);
    t.add("input_registers", &p::input_registers, "columns of inputs a unit holds").range(1, 256);
    t.add("accumulators", &p::accumulators, "columns of results a unit holds").range(1, 256);
    t.add("fence", &p::fence, "accesses between two fences of the host").range(1, 4096);
    t.add("global_buffer", &p::global_buffer, "shared input buffer").range(byte_size(32), byte_size(1048576));
    t.add("unit_clock", &p::unit_clock, "of a processor").range(frequency(1e6), frequency(1e10));
    t.add("unit_bandwidth", &p::unit_bandwidth, "of a processor, from its bank").range(bandwidth(1e6), bandwidth(1e12));
    t.add("instructions_per_mac", &p::instructions_per_mac, "of a processor").range(0.01, 1e4);
    t.add("mac", &p::mac, "energy of one multiply-accumulate").range(none, most);
    t.add("bank_bit", &p::bank_bit, "energy of one bit from an open row to the unit").range(none, most);
    t.add("host_bit", &p::host_bit, "energy of one bit between an open row and the host").range(none, most);
    t.add("activate", &p::activate, "energy of opening one row of one bank").range(none, most);
    t.add("leakage", &p::leakage, "of the units of one channel").range(power(0), power(1e3));
    t.add("unit_area", &p::unit_area, "one unit").range(area(0), area(1e-4));
    return t;
  }();
  return table;
}

}  // namespace memwall::cim
