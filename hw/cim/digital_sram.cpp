// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/digital_sram.h"

#include <algorithm>

#include "hw/cim/products.h"
#include "hw/cim/weight_store.h"

namespace memwall::cim {
namespace {

const std::string kind_name = "digital_sram";

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// The weights as the circuit holds them: in as many bits as they have.
template <class Weight>
class digital_array final : public programmed_array {
 public:
  digital_array(const std::int32_t* weights, std::int64_t rows, std::int64_t cols, int bits)
      : m_weights(weights, weights + rows * cols), m_rows(rows), m_cols(cols), m_largest(std::int64_t{1} << bits) {}

  // The circuit multiplies by one slice of the input after another (digits of its two's complement, of which the top
  // bit counts negative) and its accumulator shifts each column sum to its place. Nothing is rounded on the way, so
  // that the sum over all slices is the integer product, whatever their width; cycles and energy count them (mvm()).
  void compute(const std::int32_t* inputs, number_format, double* outputs, double, std::uint64_t) const override {
    std::fill(outputs, outputs + m_cols, 0.0);
    add_integer_products(inputs, m_rows, m_weights.data(), m_cols, m_largest, outputs);
  }
  std::int64_t rows() const override { return m_rows; }
  std::int64_t cols() const override { return m_cols; }

 private:
  weight_vector<Weight> m_weights;
  std::int64_t m_rows, m_cols, m_largest;
};

class digital_sram final : public macro {
 public:
  explicit digital_sram(digital_sram_params p) : m_p(std::move(p)) {}

  const std::string& kind() const override { return kind_name; }
  int max_in_bits() const override { return m_p.max_input_bits; }
  int max_w_bits() const override { return m_p.max_weight_bits; }
  bool concurrent_program() const override { return m_p.concurrent_write; }
  double leakage_mw() const override { return m_p.leakage.value * 1e3 * m_p.volts() / m_p.nominal.value; }
  nlohmann::ordered_json parameters() const override {
    auto out = digital_sram_table().write(m_p);
    out["type"] = kind_name;
    return out;
  }

  geometry shape(int w_bits) const override {
    geometry g;
    g.rows = m_p.rows;
    g.cols = m_p.bit_columns / ganged(w_bits);
    g.sets = m_p.sets;
    g.weights = g.rows * g.cols * g.sets;
    return g;
  }

  // Wide enough for the exact sum.
  int natural_out_bits(const mvm_shape& s) const override { return s.in_bits + s.w_bits + ceil_log2(s.rows); }

  mvm_cost mvm(const mvm_shape& s) const override {
    check_mvm(kind_name, s, shape(s.w_bits), max_in_bits(), max_w_bits());
    const std::int64_t slices = ceil_div(s.in_bits, m_p.input_bits_per_cycle);
    const std::int64_t parallel = m_p.rows_per_cycle > 0 ? std::min(m_p.rows_per_cycle, m_p.rows) : m_p.rows;
    const std::int64_t groups = ceil_div(s.rows, parallel);
    const std::int64_t summed = std::min(parallel, s.rows);
    const double cycle_ps = 1e12 / (m_p.clock.value * m_p.speed_factor());
    const auto ps = [cycle_ps](std::int64_t cycles) {
      return static_cast<ps_t>(static_cast<double>(cycles) * cycle_ps + 0.5);
    };

    mvm_cost out;
    out.interval = ps(slices * groups);
    out.parts[stall::cim_array] = ps(slices * groups * s.vectors);
    out.parts[stall::cim_digital] = ps(slices * groups * s.vectors + m_p.pipeline_cycles) - out.parts[stall::cim_array];
    out.total = out.parts.sum();
    out.input_bytes = ceil_div(s.rows * s.in_bits, 8) * s.vectors;
    out.output_bytes = ceil_div(s.cols * (s.out_bits > 0 ? s.out_bits : natural_out_bits(s)), 8) * s.vectors;

    // Rows whose inputs are not used are gated; a multi-bit slice multiplies the products and adders it
    // replaces.
    const double columns = static_cast<double>(s.cols), rows = static_cast<double>(s.rows),
                 vectors = static_cast<double>(s.vectors);
    const double passes = vectors * static_cast<double>(slices * groups);
    const double width = std::min(m_p.input_bits_per_cycle, s.in_bits);
    const double adder_bits =
        m_p.adders == "tree" ? tree_adder_bits(summed, s.w_bits) : chain_adder_bits(summed, s.w_bits);
    const double scale = m_p.energy_factor();
    out.energy[component::array] = scale * to_pj(m_p.bit_product) * vectors * rows * columns * s.w_bits * s.in_bits;
    out.energy[component::digital] =
        scale * columns * passes *
        (to_pj(m_p.full_adder) * adder_bits * width + to_pj(m_p.accumulator_bit) * natural_out_bits(s));
    out.energy[component::buffer] = scale * to_pj(m_p.input_bit) * vectors * rows * s.in_bits;
    out.energy[component::leakage] = leakage_mw() * 1e-3 * static_cast<double>(out.total);  // 1 W x 1 ps = 1 pJ
    return out;
  }

  program_cost program(std::int64_t rows, std::int64_t cols, int w_bits) const override {
    check_mvm(kind_name, mvm_shape{rows, cols, 1, 1, w_bits, 0}, shape(w_bits), max_in_bits(), max_w_bits());
    program_cost out;
    out.cell_writes = rows * cols * w_bits;
    out.bytes = ceil_div(out.cell_writes, 8);
    const double cycle_ps = 1e12 / (m_p.clock.value * m_p.speed_factor());
    // A row is written in pieces of the port; a port wider than a row writes several rows in a cycle.
    const std::int64_t cycles = ceil_div(rows * cols * ganged(w_bits), m_p.write_port_bits);
    out.total = static_cast<ps_t>(static_cast<double>(cycles) * cycle_ps + 0.5);
    out.energy[component::array] = m_p.energy_factor() * to_pj(m_p.write_bit) * static_cast<double>(out.cell_writes);
    out.energy[component::leakage] = leakage_mw() * 1e-3 * static_cast<double>(out.total);
    return out;
  }

  std::unique_ptr<programmed_array> program_weights(const std::int32_t* weights, std::int64_t rows, std::int64_t cols,
                                                    number_format format, std::uint64_t) const override {
    check_weights(kind_name, weights, rows, cols, format, shape(format.bits), max_w_bits());
    const int bits = format.bits;
    if (bits < 8 || (bits == 8 && format.is_signed))
      return std::make_unique<digital_array<std::int8_t>>(weights, rows, cols, bits);
    if (bits < 16 || (bits == 16 && format.is_signed))
      return std::make_unique<digital_array<std::int16_t>>(weights, rows, cols, bits);
    return std::make_unique<digital_array<std::int32_t>>(weights, rows, cols, bits);
  }

  breakdown area() const override {
    breakdown out;
    out[component::array] = m_p.array_area.value * 1e6;
    out[component::digital] = m_p.digital_area.value * 1e6;
    return out;
  }

 private:
  int ganged(int w_bits) const {
    return static_cast<int>(ceil_div(w_bits, m_p.weight_granularity)) * m_p.weight_granularity;
  }
  digital_sram_params m_p;
};

std::unique_ptr<const macro> make(const config::node& tree, const std::string& path) {
  digital_sram_params p;
  problem_list problems;
  digital_sram_table().read(tree, p, problems, path, {"type", "base", "description", "sources"});
  p.check(problems, path);
  if (p.bit_columns < p.weight_granularity)
    problems.add(
        {tree.where(), path + ".bit_columns", "is less than weight_granularity", "at least one weight a row", ""});
  problems.check();
  return std::make_unique<digital_sram>(std::move(p));
}

const macro_entry entry{kind_name,
                        "digital SRAM: bit-serial or bit-parallel inputs, adder trees, shift-add",
                        {make, [] { return digital_sram_table().describe(); }}};

}  // namespace

const param_table<digital_sram_params>& digital_sram_table() {
  static const auto table = [] {
    using p = digital_sram_params;
    const energy none(0), most(1e-9);
    param_table<p> t("digital_sram");
    t.add("rows", &p::rows, "inputs of the array").range(1, 65536);
    t.add("bit_columns", &p::bit_columns, "one-bit columns of one weight set").range(1, 65536);
    t.add("weight_granularity", &p::weight_granularity, "weights take a multiple of this many columns").range(1, 16);
    t.add("sets", &p::sets, "weight sets that share the adders").range(1, 65536);
    t.add("max_input_bits", &p::max_input_bits, "widest input").range(1, 16);
    t.add("max_weight_bits", &p::max_weight_bits, "widest weight").range(1, 16);
    t.add("input_bits_per_cycle", &p::input_bits_per_cycle, "input bits a cycle: 1 is bit-serial").range(1, 16);
    t.add("rows_per_cycle", &p::rows_per_cycle, "rows added at once; 0: all").range(0, 65536);
    t.add("adders", &p::adders, "how a column is summed").choices({"tree", "chain"});
    t.add("pipeline_cycles", &p::pipeline_cycles, "cycles from the last slice to the result").range(0, 1000);
    t.add("clock", &p::clock, "at the nominal supply").range(frequency(1e3), frequency(1e11));
    t.add("bit_product", &p::bit_product, "energy of one AND").range(none, most);
    t.add("full_adder", &p::full_adder, "energy of one one-bit addition").range(none, most);
    t.add("accumulator_bit", &p::accumulator_bit, "energy of one accumulator bit a cycle").range(none, most);
    t.add("input_bit", &p::input_bit, "energy of driving one input bit along its row").range(none, most);
    t.add("write_bit", &p::write_bit, "energy of writing one cell").range(none, most);
    t.add("write_port_bits", &p::write_port_bits, "cells written a cycle").range(1, 1 << 20);
    t.add("array_area", &p::array_area, "cells").range(area(0), area(1e-2));
    t.add("digital_area", &p::digital_area, "adders, accumulators and drivers").range(area(0), area(1e-2));
    add_supply(t);
    return t;
  }();
  return table;
}

}  // namespace memwall::cim
