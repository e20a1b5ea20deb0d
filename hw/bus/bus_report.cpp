// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/bus_impl.h"

namespace memwall {

bus_report bus::report() const {
  const impl& m = *m_impl;
  bus_report r;
  r.name = name();
  r.topology = m.p.topology;
  r.arbiter = m.p.arbiter;
  r.elapsed_ps = now_ps();
  r.peak_bytes_per_s = m.p.width.value * m.p.clock.value * static_cast<double>(m.p.slices);
  r.bytes_by_class = m.bytes_by_class;
  r.bytes = m.bytes_by_class.sum();
  r.energy_pj = static_cast<double>(r.bytes) * 8 * to_pj(m.p.energy_per_bit);
  r.errors = m.errors;
  const std::size_t n = m.initiators.size();
  r.waited_for.assign(n, std::vector<ps_t>(n, 0));
  for (const auto& side : m.initiators) r.initiators.push_back(port_report(side->name, *side));
  for (std::size_t t = 0; t < m.targets.size(); ++t) {
    const auto& side = *m.targets[t];
    fabric_target_report target;
    target.name = side.name;
    for (const auto& range : m.ranges)
      if (range.target == static_cast<int>(t)) {
        if (target.size == 0) target.base = range.base;
        target.size += range.last - range.base + 1;
      }
    target.transfers = side.transfers;
    target.bytes = side.bytes;
    target.blocked_ps = side.blocked + (side.pending_count > 0 ? r.elapsed_ps - side.blocked_since : 0);
    r.targets.push_back(std::move(target));
  }
  // Lanes that nobody waits for: by the ways that cross them.
  struct crossed {
    std::int64_t bytes = 0;
    fs_t time = 0;
  };
  std::vector<crossed> clear(m.lanes.size());
  const auto add = [&](const impl::route& way, std::int64_t bytes, fs_t time) {
    for (std::size_t k = way.clear_from; k < way.lanes.size(); ++k) {
      const auto index = static_cast<std::size_t>(way.lanes[k]);
      clear[index].bytes += bytes;
      clear[index].time += time;
      const int at = m.lanes[index]->initiator;
      r.initiators[static_cast<std::size_t>(at >= 0 ? at : way.initiator)].busy_ps += time / 1000;
    }
  };
  for (const auto* ways : {&m.read, &m.write})
    for (const auto& way : *ways) add(way, way.clear_bytes, way.clear_time);
  for (const auto& p : m.patterns) {
    impl::flight one;
    one.initiator = p.initiator;
    one.target = p.target;
    one.write = p.write;
    one.address = p.offset;
    one.bytes = p.bytes;
    if (p.uses > 0)
      m_impl->each_way(one, [&](const impl::route& way, std::uint32_t bytes, std::int64_t) {
        const fs_t time = m.lanes[static_cast<std::size_t>(way.lanes[0])]->channel.service_time(bytes);
        add(way, bytes * static_cast<std::int64_t>(p.uses), time * static_cast<std::int64_t>(p.uses));
      });
  }
  // The busiest lane is never one of those: what crosses them has crossed the one before, which is as fast.
  const share_channel* busiest = nullptr;
  for (const auto& l : m.lanes) {
    const crossed& too = clear[static_cast<std::size_t>(l->index)];
    const std::int64_t bytes = l->channel.bytes() + too.bytes;
    if (l->hop > 0) r.energy_pj += static_cast<double>(bytes) * 8 * to_pj(m.p.hop_energy_per_bit);
    r.channels.push_back({l->name, r.peak_bytes_per_s, bytes, (l->channel.busy() + too.time) / 1000});
    if (busiest == nullptr || l->channel.busy() > busiest->busy()) busiest = &l->channel;
    for (int i = 0; i < l->channel.requesters(); ++i) {
      // At a crossbar's initiator port everybody is that initiator itself.
      const auto who = static_cast<std::size_t>(l->initiator >= 0 ? l->initiator : i);
      r.initiators[who].busy_ps += l->channel.busy_of(i) / 1000;
      for (int j = 0; j < l->channel.requesters(); ++j)
        r.waited_for[who][static_cast<std::size_t>(l->initiator >= 0 ? l->initiator : j)] +=
            l->channel.waited_for(i, j) / 1000;
    }
  }
  if (busiest != nullptr && r.elapsed_ps > 0) {
    r.utilization = static_cast<double>(busiest->busy()) / 1000 / static_cast<double>(r.elapsed_ps);
    r.occupancy_bucket_ps = busiest->occupancy().bucket_width();
    r.occupancy = busiest->occupancy().values();
    for (double& v : r.occupancy) v /= static_cast<double>(r.occupancy_bucket_ps);
  }
  return r;
}

}  // namespace memwall
