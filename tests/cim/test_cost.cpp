// SPDX-License-Identifier: Apache-2.0
// Times and energies against the formulas of the mechanisms, worked out here.
#include <gtest/gtest.h>

#include <cmath>

#include "hw/cim/circuit.h"
#include "hw/cim/figures.h"
#include "tests/cim/support.h"

using namespace memwall;
using namespace memwall::cim;
using namespace memwall::cim::test;

TEST(cim_cost, parts_sum_to_the_total_for_every_preset_and_width) {
  for (const auto& name : macro_preset_names()) {
    const auto m = load_macro(name);
    for (const int in_bits : {1, 4, 8})
      for (const int w_bits : {1, 4, 8})
        for (const std::int64_t vectors : {1, 2, 7}) {
          if (in_bits > m->max_in_bits() || w_bits > m->max_w_bits()) continue;
          const geometry g = m->shape(w_bits);
          const std::int64_t rows = std::min<std::int64_t>(g.rows, 512), cols = std::min<std::int64_t>(g.cols, 64);
          const mvm_cost c = m->mvm({rows, cols, vectors, in_bits, w_bits, 0});
          ASSERT_EQ(c.parts.sum(), c.total) << name;
          ASSERT_GT(c.total, 0) << name;
          ASSERT_GT(c.energy.sum(), 0) << name;
          for (const double e : c.energy.part) ASSERT_GE(e, 0) << name;
        }
  }
}

TEST(cim_cost, more_work_never_takes_less_time_or_energy) {
  for (const auto& name : macro_preset_names()) {
    const auto m = load_macro(name);
    const geometry g = m->shape(4);
    const std::int64_t rows = std::min<std::int64_t>(g.rows, 256), cols = std::min<std::int64_t>(g.cols, 64);
    const mvm_cost base = m->mvm({rows, cols, 4, 4, 4, 0});
    for (const mvm_shape& less :
         {mvm_shape{rows / 2, cols, 4, 4, 4, 0}, mvm_shape{rows, std::max<std::int64_t>(1, cols / 2), 4, 4, 4, 0},
          mvm_shape{rows, cols, 3, 4, 4, 0}, mvm_shape{rows, cols, 4, 3, 4, 0}}) {
      const mvm_cost c = m->mvm(less);
      EXPECT_LE(c.total, base.total) << name;
      EXPECT_LE(c.energy.sum(), base.energy.sum() * (1 + 1e-12)) << name;
    }
  }
}

// Eight bits, two a cycle: four cycles a vector of 1 ns, three vectors, two more in the pipeline. Of 12 rows,
// 5 at a time: three groups.
TEST(cim_cost, digital_time_counts_cycles) {
  const std::string base =
      "{type: digital_sram, rows: 16, bit_columns: 32, input_bits_per_cycle: 2, clock: 1 GHz, "
      "pipeline_cycles: 2";
  EXPECT_EQ(from_yaml(base + "}")->mvm({12, 4, 3, 8, 8, 0}).total, (4 * 3 + 2) * 1000);
  EXPECT_EQ(from_yaml(base + ", rows_per_cycle: 5}")->mvm({12, 4, 3, 8, 8, 0}).total, (4 * 3 * 3 + 2) * 1000);
}

// A tree over 4 rows of 3-bit numbers: two adders of 3 bits, one of 4. A chain carries 3 + 2 bits past each
// row.
TEST(cim_cost, adder_bits_are_counted) {
  EXPECT_EQ(tree_adder_bits(4, 3), 2 * 3 + 4);
  EXPECT_EQ(tree_adder_bits(5, 3), 2 * 3 + 4 + 5);
  EXPECT_EQ(tree_adder_bits(1, 3), 0);
  EXPECT_EQ(chain_adder_bits(4, 3), 4 * 5);
}

// 4 x 2 weights of 3 bits, 2-bit inputs, one vector, energies 1, 10, 100, 1000 pJ: products 4 x 2 x 3 x 2;
// adders 10 bits x 2 columns x 2 slices; accumulators 3 + 2 + 2 bits x 2 x 2; inputs 4 x 2.
TEST(cim_cost, digital_energy_counts_operations) {
  const auto m = from_yaml(
      "{type: digital_sram, rows: 4, bit_columns: 6, weight_granularity: 1, bit_product: 1 pJ, full_adder: "
      "10 pJ,"
      " accumulator_bit: 100 pJ, input_bit: 1000 pJ, nominal_voltage: 0.8 V}");
  const mvm_cost c = m->mvm({4, 2, 1, 2, 3, 0});
  EXPECT_NEAR(c.energy[component::array], 48, 1e-9);
  EXPECT_NEAR(c.energy[component::digital], 10 * 10 * 2 * 2 + 100 * 7 * 2 * 2, 1e-9);
  EXPECT_NEAR(c.energy[component::buffer], 8000, 1e-6);
}

// Two slices of 4 bits, read 10 + 5 ns. SAR of 8 bits: 9 steps of 2 ns for each of 4 columns on a converter:
// 72 ns.
TEST(cim_cost, analog_time_serial_and_pipelined) {
  const std::string base =
      "{type: analog_crossbar, rows: 64, columns: 64, bits_per_cell: 8, dac_bits: 4, step_time: 10 ns,"
      " settle_time: 5 ns, adc_bits: 8, adc_step: 2 ns, columns_per_adc: 4, digital_latency: 3 ns, "
      "adc_timing: ";
  const auto serial = from_yaml(base + "serial}")->mvm({64, 64, 3, 8, 8, 0});
  EXPECT_EQ(serial.total, 3 * 2 * (15 + 72) * 1000 + 3000);
  EXPECT_EQ(serial.parts[stall::cim_adc], 3 * 2 * 72 * 1000);
  // Pipelined: each slice takes the longer of the two, the last conversion is exposed.
  const auto pipelined = from_yaml(base + "pipelined}")->mvm({64, 64, 3, 8, 8, 0});
  EXPECT_EQ(pipelined.total, (3 * 2 * 72 + 72 + 3) * 1000);
  EXPECT_EQ(pipelined.interval, 2 * 72 * 1000);
}

// Pulses: 2^4 - 1 steps a slice. A ramp of 5 bits takes 32 steps. Ten rows, four at once: three groups; two
// phases.
TEST(cim_cost, analog_time_pulses_ramps_groups_and_phases) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 64, columns: 64, bits_per_cell: 8, drive: pulse, dac_bits: 4, "
      "step_time: 1 ns,"
      " adc: ramp, adc_bits: 5, adc_step: 1 ns, adc_timing: serial, rows_parallel: 4, phases: 2}");
  EXPECT_EQ(m->mvm({10, 64, 1, 8, 8, 0}).total, 3 * 2 * 2 * (15 + 32) * 1000);
}

// Weights of 8 bits on 2-bit cells: four slices, pairs: eight columns a weight. With a sign, seven bits:
// still four slices.
TEST(cim_cost, weight_slices_take_columns) {
  EXPECT_EQ(from_yaml("{type: analog_crossbar, rows: 8, columns: 64, bits_per_cell: 2}")->shape(8).cols, 16);
  EXPECT_EQ(
      from_yaml("{type: analog_crossbar, rows: 8, columns: 64, bits_per_cell: 2, differential: true}")->shape(8).cols,
      8);
  EXPECT_EQ(from_yaml("{type: analog_crossbar, rows: 8, columns: 64, bits_per_cell: 2, sets: 3}")->shape(8).weights,
            8 * 16 * 3);
}

// Eight input slices of a bit are shifted by 7 in all, four of a weight's two bits by 6; one group of rows; a bit of
// sign for what is shifted. Never wider than the exact sum: 8 + 8 bits and 6 for 64 rows.
TEST(cim_cost, a_sum_of_conversions_is_as_wide_as_its_shifts) {
  const std::string base = "{type: analog_crossbar, rows: 64, columns: 64, bits_per_cell: 2, dac_bits: 1, adc_bits: ";
  EXPECT_EQ(from_yaml(base + "5}")->natural_out_bits({64, 8, 1, 8, 8, 0}), 5 + 7 + 6 + 1);
  EXPECT_EQ(from_yaml(base + "5, rows_parallel: 16}")->natural_out_bits({64, 8, 1, 8, 8, 0}), 5 + 7 + 6 + 2 + 1);
  EXPECT_EQ(from_yaml(base + "12}")->natural_out_bits({64, 8, 1, 8, 8, 0}), 8 + 8 + 6);
}

// 64 cells, 16 at once: 4 batches of 5 pulses of 100 + 50 ns.
TEST(cim_cost, programming_takes_pulses) {
  const auto m = from_yaml(
      "{type: analog_crossbar, rows: 8, columns: 64, bits_per_cell: 2, pulses: 5, pulse_time: 100 ns, "
      "verify_time: 50 ns,"
      " pulse_energy: 3 pJ, verify_energy: 1 pJ, cells_parallel: 16}");
  const program_cost c = m->program(8, 2, 8);
  EXPECT_EQ(c.cell_writes, 64);
  EXPECT_EQ(c.total, 4 * 5 * 150 * 1000);
  EXPECT_NEAR(c.energy.sum(), 64 * 5 * 4, 1e-9);
  EXPECT_EQ(c.bytes, 16);
}

// (V / V0)^2 for the energy; ((V - Vt) / (V0 - Vt))^a V0 / V for the speed; published clocks override it.
TEST(cim_cost, supply_scales_energy_and_speed) {
  supply s;
  s.nominal = voltage(1.0);
  s.actual = voltage(0.8);
  s.threshold = voltage(0.3);
  s.velocity_exponent = 1.3;
  EXPECT_NEAR(s.energy_factor(), 0.64, 1e-12);
  EXPECT_NEAR(s.speed_factor(), std::pow(0.5 / 0.7, 1.3) / 0.8, 1e-12);
  s.swing_offset = voltage(0.5);
  EXPECT_NEAR(s.energy_factor(), 0.8 * 0.3 / 0.5, 1e-12);
  s.clock_at = {{"0.6 V", frequency(20e6)}, {"1 V", frequency(100e6)}};
  EXPECT_NEAR(s.speed_factor(), 0.6, 1e-12);  // 20 + 80 / 2 = 60 of 100 MHz
}

// 128 x 64 MACs in 4 ns: 2 x 8192 / 4 = 4096 operations a nanosecond = 4.096 TOPS; over 0.5 mm2.
TEST(cim_cost, figures_follow_from_time_energy_and_area) {
  const auto m = from_yaml(
      "{type: digital_sram, rows: 128, bit_columns: 256, weight_granularity: 4, clock: 1 GHz, "
      "pipeline_cycles: 0,"
      " array_area: 0.2 mm2, digital_area: 0.3 mm2, bit_product: 1 fJ, full_adder: 0 fJ, accumulator_bit: 0 "
      "fJ,"
      " input_bit: 0 fJ}");
  const macro_figures f = figures(*m, 4, 4);
  EXPECT_NEAR(f.mvm_ns, 4, 1e-9);
  EXPECT_NEAR(f.tops, 4.096, 1e-9);
  EXPECT_NEAR(f.tops_per_mm2, 8.192, 1e-9);
  EXPECT_NEAR(f.energy_per_mac_fj, 16, 1e-9);
  EXPECT_NEAR(f.tops_per_w, 2e3 / 16, 1e-6);
  EXPECT_NEAR(f.mb_per_mm2, 128.0 * 256 / 1048576 / 0.5, 1e-12);
}

TEST(cim_cost, endurance_is_used_up_by_reprogramming) {
  const auto m = from_yaml("{type: analog_crossbar, endurance: 1e6}");
  EXPECT_NEAR(endurance_per_day(*m, 1), 0.0864, 1e-12);  // 86400 programmings of a million
  EXPECT_NEAR(lifetime_days(*m, 1), 1 / 0.0864, 1e-9);
  EXPECT_EQ(endurance_per_day(*load_macro("tsmc_dcim_5nm"), 1e6), 0);
  EXPECT_TRUE(std::isinf(lifetime_days(*load_macro("hbm_pim"), 1e6)));
}

// A read of the whole array an hour, as power: its energy over 3600 s. Without compensation there is none.
TEST(cim_cost, drift_compensation_reads_the_array) {
  const std::string base = "{base: hermes, drift_compensation: ";
  const auto with = from_yaml(base + "true}"), without = from_yaml(base + "false}"),
             often = from_yaml(base + "true, compensation_interval: 1 s}");
  mvm_shape s{256, 256, 1, 1, 8, 0};
  const breakdown e = without->mvm(s).energy;
  const double read_pj = e.sum() - e[component::leakage];
  EXPECT_GT(read_pj, 0);
  EXPECT_EQ(without->leakage_mw(), 0);
  EXPECT_NEAR(with->leakage_mw(), read_pj * 1e-9 / 3600, read_pj * 1e-18);
  EXPECT_NEAR(often->leakage_mw(), read_pj * 1e-9, read_pj * 1e-15);
}

// Slices: two cells a weight instead of one take two columns and two conversions a column. Fewer rows at once: a read
// and a conversion for each group.
TEST(cim_cost, slices_and_groups_of_rows_repeat_reads_and_conversions) {
  const auto at = [](const std::string& more) {
    return from_yaml("{type: analog_crossbar, rows: 64, columns: 64, adc_timing: serial, " + more + "}");
  };
  const mvm_shape s{64, 16, 1, 8, 8, 0};
  const auto whole = at("bits_per_cell: 8"), halves = at("bits_per_cell: 4"),
             groups = at("bits_per_cell: 8, rows_parallel: 16");
  EXPECT_EQ(halves->shape(8).cols * 2, whole->shape(8).cols);
  EXPECT_NEAR(halves->mvm(s).energy[component::adc], 2 * whole->mvm(s).energy[component::adc], 1e-9);
  EXPECT_NEAR(groups->mvm(s).energy[component::adc], 4 * whole->mvm(s).energy[component::adc], 1e-9);
  EXPECT_NEAR(groups->mvm(s).interval, 4 * whole->mvm(s).interval, 2);  // picoseconds, rounded each
}

// Inputs of a vector fill whole bytes: 100 rows of 3 bits are 300 bits, 38 bytes, for each of five vectors.
TEST(cim_cost, inputs_are_whole_bytes_a_vector) {
  const auto m = test::from_yaml("{type: digital_sram, rows: 128, bit_columns: 64, weight_granularity: 4}");
  EXPECT_EQ(m->mvm({100, 4, 5, 3, 4, 0}).input_bytes, 5 * 38);
  EXPECT_EQ(m->mvm({100, 4, 1, 8, 4, 0}).input_bytes, 100);
}

// More bits are not free: a SAR at 9 bits below its knee of 9 costs 1 + 1 a step where 8 bits cost 1 + 1/2; a flash has
// a comparator a level; a ramp takes a step a level.
TEST(cim_cost, converters_cost_what_their_resolution_costs) {
  const auto at = [](const std::string& kind, int bits) {
    return from_yaml("{type: analog_crossbar, rows: 16, columns: 16, adc: " + kind +
                     ", adc_timing: serial, adc_extra_steps: 0, adc_reference_bits: 8, adc_area: 0.1 mm2, adc_bits: " +
                     std::to_string(bits) + "}");
  };
  const mvm_shape s{16, 2, 1, 8, 8, 0};
  const auto energy = [&](const std::string& kind, int bits) { return at(kind, bits)->mvm(s).energy[component::adc]; };
  const auto time = [&](const std::string& kind, int bits) {
    return static_cast<double>(at(kind, bits)->mvm(s).parts[stall::cim_adc]);
  };
  const auto growth = [](int bits) { return 1 + std::pow(2.0, bits - 9); };
  // 2 outputs of 8-bit weights in 2-bit cells and 8 one-bit input slices: 64 conversions. Thermal noise, beyond 8 bits:
  // a half of 10^((6.02 b + 1.76 - 185) / 10) J, which is four times as much a bit.
  const auto thermal = [](int bits) {
    const auto least = [](int b) { return 0.5e12 * std::pow(10.0, (6.02 * b + 1.76 - 185) / 10); };
    return bits > 8 ? 64 * (least(bits) - least(8)) : 0.0;
  };
  EXPECT_NEAR(thermal(14) / thermal(13), 4, 0.01);
  for (const int bits : {4, 9, 12}) {
    EXPECT_NEAR((energy("sar", bits) - thermal(bits)) / energy("sar", 8), bits / 8.0 * growth(bits) / growth(8), 1e-9);
    EXPECT_NEAR(time("sar", bits) / time("sar", 8), bits / 8.0 * growth(bits) / growth(8), 1e-6);
    EXPECT_NEAR(at("sar", bits)->area()[component::adc] / 0.1, growth(bits) / growth(8), 1e-9);
    EXPECT_NEAR((energy("flash", bits) - thermal(bits)) / energy("flash", 8), (std::pow(2.0, bits) - 1) / 255, 1e-9);
    EXPECT_NEAR((energy("ramp", bits) - thermal(bits)) / energy("ramp", 8), std::pow(2.0, bits - 8), 1e-9);
  }
}
