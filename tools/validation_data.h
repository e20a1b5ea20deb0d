// SPDX-License-Identifier: Apache-2.0
// The published measurements that memwall carries, and how each of them is simulated.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace memwall::tools {

/// A line of platforms/validation/measured.csv, of npu.csv or of racks.csv. The columns are described in
/// platforms/validation/README.md.
struct measured_row {
  std::string id, category, hardware, model, dtype;
  std::int64_t batch = 1, prompt = 0, context = 0, generated = 1, chunk = 0, reserve_mib = 0;
  std::string metric;
  double value = 0;
  std::string unit, software, source, trust, kind, set;
};

/// A line of platforms/validation/kernels.csv: y[m, n] = x[m, k] W[k, n], timed on its own.
struct kernel_row {
  std::string id, hardware;
  std::int64_t m = 1, k = 1, n = 1;
  std::string dtype;
  double time_us = 0;
  std::string source, kind;
};

/// A line of platforms/validation/attention.csv: one layer's attention, timed on its own. decode: one query a sequence
/// over `length` cached positions; prefill: a prompt of that length.
struct attention_row {
  std::string id, hardware, phase;
  std::int64_t heads = 1, kv_heads = 1, head_size = 1, batch = 1, length = 1;
  std::string dtype;
  double time_us = 0;
  std::string source, kind;
};

/// A line of platforms/validation/experts.csv: what a layer's experts take for `tokens` rows of `hidden` values, each
/// of which goes to `choices` of them: choice, sorting, both products, activation and sum. tiles: how the runtime comes
/// to its kernels' tiles, "tuned" for the shape or by a "rule".
struct expert_row {
  std::string id, hardware;
  std::int64_t tokens = 1, experts = 1, choices = 1, hidden = 1, ffn = 1;
  std::string dtype, tiles;
  double time_us = 0;
  std::string source, kind;
};

/// A line of platforms/validation/energy.csv: what the boards draw in steady state, by their own meters. A step decodes
/// `batch` tokens at `context` positions; for every `generated` tokens of a sequence the `prompt` of the next is
/// computed in one of the steps, beside the others' tokens.
struct energy_row {
  std::string id, hardware, model, dtype;
  std::int64_t batch = 1, prompt = 0, context = 1, generated = 1;
  double token_ms = 0;  ///< time of a step, the mean: sequences by the tokens of all of them a second
  double watts = 0, joules_per_token = 0;  ///< watts: of each board; joules: of all of them
  std::string software, source, kind;

  /// By how many prompts they compute, the share of the steps: on average batch / generated, as even as whole prompts
  /// can be.
  std::map<std::int64_t, double> steps() const;
};

/// A line of platforms/validation/collectives.csv: an all-reduce of `bytes` on each of the devices, timed on its own.
struct collective_row {
  std::string id, hardware;
  std::int64_t bytes = 0;
  double time_us = 0;
  std::string source, kind;
};

/// One call of `memwall run`: its words after the program's name. Equal calls are run once.
using run_words = std::vector<std::string>;

/// The platform (preset and --set) that stands for a row's hardware and software.
struct setup {
  std::string platform;
  std::vector<std::string> sets;
};

class validation_data {
 public:
  /// Reads the carried files; throws input_error naming file and line.
  validation_data();
  /// Reads other files of the same form.
  validation_data(const std::string& measured, const std::string& kernels, const std::string& collectives,
                  const std::string& attention, const std::string& energy, const std::string& setups);

  const std::vector<measured_row>& rows() const { return m_rows; }
  const std::vector<kernel_row>& kernels() const { return m_kernels; }
  const std::vector<collective_row>& collectives() const { return m_collectives; }
  const std::vector<attention_row>& attention() const { return m_attention; }
  const std::vector<energy_row>& energy() const { return m_energy; }
  const std::vector<expert_row>& experts() const { return m_experts; }

  /// Throws input_error when no entry of setups.yaml matches.
  setup setup_of(const measured_row& r) const;
  setup setup_of_kernels(const std::string& hardware) const;  ///< 16-bit kernels and collectives: no runtime
  setup setup_of(const kernel_row& k) const;
  setup setup_of(const attention_row& r) const;
  setup setup_of(const energy_row& r) const;
  setup setup_of(const expert_row& r) const;

  /// The runs whose times make the row's value: prefill (empty where the row has none), decode (likewise).
  std::pair<run_words, run_words> runs_of(const measured_row& r) const;
  /// A step without a prompt; and one that a trace holds, without the runtime's work before it.
  run_words step_of(const energy_row& r) const;
  run_words step_of(const energy_row& r, const std::string& trace_file) const;
  /// Boards that the row's hardware has.
  std::int64_t boards(const std::string& hardware) const;
  /// Whether a component of a result's energy ("gpu0.l2") is of the boards and not of their host.
  bool on_a_board(const std::string& component) const;

  /// The row's value from the times of its runs in seconds (0 where there is none).
  static double value_of(const measured_row& r, double prefill_s, double decode_s);

 private:
  struct software_entry {
    std::string match, hardware, software, parallel;
    std::vector<std::string> sets;
  };
  struct hardware_entry {
    std::string match, platform;
    std::int64_t devices = 0;
    std::vector<std::string> sets;  ///< what fewer devices change beside their number
  };
  void read_measured(const std::string& file);
  void read_experts(const std::string& file);
  setup combine(const std::string& hardware, const software_entry& s, std::int64_t reserve_mib) const;
  const hardware_entry* entry_of(const std::string& hardware) const;
  const software_entry& software_of(const std::string& software, const std::string& hardware) const;

  std::vector<measured_row> m_rows;
  std::vector<kernel_row> m_kernels;
  std::vector<collective_row> m_collectives;
  std::vector<attention_row> m_attention;
  std::vector<energy_row> m_energy;
  std::vector<expert_row> m_experts;
  std::vector<hardware_entry> m_hardware;
  std::vector<software_entry> m_software;
  software_entry m_kernel_software, m_byte_kernel_software;
  std::vector<software_entry> m_attention_software, m_expert_software;
  std::vector<std::string> m_per_device, m_board;
  std::string m_setups_file;
};

/// calibration or validation, by the row's name alone: FNV-1a (32 bit) of the id, shifted right by 8, divisible by 6.
std::string kind_of(const std::string& id);

}  // namespace memwall::tools
