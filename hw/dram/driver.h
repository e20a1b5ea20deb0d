// SPDX-License-Identifier: Apache-2.0
// The DRAM model on its own: defined traffic or a trace file in, bandwidth, latency, commands and energy out.
// `memwall dram` is a thin command line around this.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hw/common/config.h"
#include "hw/dram/controller.h"
#include "hw/dram/energy.h"
#include "hw/dram/memory.h"
#include "hw/dram/standard.h"

namespace memwall::dram {

/// One request of the driver's traffic.
struct request {
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
  bool write = false;
  ps_t not_before = 0;
};

/// Requests in order. Sources are cheap to copy from the start again by making a new one.
class traffic {
 public:
  virtual ~traffic() = default;
  virtual bool next(request& r) = 0;
  /// All of it as one transfer (patterns seq, a, d, e; mixes on one channel), which the memory takes in one piece: same
  /// bursts, same order, same times. bytes 0: it is not of that kind.
  virtual transfer as_one() const { return {}; }
};

/// What defines a pattern. `size` is the request size, `peak` bytes a second of all channels.
///
// clang-format off
///   seq            request i reads i x size
///   random         request i reads (mix(i + seed) mod (capacity / size)) x size
///   stride:BYTES   request i reads i x BYTES, wrapping at the capacity
///   mix:R:W        R sequential reads, then W sequential writes from 512 MiB on, repeating; mix:2:1 is pattern c
///
///   a   seq, 1,000,000 requests
///   b   200,000 random reads within 1 GiB
///   c   1,000,000 of R R W
///   d   a at 50 % of peak
///   e   100,000 of a at 1 % of peak
// clang-format on
///
/// mix() is the SplitMix64 finaliser; a to e are the traffic that other simulators have been run with, see
/// README.md.
struct pattern_params {
  std::string pattern = "seq";
  std::int64_t requests = 0;  ///< 0: the pattern's own number, or 1,000,000
  std::int64_t size = 0;      ///< bytes a request; 0: the standard's access size
  double load = 0;            ///< offered share of peak; 0: back-to-back, all requests wait from the beginning
  std::uint64_t seed = 0;
};
/// Throws input_error for a pattern that is none.
std::unique_ptr<traffic> make_pattern(const pattern_params& p, const standard& s, const address_map& map);

/// Reads a request trace, one request a line; blank lines and lines that start with # are skipped. Formats,
/// told apart by the first request (the rest must be like it):
///   0xADDR R|W [CYCLE]        Ramulator 1, DRAMsim3 (READ/WRITE, cycle)
///   R|W ADDR [CYCLE]          Ramulator 2 (LD/ST)
///   CYCLE: [(BYTES)] read|write 0xADDR [DATA]     DRAMSys .stl; .rstl: cycles count from the request before
///   CYCLE 0xADDR R|W, CYCLE R|W 0xADDR            the usual columns, told apart by the 0x
/// Operations: R W RD WR READ WRITE LD ST LOAD STORE, and P_MEM_RD P_FETCH P_LOCK_RD P_LOCK_WR IFETCH (reads),
/// P_MEM_WR BOFF (writes), in any case. Columns are separated by white space or by commas, not by both. Addresses:
/// decimal, or hexadecimal with 0x (DRAMSys: always hexadecimal); without a size of its own a request is the access
/// that holds its address. Cycles are clocks of the standard; a request enters no earlier than its cycle. Errors name
/// file and line.
std::unique_ptr<traffic> open_trace(const std::string& path, const standard& s, const address_map& map,
                                    std::int64_t size, std::int64_t limit);

struct driver_params {
  std::string standard = "DDR4-3200";  ///< name or file
  config::node changes;                ///< to the standard, see load_standard
  int channels = 1;
  std::string map;  ///< "": the standard's default
  std::int64_t interleave = 256;
  controller_params controller;
  pattern_params pattern;
  std::string trace;           ///< file; takes the pattern's place
  std::function<bool()> stop;  ///< asked now and then: end soon, with what is there
};

struct driver_result {
  standard spec;
  std::string map;      ///< in full
  std::string traffic;  ///< pattern or trace
  std::int64_t requests = 0;
  ps_t time = 0;         ///< completion of the last request
  double bandwidth = 0;  ///< bytes a second, requested bytes over time
  double peak = 0;       ///< bytes a second, all channels
  statistics stats;
  energy_breakdown energy;
  std::string bound_by;
  double wall_s = 0;         ///< the simulation alone, without loading anything
  bool interrupted = false;  ///< not all requests were served
};

/// Runs it. `listener` (may be null) sees every command; replay is off then.
driver_result run_driver(const driver_params& p, command_listener* listener = nullptr);

/// One object; the keys of the README, stable. Times in nanoseconds, energies in picojoules.
nlohmann::ordered_json to_json(const driver_result& r);
/// The same as a table for people.
std::string to_text(const driver_result& r);

/// Writes commands as "cycle,command,channel,rank,bank_group,bank,row,column" lines to a temporary name;
/// finish() gives the file its name. Throws input_error when it cannot be written.
class command_file : public command_listener {
 public:
  explicit command_file(const std::string& path);
  ~command_file() override;
  void on_command(const command_record& c) override;
  void finish();

 private:
  struct impl;
  std::unique_ptr<impl> m;
};

}  // namespace memwall::dram
