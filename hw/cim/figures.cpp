// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/figures.h"

#include <cmath>

namespace memwall::cim {
namespace {

constexpr std::int64_t bank_side = 4096;  // of the square matrix DRAM banks are measured with
constexpr double seconds_a_day = 86400;
constexpr double bits_a_mb = 1048576;
constexpr std::int64_t steady_vectors = 64;

}  // namespace

macro_figures figures(const macro& m, int in_bits, int w_bits, int out_bits) {
  const geometry g = m.shape(w_bits);
  mvm_shape s;
  s.rows = g.flexible ? std::min(bank_side, g.weights / g.col_quantum) : g.rows;
  s.cols = g.flexible ? std::min(bank_side, g.weights / s.rows) : g.cols;
  s.in_bits = in_bits;
  s.w_bits = w_bits;
  s.out_bits = out_bits;
  s.vectors = steady_vectors;
  const mvm_cost c = m.mvm(s);
  const double vectors = static_cast<double>(s.vectors),
               macs = static_cast<double>(s.rows) * static_cast<double>(s.cols);
  macro_figures f;
  f.mvm_ns = static_cast<double>(c.interval) * 1e-3;
  f.energy_pj = c.energy.sum() / vectors;
  f.tops = 2 * macs / f.mvm_ns * 1e-3;
  f.peak_tops = std::max(f.tops, 2 * m.peak_macs_per_s() * 1e-12);
  f.tops_per_w = f.energy_pj > 0 ? 2 * macs / f.energy_pj : 0;
  f.area_mm2 = m.area().sum();
  if (f.area_mm2 > 0) {
    f.tops_per_mm2 = f.tops / f.area_mm2;
    f.mb_per_mm2 = static_cast<double>(g.weights) * w_bits / bits_a_mb / f.area_mm2;
  }
  f.energy_per_mac_fj = f.energy_pj / macs * 1e3;
  return f;
}

double endurance_per_day(const macro& m, double programmings_per_s) {
  return std::isinf(m.endurance()) ? 0 : programmings_per_s * seconds_a_day / m.endurance();
}

double lifetime_days(const macro& m, double programmings_per_s) {
  const double used = endurance_per_day(m, programmings_per_s);
  return used > 0 ? 1 / used : std::numeric_limits<double>::infinity();
}

}  // namespace memwall::cim
