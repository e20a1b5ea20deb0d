// SPDX-License-Identifier: Apache-2.0
// The causes to which every picosecond of an operator is booked.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "hw/common/quantity.h"

namespace memwall {

enum class stall : std::uint8_t {
  compute,            ///< arithmetic of a core or vector unit
  launch,             ///< kernel launch: front end, fill and drain of the core
  host,               ///< the runtime on the host: it schedules, samples, synchronises, copies operands
  all_reduce,         ///< an all-reduce's start, handshakes, steps and pace; its bytes on the wire are on the link
  core_requests,      ///< the core's own limit of outstanding requests or fill bandwidth
  bus_wait,           ///< waiting for the bus to be granted
  bus_transfer,       ///< beats on the bus
  link,               ///< latency, waiting for and bytes on a point-to-point link
  page_fault,         ///< handling of page faults by a driver; the copies are on the link
  dram_queue,         ///< behind requests of other initiators, or for room in the controller
  dram_data,          ///< data beats of the channel (own stream)
  dram_latency,       ///< CAS latency and controller pipeline
  dram_row_miss,      ///< ACT of a closed bank
  dram_row_conflict,  ///< PRE + ACT of a bank with another row open
  dram_bank_group,    ///< tCCD_L: next burst in the same bank group
  dram_activate,      ///< tRRD, tFAW: too many activations
  dram_refresh,
  dram_turnaround,  ///< read/write or rank-to-rank
  cim_input,        ///< input vectors into the macros' drivers
  cim_array,        ///< array read and settling
  cim_adc,          ///< conversion
  cim_digital,      ///< shift-add, accumulation of partial sums
  cim_program,      ///< writing weights into macros
  dependency,       ///< waiting for another operator
  idle,
  count_
};

constexpr std::size_t stall_count = static_cast<std::size_t>(stall::count_);

constexpr const char* stall_name(stall s) {
  constexpr const char* names[stall_count] = {"compute",
                                              "launch",
                                              "host",
                                              "all_reduce",
                                              "core_requests",
                                              "bus_wait",
                                              "bus_transfer",
                                              "link",
                                              "page_fault",
                                              "dram_queue",
                                              "dram_data",
                                              "dram_latency",
                                              "dram_row_miss",
                                              "dram_row_conflict",
                                              "dram_bank_group",
                                              "dram_activate",
                                              "dram_refresh",
                                              "dram_turnaround",
                                              "cim_input",
                                              "cim_array",
                                              "cim_adc",
                                              "cim_digital",
                                              "cim_program",
                                              "dependency",
                                              "idle"};
  return names[static_cast<std::size_t>(s)];
}

/// Time by cause, in picoseconds.
struct stall_stack {
  std::array<ps_t, stall_count> part{};
  ps_t& operator[](stall s) { return part[static_cast<std::size_t>(s)]; }
  ps_t operator[](stall s) const { return part[static_cast<std::size_t>(s)]; }
  ps_t sum() const { return std::accumulate(part.begin(), part.end(), ps_t{0}); }
  stall_stack& operator+=(const stall_stack& o) {
    for (std::size_t i = 0; i < stall_count; ++i) part[i] += o.part[i];
    return *this;
  }
};

/// Splits `total` in the proportions of `weights` (all >= 0), in whole picoseconds that sum to `total` exactly (largest
/// remainder; ties go to the earlier cause). All weights zero: everything goes to `otherwise`.
stall_stack apportion(ps_t total, const stall_stack& weights, stall otherwise);

}  // namespace memwall
