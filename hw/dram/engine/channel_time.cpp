// SPDX-License-Identifier: Apache-2.0
// Where the time of a channel goes: every clock of its data bus has one cause.
#include <algorithm>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {

/// Books the time between the last data beat and this request's first one. `t` is the column command.
void channel::account(const entry& e, const bank_state& bank, clocks_t t, clocks_t from) {
  const auto& place = m_setup.place[at(e.bank)];
  bus_state& bus = s.buses[at(bus_of(place.rank))];
  const rank_state& rank = s.ranks[at(place.rank)];
  auto& out = bus.by_cause;
  const auto book = [&](cause c, clocks_t n) {
    if (n == 0) return;
    out[static_cast<std::size_t>(c)] += n;
    if (m_recorder != nullptr)
      m_recorder->bookings.push_back({static_cast<std::uint16_t>(m_recorder->services.size()),
                                      static_cast<std::uint8_t>(bus_of(place.rank)), static_cast<std::uint8_t>(c),
                                      static_cast<std::int32_t>(n)});
  };
  const clocks_t gap = from - bus.covered, seen = e.arrival + m_setup.params.input_clocks;

  const clocks_t idle = std::clamp<clocks_t>(seen - bus.covered, 0, gap);
  book(cause::idle, idle);
  // Commands run ahead of their data by the latency: only waits of commands in this window delay data.
  clocks_t begin = std::max(bus.covered - (from - t), seen);
  const clocks_t window = std::clamp<clocks_t>(t - begin, 0, gap - idle);
  book(cause::latency, gap - idle - window);
  begin = t - window;

  // Backwards from the column command.
  clocks_t end = t;
  const auto take = [&](cause c, clocks_t since) {
    const clocks_t n = end - std::max(begin, std::min(since, end));
    if (n > 0) {
      book(c, n);
      end -= n;
    }
  };
  const clocks_t opened = bank.acted + (e.write ? m_setup.t.RCDWR : m_setup.t.RCDRD);
  const bool turned = bus.last_rank >= 0 && (bus.last_write != e.write || bus.last_rank != place.rank);
  const cause column = turned ? cause::turnaround : cause::bank_group;
  // A refresh holds up requests that found their row open before it, too: they find it closed.
  if (e.found == 0) {
    const bool refreshed = rank.blocked_to > begin && rank.blocked_from < end;
    if (refreshed) {
      take(column, rank.blocked_to);
      take(cause::refresh, rank.blocked_from);
    }
    take(opened > begin && !turned ? cause::row_miss : column, begin);
    return;
  }
  const cause row = e.found == 2 ? cause::row_conflict : cause::row_miss;
  take(column, opened);
  take(row, bank.acted);
  take(cause::activate, bank.act_ready);
  if (rank.blocked_to > begin && rank.blocked_from < end) {
    take(row, rank.blocked_to);
    take(cause::refresh, rank.blocked_from);
  }
  take(e.found == 2 ? cause::row_conflict : cause::activate, begin);
}

/// Frees finished works, oldest first.
void channel::release(source_state& q) {
  while (q.oldest >= 0 && m_pool[at(q.oldest)].remaining == 0) {
    const std::int32_t i = q.oldest;
    q.oldest = m_pool[at(i)].link;
    m_free_works.push_back(i);
    --m_works;
  }
}

void channel::finish(work& w, int bus_index) {
  if (!w.reported) m_finished.push_back(finished_of(w, s.buses[at(bus_index)].by_cause));
}

finished_work channel::finished_of(const work& w, const cause_clocks& by_cause) const {
  finished_work f;
  f.transfer = w.transfer;
  f.channel = m_index;
  f.entered = w.entered;
  f.first_done = w.first_done;
  f.done = w.done;
  if (!m_attribute) return f;
  cause_clocks d;
  clocks_t sum = 0;
  for (std::size_t i = 0; i < cause_count; ++i) sum += d[i] = std::max<clocks_t>(0, by_cause[i] - w.before[i]);
  // Beats of others are time behind others.
  auto& data = d[static_cast<std::size_t>(cause::data)];
  auto& order = d[static_cast<std::size_t>(cause::order)];
  const clocks_t own = std::min(data, w.count * m_setup.t.BL);
  order += data - own;
  data = own;
  // The causes run from the last data beat before the work entered, the work from its entry: fit them to its stay.
  const clocks_t stay = w.done - w.entered;
  if (sum < stay) {
    order += stay - sum;
  } else {
    clocks_t excess = sum - stay;
    for (const cause c : {cause::idle, cause::order, cause::refresh, cause::turnaround, cause::row_conflict,
                          cause::row_miss, cause::activate, cause::bank_group, cause::latency, cause::data}) {
      auto& v = d[static_cast<std::size_t>(c)];
      const clocks_t n = std::min(v, excess);
      v -= n;
      excess -= n;
    }
  }
  f.parts = d;
  return f;
}

cause_clocks channel::causes(int bus_index, clocks_t now) const {
  const bus_state& bus = s.buses[at(bus_index)];
  cause_clocks out = bus.by_cause;
  if (now >= bus.covered) {
    out[static_cast<std::size_t>(cause::idle)] += now - bus.covered;
  } else {
    // Beats under way are data until `now`; what is still to come is not counted.
    clocks_t excess = bus.covered - now;
    for (const cause c : {cause::data, cause::latency, cause::row_miss, cause::row_conflict, cause::activate,
                          cause::refresh, cause::turnaround, cause::bank_group, cause::order, cause::idle}) {
      auto& v = out[static_cast<std::size_t>(c)];
      const clocks_t n = std::min(v, excess);
      v -= n;
      excess -= n;
    }
  }
  return out;
}

clocks_t channel::data_clocks(clocks_t now) const {
  clocks_t sum = 0;
  for (const bus_state& bus : s.buses) {
    const clocks_t booked = bus.by_cause[static_cast<std::size_t>(cause::data)];
    // While replaying, `covered` is not kept up.
    sum += booked - (m_replaying ? 0 : std::min(booked, std::max<clocks_t>(0, bus.covered - now)));
  }
  if (m_replaying && m_block >= 0)
    for (const auto& served : m_table->at_block(m_block).services)
      sum += std::clamp<clocks_t>(now - (s.cursor + served.done - m_setup.t.BL), 0, m_setup.t.BL);
  return sum;
}

clocks_t channel::active_clocks(clocks_t now) const {
  clocks_t sum = m_counts.active;
  for (const auto& r : s.ranks)
    if (r.open > 0) sum += std::max<clocks_t>(0, now - r.open_since);
  return sum;
}

}  // namespace memwall::dram
