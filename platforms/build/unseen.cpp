// SPDX-License-Identifier: Apache-2.0
#include "platforms/build/unseen.h"

#include <algorithm>
#include <cmath>

namespace memwall::platforms {
namespace {

/// How many times as much there was as was simulated; 1 where nothing was.
double growth(std::int64_t simulated, std::int64_t unseen) {
  return simulated > 0 ? 1 + static_cast<double>(unseen) / static_cast<double>(simulated) : 1.0;
}

template <class Count>
void grow(Count& n, double times) {
  n = static_cast<Count>(std::llround(static_cast<double>(n) * times));
}

/// Time by cause: what is not idle grows, the sum stays.
void grow_busy(stall_stack& s, double times) {
  const ps_t whole = s.sum();
  stall_stack more = s;
  more[stall::idle] = 0;
  for (ps_t& p : more.part) grow(p, times);
  if (more.sum() > whole) more = apportion(whole, more, stall::idle);
  more[stall::idle] += whole - more.sum();
  s = more;
}

}  // namespace

moved_bytes sum_of(const unseen_traffic& t) {
  moved_bytes out;
  for (const auto& [unused, moved] : t) out += moved;
  return out;
}

dram_report with_unseen(dram_report r, const unseen_traffic& t, int ranks) {
  if (t.empty()) return r;
  const moved_bytes more = sum_of(t);
  const double reads = growth(r.read_bytes.sum(), more.read.sum()),
               writes = growth(r.write_bytes.sum(), more.written.sum()),
               all = growth(r.read_bytes.sum() + r.write_bytes.sum(), more.both().sum());
  r.read_bytes += more.read;
  r.write_bytes += more.written;
  grow(r.transfers, all);
  for (ps_t* time : {&r.busy_ps, &r.withheld_ps}) {
    grow(*time, all);
    *time = std::min(*time, r.elapsed_ps);
  }
  auto& m = r.memory;
  using dram::command;
  for (std::size_t c = 0; c < dram::command_count; ++c) {
    const auto kind = static_cast<command>(c);
    if (kind == command::REFab || kind == command::REFpb) continue;
    const bool read = kind == command::RD || kind == command::RDA, write = kind == command::WR || kind == command::WRA;
    grow(m.commands[c], read ? reads : write ? writes : all);
  }
  grow(m.reads, reads);
  grow(m.bytes_read, reads);
  grow(m.writes, writes);
  grow(m.bytes_written, writes);
  for (std::int64_t* count : {&m.row_hits, &m.row_misses, &m.row_conflicts, &m.data_clocks, &m.active_clocks})
    grow(*count, all);
  const double clocks = static_cast<double>(m.time) * 1e3 / static_cast<double>(m.tck_fs);
  m.active_clocks = std::min(m.active_clocks, static_cast<std::int64_t>(clocks * ranks));
  grow_busy(m.by_cause, all);
  return r;
}

bus_report with_unseen(bus_report r, const unseen_traffic& t) {
  if (t.empty()) return r;
  const traffic_bytes more = sum_of(t).both();
  const double all = growth(r.bytes, more.sum());
  r.bytes_by_class += more;
  r.bytes += more.sum();
  r.energy_pj *= all;
  r.utilization = std::min(1.0, r.utilization * all);
  for (std::size_t i = 0; i < r.initiators.size(); ++i) {
    fabric_port_report& port = r.initiators[i];
    const auto found = t.find(port.name);
    if (found == t.end()) continue;
    const double times = growth(port.read_bytes.sum() + port.write_bytes.sum(), found->second.both().sum());
    port.read_bytes += found->second.read;
    port.write_bytes += found->second.written;
    grow(port.transfers, times);
    grow(port.wait.count, times);
    grow(port.round_trip.count, times);
    grow(port.busy_ps, times);
    for (ps_t& waited : r.waited_for[i]) grow(waited, times);
  }
  for (auto& target : r.targets) {
    grow(target.transfers, all);
    grow(target.bytes, all);
    grow(target.blocked_ps, all);
  }
  for (auto& channel : r.channels) {
    grow(channel.bytes, all);
    grow(channel.busy_ps, all);
    channel.busy_ps = std::min(channel.busy_ps, r.elapsed_ps);
  }
  return r;
}

}  // namespace memwall::platforms
