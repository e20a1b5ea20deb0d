// SPDX-License-Identifier: Apache-2.0
// What is asked of one simulation, besides its platform's description: trace, fidelity, observation.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hw/common/quantity.h"
#include "platforms/describe/description.h"
#include "traces/op_source.h"
#include "traces/trace.h"

namespace memwall::platforms {

struct memory_slot;

/// Opens the trace from its beginning; asked several times (placement, mapping, the run).
using trace_source = std::function<std::unique_ptr<trace::op_stream>()>;

struct progress {
  std::uint64_t operators_done = 0;
  std::int64_t operators_total = -1;  ///< -1: unknown
  ps_t simulated = 0;
};

struct run_options {
  platform_description platform;
  trace_source source;  ///< places the tensors by what its operators use; they are the run's, unless:
  /// Operators that depend on the time (a server of requests). Same tensors as the trace.
  std::function<std::unique_ptr<trace::op_source>()> operators;
  /// Told of the memories when they are made, before the trace is asked for: it may depend on them.
  std::function<void(const std::vector<memory_slot>&)> on_memories;
  /// The preset as it stands runs a model's workload: what the validation measured. False: what it found is a
  /// neighbour's.
  bool as_validated = true;
  std::string command;                  ///< for provenance
  std::string transfer_bytes = "auto";  ///< auto | burst | a number of bytes
  bool replay = true;
  bool reuse = false;         ///< of outcomes of operators that are alike: a few of each kind are simulated
  double reuse_bound = 0.01;  ///< relative error that this may bring
  std::uint64_t seed = 1;
  std::string version;
  std::string vcd_file, vcd_window;       ///< "" none; window "" all, "10us:12us", "layers.3.*"
  std::string save_file;                  ///< GTKWave save file for it, which names waves.vcd
  std::int64_t vcd_limit = 100'000'000;   ///< bytes
  std::string vcd_channels = "0";         ///< of each DRAM, shown down to commands and banks: "none", "all", "0,4-7"
  std::int64_t vcd_commands = 2'000'000;  ///< of all DRAMs together, that are looked at for it
  std::string timeline_file;
  std::string timeline_window;      ///< where single transfers are shown; "auto": the VCD's window, else the first ones
  std::size_t max_layers = 20'000;  ///< operators listed in the result; the CSV has all of them
  std::function<void(const std::string& line)> csv;  ///< one line an operator, as they end; unset: none
  std::function<void(const progress&)> on_progress;  ///< called now and then; unset: none
  std::function<bool()> stop_asked;                  ///< called some times a second; true: report what is there
};

}  // namespace memwall::platforms
