// SPDX-License-Identifier: Apache-2.0
// Energy of a DRAM memory: command counts and time, times the standard's energy table.
#pragma once
#include "hw/dram/standard.h"
#include "hw/dram/statistics.h"

namespace memwall::dram {

/// By kind, in picojoules, over all channels.
struct energy_breakdown {
  double activate = 0;         ///< ACT and its PRE
  double read = 0, write = 0;  ///< array to interface and back
  double io = 0;               ///< drivers and termination
  double refresh = 0;
  double background = 0;  ///< standby, and what open rows add to it
  double total() const { return activate + read + write + io + refresh + background; }
};

/// Energy of everything that `s` counted on memories of this standard. Linear in the counts, so that replayed and
/// simulated runs give the same.
energy_breakdown energy_of(const statistics& s, const standard& spec);

/// Currents of a data sheet, in milliamperes a device; `devices` share one channel's data bus (a rank).
struct idd_currents {
  double vdd = 1.2, vpp = 0;  ///< volts
  double idd0 = 0, idd2n = 0, idd3n = 0, idd4r = 0, idd4w = 0, idd5b = 0, ipp0 = 0;
  double devices = 1;
};

/// The energy that each command adds to standby, as Micron TN-40-07 derives it: an activation is IDD0 over tRC less the
/// standby currents of its two parts; a burst is IDD4 less IDD3N over BL; a refresh is IDD5B less IDD2N over tRFC.
/// Interface energy is not in these currents: io_* stay 0.
energy_table energy_from_idd(const idd_currents& idd, const timing& t, const organisation& org);

}  // namespace memwall::dram
