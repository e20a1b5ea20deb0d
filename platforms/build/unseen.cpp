// SPDX-License-Identifier: Apache-2.0
#include "platforms/build/unseen.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

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

/// visit() each figure of a tally_figures, in its order.
template <class Transfers, class Time, class Memory, class Visit>
void for_each_figure(Transfers& transfers, Time& busy, Time& withheld, Memory& m, Visit&& visit) {
  using dram::command;
  visit(transfers);
  visit(busy);
  visit(withheld);
  for (const command c : {command::ACT, command::PRE, command::PREA}) visit(m.commands[static_cast<std::size_t>(c)]);
  visit(m.row_hits);
  visit(m.row_misses);
  visit(m.row_conflicts);
  visit(m.active_clocks);
  for (std::size_t c = 0; c < stall_count; ++c)
    if (static_cast<stall>(c) != stall::idle) visit(m.by_cause.part[c]);
}

}  // namespace

moved_bytes sum_of(const unseen_traffic& t) {
  moved_bytes out;
  for (const auto& [unused, moved] : t) out += moved;
  return out;
}

tally_figures figures_of(const dram_tally& t) {
  tally_figures out;
  for_each_figure(t.transfers, t.busy_ps, t.withheld_ps, t.memory,
                  [&](const auto& n) { out.push_back(static_cast<double>(n)); });
  return out;
}

dram_report with_unseen(dram_report r, const unseen_traffic& t, int ranks, const tally_figures* all) {
  if (t.empty()) return r;
  const moved_bytes more = sum_of(t);
  const double reads = growth(r.read_bytes.sum(), more.read.sum()),
               writes = growth(r.write_bytes.sum(), more.written.sum()),
               both = growth(r.read_bytes.sum() + r.write_bytes.sum(), more.both().sum());
  r.read_bytes += more.read;
  r.write_bytes += more.written;
  auto& m = r.memory;
  using dram::command;
  for (const command c : {command::RD, command::RDA}) grow(m.commands[static_cast<std::size_t>(c)], reads);
  for (const command c : {command::WR, command::WRA}) grow(m.commands[static_cast<std::size_t>(c)], writes);
  grow(m.reads, reads);
  grow(m.bytes_read, reads);
  grow(m.writes, writes);
  grow(m.bytes_written, writes);
  grow(m.data_clocks, both);
  const ps_t whole = m.by_cause.sum();
  std::size_t i = 0;
  for_each_figure(r.transfers, r.busy_ps, r.withheld_ps, m, [&](auto& n) {
    const double now = all != nullptr ? (*all)[i++] : static_cast<double>(n) * both;
    n = static_cast<std::decay_t<decltype(n)>>(std::llround(std::max(0.0, now)));
  });
  r.busy_ps = std::min(r.busy_ps, r.elapsed_ps);
  r.withheld_ps = std::min(r.withheld_ps, r.elapsed_ps);
  const double clocks = static_cast<double>(m.time) * 1e3 / static_cast<double>(m.tck_fs);
  m.active_clocks = std::min(m.active_clocks, static_cast<std::int64_t>(clocks * ranks));
  m.by_cause[stall::idle] = 0;
  if (m.by_cause.sum() > whole) m.by_cause = apportion(whole, m.by_cause, stall::idle);
  m.by_cause[stall::idle] += whole - m.by_cause.sum();
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
