// SPDX-License-Identifier: Apache-2.0
// The defined traffic that simulators are compared with, and the timing sets that all of them were given.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "hw/dram/memory.h"

namespace memwall::dram::traffic {

/// 64-bit mixing function of the random pattern (SplitMix64's finaliser).
inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// Clock cycles given to Ramulator 2.1 and DRAMSys 5.5 alike: 8 Gb x8 DDR4-3200.
inline standard ddr4_3200() {
  standard s;
  s.name = "DDR4-3200 (equal)";
  timing& t = s.t;
  t.tck_fs = 625'000;
  t.BL = 4, t.CL = 22, t.CWL = 16, t.RCDRD = t.RCDWR = 22, t.RP = 22, t.RAS = 52, t.RC = 74;
  t.CCD_S = t.CCD_S_WR = 4, t.CCD_L = t.CCD_L_WR = 8, t.RRD_S = 4, t.RRD_L = 8, t.FAW = 34;
  t.WTR_S = 4, t.WTR_L = 12, t.RTP = 12, t.WR = 24, t.RFC = 560, t.REFI = 12480;
  s.org = organisation{};
  s.org.rows = 65536;
  return s;
}

/// 4 Gb x8 DDR4-2400.
inline standard ddr4_2400() {
  standard s = ddr4_3200();
  s.name = "DDR4-2400 (equal)";
  timing& t = s.t;
  t.tck_fs = 833'000;
  t.CL = 16, t.CWL = 12, t.RCDRD = t.RCDWR = 16, t.RP = 16, t.RAS = 39, t.RC = 55;
  t.CCD_L = t.CCD_L_WR = 6, t.RRD_L = 6, t.FAW = 26, t.WTR_S = 3, t.WTR_L = 9, t.RTP = 9, t.WR = 18;
  t.RFC = 312, t.REFI = 9360;
  s.org.rows = 32768;
  return s;
}

/// HBM2-2000, two pseudo-channels behind one queue and one pair of command buses, as both tools model it.
inline standard hbm2_2000() {
  standard s;
  s.name = "HBM2-2000 (equal)";
  timing& t = s.t;
  t.tck_fs = 1'000'000;
  t.BL = 2, t.CL = 14, t.CWL = 5, t.RCDRD = 14, t.RCDWR = 12, t.RP = 14, t.RAS = 34, t.RC = 48;
  t.CCD_S = t.CCD_S_WR = 2, t.CCD_L = t.CCD_L_WR = 4, t.RRD_S = t.RRD_L = 4, t.FAW = 15;
  t.WTR_S = 6, t.WTR_L = 8, t.RTP = 5, t.WR = 16, t.RTW = 13, t.RFC = 260, t.REFI = 3900;
  t.ACT_CK = 2, t.dual_command_bus = true;
  s.org.data_bits = 64, s.org.burst_beats = 4, s.org.ranks = 2, s.org.pseudo_channels = 2;
  s.org.rows = 32768, s.org.columns = 32;
  return s;
}

inline address_map map_of(const standard& s, const std::string& expression, int channels = 1) {
  return address_map({expression, channels, s.org.access_bytes()}, s.org);
}

struct result {
  ps_t end = 0;  ///< completion of the last request
  statistics stats;
  std::vector<completion> completions;
};

/// Offers transfers in order, as many as the memory accepts; a transfer with a later arrival waits for it.
template <class Next>
result offer(memory& m, std::int64_t n, Next&& next, bool keep = false) {
  result out;
  std::vector<completion> done;
  std::int64_t submitted = 0;
  ps_t now = 0;
  while (submitted < n || m.in_flight() > 0) {
    while (submitted < n && m.can_accept()) {
      transfer t = next(submitted++);
      t.arrival = std::max(t.arrival, now);
      m.submit(t);
    }
    const ps_t bound = m.advance(now);
    if (bound == never && submitted >= n && m.in_flight() > 0 && m.advance(now) == never) {
      // Nothing can happen any more: what is left has been done by now, or is lost (the caller sees too few
      // completions).
      done.clear();
      m.take_completions(done);
      if (done.empty()) break;
      for (const auto& c : done) out.end = std::max(out.end, c.done);
      if (keep) out.completions.insert(out.completions.end(), done.begin(), done.end());
      continue;
    }
    if (bound != never) now = bound;
    m.advance(now);
    done.clear();
    m.take_completions(done);
    for (const auto& c : done) out.end = std::max(out.end, c.done);
    if (keep) out.completions.insert(out.completions.end(), done.begin(), done.end());
  }
  out.stats = m.stats(std::max(now, out.end));
  return out;
}

/// Request i of pattern a to e.
inline transfer request(char pattern, std::int64_t i, const standard& s) {
  const auto n = static_cast<std::uint64_t>(i);
  const auto size = static_cast<std::uint64_t>(s.org.access_bytes());
  // Clocks a request at peak, over all data buses of the channel.
  const ps_t peak_fs = std::max(s.t.BL, s.t.CCD_S) * s.t.tck_fs / s.org.pseudo_channels;
  transfer t;
  t.bytes = size;
  t.id = n;
  switch (pattern) {
    case 'b':
      t.address = mix(n) % ((1ull << 30) / size) * size;
      break;
    case 'c': {
      const std::uint64_t group = n / 3, r = n % 3;
      t.write = r == 2;
      t.address = t.write ? (512ull << 20) + group * size : (2 * group + r) * size;
      break;
    }
    case 'd':
      t.address = n * size, t.arrival = i * (2 * peak_fs) / 1000;
      break;
    case 'e':
      t.address = n * size, t.arrival = i * (100 * peak_fs) / 1000;
      break;
    default:
      t.address = n * size;
      break;
  }
  return t;
}

inline result run(char pattern, std::int64_t n, const standard& s, const address_map& map, const controller_params& p) {
  memory m(s, map, p);
  return offer(m, n, [&](std::int64_t i) { return request(pattern, i, s); });
}

}  // namespace memwall::dram::traffic
