// SPDX-License-Identifier: Apache-2.0
// Analog crossbars: RRAM, PCM, flash, and SRAM that sums charge. Inputs drive the rows in slices, cells add
// their products on the columns, analog-to-digital converters read the columns, and digital logic shifts and
// adds the slices.
#pragma once
#include <memory>

#include "hw/cim/circuit.h"
#include "hw/cim/macro.h"

namespace memwall::cim {

struct analog_crossbar_params : supply {
  // Array
  std::string technology = "rram";  ///< rram | pcm | flash | sram | mram: a label, and the default of nothing
  int rows = 128, columns = 128;    ///< inputs and cell columns of one set
  int sets = 1;                     ///< cells behind one compute site
  int bits_per_cell = 2;
  bool differential = false;  ///< a weight is the difference of two cells; else it carries an offset
  int max_input_bits = 8, max_weight_bits = 8;
  // Inputs
  std::string drive = "amplitude";       ///< amplitude: one step a slice; pulse: 2^bits - 1 steps a slice
  std::string signed_inputs = "offset";  ///< offset: one bit more, corrected digitally; bipolar: sign and magnitude
  int dac_bits = 1;                      ///< of one slice
  int max_slices = 0;                    ///< wider slices rather than more of them; 0: no limit
  int rows_parallel = 0;                 ///< rows driven at once; 0: all
  int phases = 1;                        ///< times the whole is read (signs, offsets)
  duration step_time{10e-9};             ///< one integration step
  duration settle_time{0};               ///< once a slice
  // Converters
  std::string adc = "sar";               ///< sar | ramp | cco | flash
  std::string adc_timing = "pipelined";  ///< serial; pipelined: converts while the next slice is read;
                                         ///< integrated: counts while reading
  int adc_bits = 8;
  int adc_reference_bits = 0;  ///< resolution that step time, energy and area of a SAR or flash hold for; 0: adc_bits
  int adc_knee_bits = 9;       ///< of a SAR: where capacitors come to cost as much as comparator and logic
  double adc_figure_of_merit = 185;  ///< Schreier's, dB: thermal noise asks for at least this energy; 0: not counted
  bool adc_follows_output = false;   ///< resolution is the width asked for, less the bits of slices already converted
  int adc_extra_steps = 1;           ///< of a SAR: sampling
  int columns_per_adc = 1;           ///< output columns (pairs when differential) sharing one converter
  duration adc_step{1e-9};
  duration digital_latency{0};  ///< shift-add of the last slice
  // Energy at the nominal supply
  energy cell_step{1e-15};               ///< one cell, one integration step
  energy dac_step_energy{1e-15};         ///< one row, one integration step
  energy adc_step_energy{50e-15};        ///< one step of one conversion
  energy shift_add{50e-15};              ///< one conversion shifted and added
  energy input_byte{0}, output_byte{0};  ///< buffers
  power leakage{0};
  // Programming
  double pulses = 8;  ///< write-verify rounds a cell takes on average
  duration pulse_time{100e-9}, verify_time{100e-9};
  energy pulse_energy{10e-12}, verify_energy{1e-12};
  int cells_parallel = 128;  ///< written at once
  double endurance = 1e6;    ///< programmings a cell survives; 0: unlimited
  bool concurrent_write = false;
  // Errors
  std::string adc_ranging = "full";  ///< full: the largest sum possible; weights: adc_sigmas of what these weights give
  double adc_sigmas = 4;
  double adc_range = 1;    ///< of the range so found; less than 1 clips
  bool adc_ideal = false;  ///< no quantisation
  double program_noise = 0, program_noise_1 = 0,
         program_noise_2 = 0;    ///< sigma / g_max = c0 + c1 g + c2 g^2, g = G / g_max
  bool clip_conductance = true;  ///< no cell below 0
  double drift = 0,
         drift_slope = 0;  ///< mean exponent nu = drift + slope ln g, limited to drift_min..drift_max
  double drift_min = 0, drift_max = 1;
  double drift_spread = 0;                 ///< sigma of nu, cell to cell
  duration drift_start{20.0};              ///< t0 of (t / t0)^-nu
  bool drift_compensation = false;         ///< divides by the array's mean drift
  duration compensation_interval{3600.0};  ///< between the reference reads that tell it
  double read_noise = 0,
         read_noise_exponent = 0;  ///< sigma / G = q g^-exponent sqrt(ln((t + t_read) / 2 t_read)), at most 0.2
  double output_noise = 0;         ///< sigma at the converter's input, in steps of the converter
  double ir_drop = 0;              ///< wire resistance between two cells x g_max
  // Area of one macro
  area array_area{0}, dac_area{0}, adc_area{0}, digital_area{0}, buffer_area{0};
};
const param_table<analog_crossbar_params>& analog_crossbar_table();

/// How an input or a weight is cut: widths of the slices, least significant first.
std::vector<int> input_slices(const analog_crossbar_params& p, int in_bits, bool is_signed = true);
std::vector<int> weight_slices(const analog_crossbar_params& p, int w_bits, bool is_signed = true);

/// The cells of one macro after programming (analog_array.cpp).
std::unique_ptr<programmed_array> program_analog_array(const analog_crossbar_params& p, const std::int32_t* weights,
                                                       std::int64_t rows, std::int64_t cols, number_format format,
                                                       std::uint64_t seed);

}  // namespace memwall::cim
