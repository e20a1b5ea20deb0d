// SPDX-License-Identifier: Apache-2.0
// A standard at another speed: what would a memory do whose pins, or whose cells, were faster?
#pragma once
#include "hw/dram/standard.h"

namespace memwall::dram {

/// The pins at `data_rate` bits a second (0: as they are), the cells with `timing_scale` times their delays. What a
/// burst takes follows the pins (burst length, tCCD_S, the gaps between bursts stay in clocks); what cells and sense
/// amplifiers take stays in nanoseconds, times the scale. The interval of refreshes is the cells' leakage: it stays.
/// The queue grows with the bursts that a row change hides behind.
standard rescale(const standard& s, double data_rate, double timing_scale);

}  // namespace memwall::dram
