// SPDX-License-Identifier: Apache-2.0
// The figures macros are compared by.
#pragma once
#include "hw/cim/macro.h"

namespace memwall::cim {

/// One full-size MVM after another on one macro. An operation is a multiply or an add: a MAC is two.
struct macro_figures {
  double mvm_ns = 0;     ///< one vector, steady state
  double energy_pj = 0;  ///< one vector, leakage included
  double tops = 0;
  double peak_tops = 0;  ///< what no shape exceeds
  double tops_per_w = 0;
  double tops_per_mm2 = 0;  ///< 0 when the area is not known
  double area_mm2 = 0;
  double mb_per_mm2 = 0;  ///< weight bits stored, 2^20 a Mb
  double energy_per_mac_fj = 0;
};

/// `out_bits` 0: natural. DRAM banks: a square matrix (4096 x 4096 on one channel).
macro_figures figures(const macro& m, int in_bits, int w_bits, int out_bits = 0);

/// Share of a cell's endurance used in a day when a macro is reprogrammed `programmings_per_s` times a
/// second; 0: no wear.
double endurance_per_day(const macro& m, double programmings_per_s);
/// Days until the endurance is used up; infinite without wear.
double lifetime_days(const macro& m, double programmings_per_s);

}  // namespace memwall::cim
