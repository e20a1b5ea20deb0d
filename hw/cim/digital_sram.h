// SPDX-License-Identifier: Apache-2.0
// Digital SRAM compute-in-memory: a multiplier (an AND gate a bit) beside each cell, adders that sum the
// products of a column, and an accumulator that shifts and adds over the slices of the input.
//
// Time: one input slice a clock cycle and group of rows, plus the pipeline. Energy: every one-bit product,
// every one-bit addition and every accumulator bit that toggles, so that widths and array sizes scale by
// counting, not by fitting.
#pragma once
#include "hw/cim/circuit.h"
#include "hw/cim/macro.h"

namespace memwall::cim {

struct digital_sram_params : supply {
  int rows = 256;              ///< inputs
  int bit_columns = 256;       ///< one-bit columns: cols(w) = bit_columns / w rounded up to weight_granularity
  int weight_granularity = 4;  ///< columns are ganged in steps of this many bits
  int sets = 1;                ///< weight sets sharing the adders
  int max_input_bits = 8, max_weight_bits = 16;
  int input_bits_per_cycle = 1;  ///< 1: bit-serial; max_input_bits: bit-parallel
  int rows_per_cycle = 0;        ///< rows added at once; 0: all
  std::string adders = "tree";   ///< tree | chain
  int pipeline_cycles = 2;       ///< from the last input slice to the result
  frequency clock{500e6};
  energy bit_product{0.1e-15};    ///< one AND and its share of the word line
  energy full_adder{1e-15};       ///< one one-bit addition
  energy accumulator_bit{1e-15};  ///< one bit of a shift-add accumulator, a cycle
  energy input_bit{5e-15};        ///< driving one input bit along its row
  energy write_bit{20e-15};       ///< writing one cell
  int write_port_bits = 256;      ///< cells written a cycle
  bool concurrent_write = false;  ///< a set can be written while another computes
  power leakage{0};
  area array_area{0.1e-6}, digital_area{0.1e-6};  ///< cells; adders, accumulators, drivers
};
const param_table<digital_sram_params>& digital_sram_table();

}  // namespace memwall::cim
