// SPDX-License-Identifier: Apache-2.0
// One simulation: a platform, a trace, a result. One a process (SystemC).
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "platforms/hardware.h"
#include "platforms/placement.h"

namespace memwall::platforms {

constexpr const char* result_schema = "memwall-result-1";

struct progress {
  std::uint64_t operators_done = 0;
  std::int64_t operators_total = -1;  ///< -1: unknown
  ps_t simulated = 0;
};

struct run_options {
  platform_description platform;
  trace_source source;
  std::string command;              ///< for provenance
  std::string transfer_bytes = "auto";  ///< auto | burst | a number of bytes
  bool replay = true;
  std::uint64_t seed = 1;
  std::string version;
  std::string vcd_file, vcd_window;  ///< "" none; window "" all, "10us:12us", "layers.3.*"
  std::string save_file;             ///< GTKWave save file for it, which names waves.vcd
  std::int64_t vcd_limit = 100'000'000;     ///< bytes
  std::string vcd_channels = "0";           ///< of each DRAM, shown down to commands and banks: "none", "all", "0,4-7"
  std::int64_t vcd_commands = 2'000'000;    ///< of all DRAMs together, that are looked at for it
  std::string timeline_file;
  std::string timeline_window;  ///< where single transfers are shown; "auto": the VCD's window, else the first ones
  std::size_t max_layers = 20'000;   ///< operators listed in the result; the CSV has all of them
  std::function<void(const std::string& line)> csv;      ///< one line an operator, as they end; unset: none
  std::function<void(const progress&)> on_progress;      ///< called now and then; unset: none
  const std::atomic<bool>* interrupted = nullptr;        ///< set from a signal handler: stop and report what is there
};

struct run_outcome {
  json result;
  bool partial = false;  ///< interrupted
};

/// Throws input_error, capacity_error; std::runtime_error for a deadlock (with what everybody waits for).
run_outcome run(const run_options& options);

/// First line of layers.csv.
std::string csv_header();

}  // namespace memwall::platforms
