// SPDX-License-Identifier: Apache-2.0
// Multiply-accumulate units beside the banks of a DRAM channel. One macro is one channel (of HBM-PIM: a
// pseudo-channel); a memory has as many as it has channels, and they work side by side on different outputs.
//
// clang-format off
// register:   the host writes inputs into registers of all units at once; each command reads one column of every bank
//             and multiplies it lane by lane; lanes hold partial sums that the host adds up (Samsung HBM-PIM and its
//             LPDDR5 kin).
// broadcast:  the host fills one buffer; each command reads one column of every bank, an adder tree sums the lanes, one
//             output a bank (SK hynix AiM).
// processor:  a small processor beside each bank copies from it and computes by instructions (UPMEM).
// clang-format on
//
// Time comes from the DRAM commands such a program needs (bank_sequencer.h); rows, refresh, turnarounds and
// mode changes count.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "hw/cim/bank_sequencer.h"
#include "hw/cim/circuit.h"
#include "hw/cim/macro.h"
#include "hw/dram/standard.h"

namespace memwall::cim {

struct dram_bank_params {
  std::string dataflow = "register";           ///< register | broadcast | processor
  std::string standard = "HBM2";               ///< of the DRAM room: shape, timing, energy
  std::map<std::string, std::int64_t> timing;  ///< constraints that differ, in clock cycles by JEDEC name
  std::optional<duration> clock_period;
  int ranks = 0;           ///< 0: the standard's; refresh is staggered over them, the units sit in one
  int rows = 0;            ///< of a bank; 0: the standard's
  int banks_per_unit = 2;  ///< sharing one unit
  int lanes = 16;          ///< values of one column access
  int value_bits = 16;
  std::string arithmetic = "fp16";  ///< fp16 | bf16 | fp32 | integer
  int max_input_bits = 16;
  int input_registers = 8, accumulators = 8;  ///< register: columns a unit holds of inputs and of results
  int fence = 8;                              ///< register: accesses between two fences
  byte_size global_buffer{2048};              ///< broadcast
  frequency unit_clock{300e6};                ///< processor
  bandwidth unit_bandwidth{600e6};            ///< processor: bank to working memory
  double instructions_per_mac = 6;            ///< processor
  energy mac{1.5e-12};                        ///< one multiply-accumulate
  energy bank_bit{0.44e-12};                  ///< one bit from an open row to the unit
  energy host_bit{3.5e-12};                   ///< one bit from an open row to the host, or back
  energy activate{900e-12};                   ///< one row of one bank
  power leakage{0};                           ///< of the units of one channel
  area unit_area{0};                          ///< one unit
};
const param_table<dram_bank_params>& dram_bank_table();

/// Weights in the banks, in the arithmetic of the units (dram_bank_array.cpp): integers, or real numbers where the
/// units have a floating-point type.
std::unique_ptr<programmed_array> hold_weights(const dram_bank_params& p, const std::int32_t* weights,
                                               std::int64_t rows, std::int64_t cols);
std::unique_ptr<programmed_array> hold_reals(const dram_bank_params& p, const float* weights, std::int64_t rows,
                                             std::int64_t cols);

enum class elementwise : std::uint8_t { add, mul, relu };

/// The third kind of macro, with what only it can do: element-wise kernels in the banks, and plain memory
/// traffic.
class dram_bank : public macro {
 public:
  explicit dram_bank(dram_bank_params p);

  const std::string& kind() const override;
  geometry shape(int w_bits) const override;
  int max_in_bits() const override { return m_p.max_input_bits; }
  int max_w_bits() const override { return m_p.value_bits; }
  int natural_out_bits(const mvm_shape& s) const override;
  mvm_cost mvm(const mvm_shape& s) const override;
  program_cost program(std::int64_t rows, std::int64_t cols, int w_bits) const override;
  bool concurrent_program() const override { return false; }
  bool shares_memory() const override { return true; }
  std::unique_ptr<programmed_array> program_weights(const std::int32_t* weights, std::int64_t rows, std::int64_t cols,
                                                    number_format format, std::uint64_t seed) const override;
  bool is_floating() const override { return m_p.arithmetic != "integer"; }
  std::unique_ptr<programmed_array> hold_reals(const float* weights, std::int64_t rows,
                                               std::int64_t cols) const override {
    return cim::hold_reals(m_p, weights, rows, cols);
  }
  breakdown area() const override;
  double leakage_mw() const override { return m_p.leakage.value * 1e3; }
  nlohmann::ordered_json parameters() const override;

  /// Cycles of a GEMV program on this channel without the host's reading of the results.
  sequencer_cycles gemv_cycles(std::int64_t rows, std::int64_t cols, std::int64_t vectors) const;
  /// Cycles of an element-wise kernel over `elements` values of this channel (register dataflow).
  sequencer_cycles elementwise_cycles(elementwise op, std::int64_t elements) const;
  /// Cycles of plain sequential reads, then writes, over this channel's banks.
  sequencer_cycles host_cycles(std::int64_t read_bytes, std::int64_t write_bytes) const;

  int units() const { return m_org.banks_per_rank() / m_p.banks_per_unit; }
  double bytes_per_s_inside() const;  ///< all units reading a column every tCCD_L
  double peak_macs_per_s() const override;
  const dram_bank_params& params() const { return m_p; }
  const dram::organisation& organisation() const { return m_org; }
  const dram::timing& timing() const { return m_t; }

 private:
  bank_sequencer sequencer() const { return bank_sequencer(m_org, m_t); }
  void enter(bank_sequencer& s) const;
  void leave(bank_sequencer& s) const;
  sequencer_cycles simulate_gemv(std::int64_t rows, std::int64_t cols, std::int64_t vectors) const;
  void run_gemv(bank_sequencer& s, std::int64_t rows, std::int64_t cols, std::int64_t vectors) const;
  /// Cycles in which the host reads so many columns of results back as ordinary memory.
  sequencer_cycles read_back_cycles(std::int64_t columns) const;
  mvm_cost processor_mvm(const mvm_shape& s) const;
  std::int64_t output_tiles(std::int64_t cols) const;
  ps_t ps(double cycles) const { return static_cast<ps_t>(cycles * static_cast<double>(m_t.tck_fs) * 1e-3 + 0.5); }

  dram_bank_params m_p;
  dram::organisation m_org;
  dram::timing m_t;
  // Layers of a model repeat: the cycles of a shape are simulated once.
  mutable std::mutex m_known_guard;
  mutable std::map<std::array<std::int64_t, 3>, sequencer_cycles> m_known;
  mutable std::map<std::int64_t, sequencer_cycles> m_read_back;  ///< by columns
};

/// Nearest IEEE half or bfloat16 value, ties to even.
double round_fp16(double v);
double round_bf16(double v);

}  // namespace memwall::cim
