// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/energy.h"

namespace memwall::dram {

energy_breakdown energy_of(const statistics& s, const standard& spec) {
  const energy_table& e = spec.energy;
  const auto n = [&](command c) { return static_cast<double>(s.count(c)); };
  energy_breakdown out;
  out.activate = n(command::ACT) * e.act_pj;
  const double reads = n(command::RD) + n(command::RDA), writes = n(command::WR) + n(command::WRA);
  out.read = reads * e.read_pj;
  out.write = writes * e.write_pj;
  out.io = reads * e.io_read_pj + writes * e.io_write_pj;
  out.refresh = n(command::REFab) * e.refresh_pj + n(command::REFpb) * e.refresh_pb_pj;
  // mW x ps = 1e-3 pJ; a clock is tck_fs x 1e-3 ps.
  out.background = e.background_mw * s.channels * static_cast<double>(s.time) * 1e-3 +
                   e.active_mw * static_cast<double>(s.active_clocks) * static_cast<double>(s.tck_fs) * 1e-6;
  return out;
}

energy_table energy_from_idd(const idd_currents& idd, const timing& t, const organisation& org) {
  const double tck_ns = static_cast<double>(t.tck_fs) * 1e-6;
  const double rc = t.RC * tck_ns, ras = t.RAS * tck_ns, burst = t.BL * tck_ns, rfc = t.RFC * tck_ns;
  energy_table e;  // mA x V x ns = pJ
  e.act_pj =
      idd.devices * (idd.vdd * (idd.idd0 * rc - idd.idd3n * ras - idd.idd2n * (rc - ras)) + idd.vpp * idd.ipp0 * rc);
  e.read_pj = idd.devices * idd.vdd * (idd.idd4r - idd.idd3n) * burst;
  e.write_pj = idd.devices * idd.vdd * (idd.idd4w - idd.idd3n) * burst;
  e.refresh_pj = idd.devices * idd.vdd * (idd.idd5b - idd.idd2n) * rfc;
  e.background_mw = idd.devices * idd.vdd * idd.idd2n * org.ranks;
  e.active_mw = idd.devices * idd.vdd * (idd.idd3n - idd.idd2n);
  return e;
}

}  // namespace memwall::dram
