// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/rescale.h"

#include <algorithm>
#include <cmath>

namespace memwall::dram {
namespace {

// Delays of cells, rows and banks, with what the controller has to keep because of them.
constexpr int timing::*cell_delays[] = {
    &timing::CL,    &timing::CWL,   &timing::RCDRD,    &timing::RCDWR, &timing::RP,    &timing::RAS,   &timing::RC,
    &timing::RPab,  &timing::CCD_L, &timing::CCD_L_WR, &timing::RRD_S, &timing::RRD_L, &timing::FAW,   &timing::WTR_S,
    &timing::WTR_L, &timing::RTP,   &timing::WR,       &timing::RTW,   &timing::RFC,   &timing::RFCpb, &timing::RREFD};
constexpr int timing::*intervals[] = {&timing::REFI, &timing::REFIpb};

/// Clocks that take at least as long as before, but for the 3 % of a clock that the standards' rounding allows.
int clocks(int before, double scale) {
  if (before == 0) return 0;  // there is no such constraint
  return std::max(1, static_cast<int>(std::ceil(before * scale - 0.03)));
}

}  // namespace

standard rescale(const standard& s, double data_rate, double timing_scale) {
  standard out = s;
  const double faster = data_rate > 0 ? data_rate / (s.data_rate_mbps * 1e6) : 1;
  if (faster == 1 && timing_scale == 1) return out;
  out.data_rate_mbps *= faster;
  out.t.tck_fs = std::max<std::int64_t>(1, std::llround(static_cast<double>(s.t.tck_fs) / faster));
  // By the clock as it has become, so that rounding it does not shift what is given in nanoseconds.
  const double grown = static_cast<double>(s.t.tck_fs) / static_cast<double>(out.t.tck_fs);
  for (const auto delay : cell_delays) out.t.*delay = clocks(s.t.*delay, grown * timing_scale);
  // Same-group bursts follow each other no faster than any two do.
  out.t.CCD_L = std::max(out.t.CCD_L, out.t.CCD_S);
  out.t.CCD_L_WR = std::max(out.t.CCD_L_WR, out.t.CCD_S_WR);
  for (const auto interval : intervals) out.t.*interval = clocks(s.t.*interval, grown);
  if (faster > 1) out.queue = static_cast<int>(std::min(4096.0, std::ceil(s.queue * faster)));
  return out;
}

}  // namespace memwall::dram
