// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/analog_crossbar.h"

#include <algorithm>
#include <cmath>

namespace memwall::cim {
namespace {

const std::string kind_name = "analog_crossbar";

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

class analog_crossbar final : public macro {
 public:
  explicit analog_crossbar(analog_crossbar_params p) : m_p(std::move(p)) { m_compensation_mw = compensation_mw(); }

  const std::string& kind() const override { return kind_name; }
  int max_in_bits() const override { return m_p.max_input_bits; }
  int max_w_bits() const override { return m_p.max_weight_bits; }
  bool concurrent_program() const override { return m_p.concurrent_write; }
  double leakage_mw() const override {
    return m_p.leakage.value * 1e3 * m_p.volts() / m_p.nominal.value + m_compensation_mw;
  }
  double endurance() const override {
    return m_p.endurance > 0 ? m_p.endurance : std::numeric_limits<double>::infinity();
  }
  nlohmann::ordered_json parameters() const override {
    auto out = analog_crossbar_table().write(m_p);
    out["type"] = kind_name;
    return out;
  }

  geometry shape(int w_bits) const override {
    geometry g;
    g.rows = m_p.rows;
    g.cols = m_p.columns / columns_per_weight(w_bits);
    g.sets = m_p.sets;
    g.weights = g.rows * g.cols * g.sets;
    return g;
  }

  // What shifting and adding the conversions gives; never more than the exact sum needs.
  int natural_out_bits(const mvm_shape& s) const override {
    const int exact = s.in_bits + s.w_bits + ceil_log2(s.rows);
    const auto in = input_slices(m_p, s.in_bits), w = weight_slices(m_p, s.w_bits);
    int shifts = 0;
    for (std::size_t i = 0; i + 1 < in.size(); ++i) shifts += in[i];
    for (std::size_t i = 0; i + 1 < w.size(); ++i) shifts += w[i];
    return std::min(exact, m_p.adc_bits + shifts + ceil_log2(row_groups(s.rows)) + (shifts > 0 ? 1 : 0));
  }

  mvm_cost mvm(const mvm_shape& s) const override {
    check_mvm(kind_name, s, shape(s.w_bits), max_in_bits(), max_w_bits());
    const auto slices = input_slices(m_p, s.in_bits);
    const std::int64_t weight_parts = static_cast<std::int64_t>(weight_slices(m_p, s.w_bits).size());
    const std::int64_t conversions = s.cols * weight_parts;  // of one read
    const double rounds = static_cast<double>(std::min<std::int64_t>(m_p.columns_per_adc, conversions));
    const double repeats = static_cast<double>(row_groups(s.rows) * m_p.phases);
    const double slower = 1 / m_p.speed_factor();

    // Seconds of one vector, in the order in which a slice passes: read (with settling), then conversion.
    double last_adc = 0, array = 0, exposed_adc = 0, steps = 0, adc_steps = 0;
    int bits_done = 0;
    for (std::size_t i = slices.size(); i-- > 0;) {  // most significant first
      const double slice_steps = m_p.drive == "pulse" ? std::ldexp(1.0, slices[i]) - 1 : 1;
      const double read = slower * (slice_steps * m_p.step_time.value + m_p.settle_time.value);
      const double conversion_steps = steps_of_a_conversion(s, bits_done);
      const double adc = slower * rounds * conversion_steps * m_p.adc_step.value * (m_p.adc == "sar" ? growth() : 1);
      if (m_p.adc_timing == "serial") {
        array += read;
        exposed_adc += adc;
      } else {
        array += read;
        exposed_adc += std::max(0.0, adc - read);
        last_adc = adc;
      }
      steps += slice_steps;
      adc_steps += conversion_steps;
      bits_done += slices[i];
    }
    array *= repeats;
    exposed_adc *= repeats;
    const double digital = slower * m_p.digital_latency.value;
    const double interval = array + exposed_adc;
    // A pipelined converter works one slice behind the array: the last conversion of all is exposed.
    const double fill_adc = m_p.adc_timing == "pipelined" ? last_adc : 0;
    const double vectors = static_cast<double>(s.vectors);
    const auto ps = [](double seconds) { return static_cast<ps_t>(seconds * 1e12 + 0.5); };
    mvm_cost out;
    out.interval = ps(interval);
    out.parts[stall::cim_array] = ps(vectors * array);
    out.parts[stall::cim_adc] = ps(vectors * exposed_adc + fill_adc);
    out.parts[stall::cim_digital] = ps(digital);
    out.total = out.parts.sum();
    out.input_bytes = ceil_div(s.rows * s.in_bits, 8) * s.vectors;
    out.output_bytes = ceil_div(s.cols * (s.out_bits > 0 ? s.out_bits : natural_out_bits(s)), 8) * s.vectors;

    const double scale = m_p.energy_factor() * vectors;
    const double cells = static_cast<double>(s.rows * s.cols * columns_per_weight(s.w_bits));
    out.energy[component::array] = scale * m_p.phases * cells * steps * to_pj(m_p.cell_step);
    out.energy[component::dac] = scale * m_p.phases * static_cast<double>(s.rows) * steps * to_pj(m_p.dac_step_energy);
    out.energy[component::adc] =
        scale * repeats * static_cast<double>(conversions) *
        (adc_steps * to_pj(m_p.adc_step_energy) * growth() + static_cast<double>(slices.size()) * thermal_growth());
    out.energy[component::digital] =
        scale * repeats * static_cast<double>(conversions) * static_cast<double>(slices.size()) * to_pj(m_p.shift_add);
    out.energy[component::buffer] =
        m_p.energy_factor() * (to_pj(m_p.input_byte) * static_cast<double>(out.input_bytes) +
                               to_pj(m_p.output_byte) * static_cast<double>(out.output_bytes));
    out.energy[component::leakage] = leakage_mw() * 1e-3 * static_cast<double>(out.total);  // 1 W x 1 ps = 1 pJ
    return out;
  }

  program_cost program(std::int64_t rows, std::int64_t cols, int w_bits) const override {
    check_mvm(kind_name, mvm_shape{rows, cols, 1, 1, w_bits, 0}, shape(w_bits), max_in_bits(), max_w_bits());
    program_cost out;
    out.cell_writes = rows * cols * columns_per_weight(w_bits);
    out.bytes = ceil_div(rows * cols * w_bits, 8);
    const double batches = static_cast<double>(ceil_div(out.cell_writes, m_p.cells_parallel));
    out.total = static_cast<ps_t>(batches * m_p.pulses * (m_p.pulse_time.value + m_p.verify_time.value) * 1e12 + 0.5);
    out.energy[component::array] =
        static_cast<double>(out.cell_writes) * m_p.pulses * (to_pj(m_p.pulse_energy) + to_pj(m_p.verify_energy));
    out.energy[component::leakage] = leakage_mw() * 1e-3 * static_cast<double>(out.total);
    return out;
  }

  std::unique_ptr<programmed_array> program_weights(const std::int32_t* weights, std::int64_t rows, std::int64_t cols,
                                                    number_format format, std::uint64_t seed) const override {
    // Without a sign the magnitude takes every bit, where a differential pair gets one for nothing.
    const int held = m_p.differential && !format.is_signed ? format.bits + 1 : format.bits;
    check_weights(kind_name, weights, rows, cols, format, shape(held), max_w_bits());
    return program_analog_array(m_p, weights, rows, cols, format, seed);
  }

  breakdown area() const override {
    breakdown out;
    out[component::array] = m_p.array_area.value * 1e6;
    out[component::dac] = m_p.dac_area.value * 1e6;
    out[component::adc] = m_p.adc_area.value * 1e6 * growth();
    out[component::digital] = m_p.digital_area.value * 1e6;
    out[component::buffer] = m_p.buffer_area.value * 1e6;
    return out;
  }

 private:
  // What a converter of adc_bits costs against one of adc_reference_bits: of a SAR each step's energy and time and the
  // area, of which the capacitors' part doubles with each bit and is as large as the rest at the knee; of a flash a
  // comparator a level. (Ramps and oscillators take a step a level, which is counted as such.)
  double growth() const {
    const int reference = m_p.adc_reference_bits > 0 ? m_p.adc_reference_bits : m_p.adc_bits;
    const auto cost = [&](int bits) {
      if (m_p.adc == "sar") return 1 + std::ldexp(1.0, bits - m_p.adc_knee_bits);
      return m_p.adc == "flash" ? std::ldexp(1.0, bits) - 1 : 1.0;
    };
    return cost(m_p.adc_bits) / cost(reference);
  }
  // Energy of one conversion against thermal noise: half of 10^((SNR - figure of merit) / 10) joules, four times as
  // much a bit (Schreier and Temes 2005). What the chip's own converter has is part of its step energy: here is what
  // finer ones add, in pJ.
  double thermal_growth() const {
    if (m_p.adc_figure_of_merit <= 0) return 0;
    const int reference = m_p.adc_reference_bits > 0 ? m_p.adc_reference_bits : m_p.adc_bits;
    const auto least = [&](int bits) {
      return 0.5e12 * std::pow(10.0, (6.02 * bits + 1.76 - m_p.adc_figure_of_merit) / 10);
    };
    return std::max(0.0, least(m_p.adc_bits) - least(reference));
  }
  // A reference read of the whole array now and then, as power: 1 pJ a second is 1e-9 mW.
  double compensation_mw() const {
    if (!m_p.drift_compensation || m_p.compensation_interval.value <= 0) return 0;
    const int bits = std::min(8, m_p.max_weight_bits);
    const geometry g = shape(bits);
    mvm_shape s;
    s.rows = g.rows;
    s.cols = g.cols;
    s.in_bits = 1;
    s.w_bits = bits;
    const breakdown e = mvm(s).energy;
    return (e.sum() - e[component::leakage]) * static_cast<double>(m_p.sets) * 1e-9 / m_p.compensation_interval.value;
  }
  std::int64_t columns_per_weight(int w_bits) const {
    return static_cast<std::int64_t>(weight_slices(m_p, w_bits).size()) * (m_p.differential ? 2 : 1);
  }
  std::int64_t row_groups(std::int64_t rows) const {
    return m_p.rows_parallel > 0 ? ceil_div(rows, m_p.rows_parallel) : 1;
  }
  double steps_of_a_conversion(const mvm_shape& s, int bits_done) const {
    int bits = m_p.adc_bits;
    if (m_p.adc_follows_output && s.out_bits > 0) bits = std::max(1, s.out_bits - bits_done);
    if (m_p.adc == "flash") return 1;
    if (m_p.adc == "sar") return bits + m_p.adc_extra_steps;
    return std::ldexp(1.0, bits);  // ramp and current-controlled oscillator: one step a level
  }
  analog_crossbar_params m_p;
  double m_compensation_mw = 0;
};

std::unique_ptr<const macro> make(const config::node& tree, const std::string& path) {
  analog_crossbar_params p;
  problem_list problems;
  analog_crossbar_table().read(tree, p, problems, path, {"type", "base", "description", "sources"});
  p.check(problems, path);
  if (p.drift_min > p.drift_max)
    problems.add({tree.where(), path + ".drift_min", "is above drift_max", "drift_min <= drift_max", ""});
  problems.check();
  return std::make_unique<analog_crossbar>(std::move(p));
}

const macro_entry entry{kind_name,
                        "analog crossbar: RRAM, PCM, flash or charge-domain SRAM with converters",
                        {make, [] { return analog_crossbar_table().describe(); }}};

// Cuts `bits` into slices of `width`, least significant first; the top one takes the rest.
std::vector<int> cut(int bits, int width) {
  std::vector<int> out(static_cast<std::size_t>(ceil_div(bits, width)), width);
  out.back() = bits - width * static_cast<int>(out.size() - 1);
  return out;
}

}  // namespace

std::vector<int> input_slices(const analog_crossbar_params& p, int in_bits, bool is_signed) {
  const int bits = p.signed_inputs == "bipolar" && is_signed ? std::max(1, in_bits - 1) : in_bits;
  const int count = static_cast<int>(ceil_div(bits, p.dac_bits));
  if (p.max_slices == 0 || count == 1) return cut(bits, p.dac_bits);
  // Few, nearly equal slices, the widest on top (NeuRRAM's two phases).
  const int few = std::min(p.max_slices, count);
  std::vector<int> even(static_cast<std::size_t>(few), bits / few);
  for (int i = 0; i < bits % few; ++i) ++even[even.size() - 1 - static_cast<std::size_t>(i)];
  return even;
}

std::vector<int> weight_slices(const analog_crossbar_params& p, int w_bits, bool is_signed) {
  return cut(p.differential && is_signed ? std::max(1, w_bits - 1) : w_bits, p.bits_per_cell);
}

const param_table<analog_crossbar_params>& analog_crossbar_table() {
  static const auto table = [] {
    using p = analog_crossbar_params;
    const energy none(0), most(1e-6);
    const duration zero(0), second(1.0);
    param_table<p> t("analog_crossbar");
    t.add("technology", &p::technology, "what the cells are (a label)")
        .choices({"rram", "pcm", "flash", "sram", "mram"});
    t.add("rows", &p::rows, "inputs").range(1, 65536);
    t.add("columns", &p::columns, "cell columns of one set").range(1, 65536);
    t.add("sets", &p::sets, "weight sets behind one compute site").range(1, 65536);
    t.add("bits_per_cell", &p::bits_per_cell, "bits one cell holds").range(1, 16);
    t.add("differential", &p::differential, "a weight is the difference of two cells");
    t.add("max_input_bits", &p::max_input_bits, "widest input").range(1, 16);
    t.add("max_weight_bits", &p::max_weight_bits, "widest weight").range(1, 16);
    t.add("drive", &p::drive, "how a slice drives its row").choices({"amplitude", "pulse"});
    t.add("signed_inputs", &p::signed_inputs, "how negative inputs are driven").choices({"offset", "bipolar"});
    t.add("dac_bits", &p::dac_bits, "input bits of one slice").range(1, 16);
    t.add("max_slices", &p::max_slices, "at most so many slices, evenly cut; 0: no limit").range(0, 16);
    t.add("rows_parallel", &p::rows_parallel, "rows driven at once; 0: all").range(0, 65536);
    t.add("phases", &p::phases, "times the whole read is repeated").range(1, 16);
    t.add("step_time", &p::step_time, "one integration step").range(zero, second);
    t.add("settle_time", &p::settle_time, "settling and sampling, once a slice").range(zero, second);
    t.add("adc", &p::adc, "kind of converter").choices({"sar", "ramp", "cco", "flash"});
    t.add("adc_timing", &p::adc_timing, "when it converts").choices({"serial", "pipelined", "integrated"});
    t.add("adc_bits", &p::adc_bits, "resolution").range(1, 24);
    t.add("adc_reference_bits", &p::adc_reference_bits,
          "resolution that step time, energy and area of a SAR or flash hold for; 0: adc_bits")
        .range(0, 24);
    t.add("adc_knee_bits", &p::adc_knee_bits,
          "of a SAR: beyond it time, energy and area double with each bit (capacitors), below they hardly change",
          "Murmann, ADC Performance Survey 1997-2023: energy a conversion turns up near 50 to 55 dB; Saberi et al., "
          "TCAS-I 2011: capacitor arrays of a SAR grow with 2^bits")
        .range(1, 24);
    t.add("adc_figure_of_merit", &p::adc_figure_of_merit,
          "Schreier's, in dB: bits beyond adc_reference_bits cost at least what thermal noise asks for, four times as "
          "much "
          "a bit; 0: not counted",
          "Murmann, ADC Performance Survey 1997-2023: the best converters lie near 185 dB")
        .range(0.0, 250.0);
    t.add("adc_follows_output", &p::adc_follows_output,
          "resolution is the output width asked for, less earlier slices' bits");
    t.add("adc_extra_steps", &p::adc_extra_steps, "steps of a SAR beyond its bits").range(0, 16);
    t.add("columns_per_adc", &p::columns_per_adc, "output columns sharing a converter").range(1, 65536);
    t.add("adc_step", &p::adc_step, "one converter step").range(zero, second);
    t.add("digital_latency", &p::digital_latency, "shift-add of the last slice").range(zero, second);
    t.add("cell_step", &p::cell_step, "energy of one cell and step").range(none, most);
    t.add("dac_step_energy", &p::dac_step_energy, "energy of one row and step").range(none, most);
    t.add("adc_step_energy", &p::adc_step_energy, "energy of one converter step").range(none, most);
    t.add("shift_add", &p::shift_add, "energy of adding one conversion").range(none, most);
    t.add("input_byte", &p::input_byte, "input buffer, one byte").range(none, most);
    t.add("output_byte", &p::output_byte, "output buffer, one byte").range(none, most);
    t.add("pulses", &p::pulses, "write-verify rounds a cell takes").range(1.0, 1e6);
    t.add("pulse_time", &p::pulse_time, "one programming pulse").range(zero, second);
    t.add("verify_time", &p::verify_time, "one verifying read").range(zero, second);
    t.add("pulse_energy", &p::pulse_energy, "one programming pulse").range(none, most);
    t.add("verify_energy", &p::verify_energy, "one verifying read").range(none, most);
    t.add("cells_parallel", &p::cells_parallel, "cells programmed at once").range(1, 1 << 20);
    t.add("endurance", &p::endurance, "programmings a cell survives; 0: unlimited").range(0.0, 1e18);
    t.add("adc_ranging", &p::adc_ranging, "input range of the converters").choices({"full", "weights"});
    t.add("adc_sigmas", &p::adc_sigmas, "range with adc_ranging: weights, in standard deviations").range(0.1, 100.0);
    t.add("adc_range", &p::adc_range, "part of the range used; less than 1 clips").range(1e-6, 1.0);
    t.add("adc_ideal", &p::adc_ideal, "converters do not quantise");
    t.add("program_noise", &p::program_noise, "sigma of programming / g_max, constant part").range(0.0, 10.0);
    t.add("program_noise_1", &p::program_noise_1, "linear part, by g / g_max").range(-10.0, 10.0);
    t.add("program_noise_2", &p::program_noise_2, "quadratic part").range(-10.0, 10.0);
    t.add("clip_conductance", &p::clip_conductance, "no cell below 0");
    t.add("drift", &p::drift, "drift exponent at g_max").range(-1.0, 1.0);
    t.add("drift_slope", &p::drift_slope, "change of the exponent with ln(g / g_max)").range(-1.0, 1.0);
    t.add("drift_min", &p::drift_min, "least mean exponent").range(-1.0, 1.0);
    t.add("drift_max", &p::drift_max, "largest mean exponent").range(-1.0, 1.0);
    t.add("drift_spread", &p::drift_spread, "sigma of the exponent, cell to cell").range(0.0, 1.0);
    t.add("drift_start", &p::drift_start, "t0 of the drift law").range(duration(1e-6), duration(1e6));
    t.add("drift_compensation", &p::drift_compensation, "outputs are divided by the array's mean drift");
    t.add("compensation_interval", &p::compensation_interval,
          "between the reference reads of an array that tell its drift; 0 s: their energy is not counted")
        .range(zero, duration(1e9));
    t.add("read_noise", &p::read_noise, "q of the 1/f read noise").range(0.0, 1.0);
    t.add("read_noise_exponent", &p::read_noise_exponent, "growth of the noise towards small conductances")
        .range(0.0, 2.0);
    t.add("output_noise", &p::output_noise, "sigma at the converter, in its steps").range(0.0, 1e3);
    t.add("ir_drop", &p::ir_drop, "wire resistance between cells x g_max").range(0.0, 0.01);
    t.add("array_area", &p::array_area, "cells").range(area(0), area(1e-2));
    t.add("dac_area", &p::dac_area, "row drivers").range(area(0), area(1e-2));
    t.add("adc_area", &p::adc_area, "converters").range(area(0), area(1e-2));
    t.add("digital_area", &p::digital_area, "shift-add and control").range(area(0), area(1e-2));
    t.add("buffer_area", &p::buffer_area, "buffers").range(area(0), area(1e-2));
    add_supply(t);
    return t;
  }();
  return table;
}

}  // namespace memwall::cim
