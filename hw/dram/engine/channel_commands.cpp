// SPDX-License-Identifier: Apache-2.0
// What a command does to a channel: the constraints that follow from it, the rows, the queue.
#include <algorithm>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {

namespace {
constexpr int age_check_period = 64;

inline void at_least(clocks_t& t, clocks_t v) {
  if (t < v) t = v;
}
}  // namespace

/// Chooses the request that a bank works for, and its next command.
void channel::pick(int b, std::int16_t from) {
  bank_state& bank = s.banks[at(b)];
  if (m_setup.timed) clear_bit(s.timed, b);
  std::int16_t chosen = bank.owner >= 0 ? bank.owner : bank.head[current_list()];
  if (chosen < 0) {
    bank.candidate = -1;
    bank.kind = 0;
    s.waiting.remove(b);
    if (m_setup.timed && bank.row >= 0) set_bit(s.timed, b);
    return;
  }
  if (bank.owner < 0) {
    if (s.urgent >= 0 && s.entries[at(s.urgent)].bank == b)
      chosen = s.urgent;
    else if (bank.row >= 0)
      chosen = s.order->pick({s.entries.data(), b, bank.row, chosen, from});
  }
  const entry& e = s.entries[at(chosen)];
  choose(b, chosen, bank.row < 0 ? slot_act : bank.row != e.row ? slot_pre : e.write ? slot_wr : slot_rd);
}

void channel::issue() {
  const clocks_t t = m_command_time;
  s.cursor = t;
  m_scanned = false;
  if (m_command_rank >= 0) {
    if (m_command_bank >= 0)
      issue_pre(m_command_bank, t);
    else
      issue_refresh(m_command_rank, t);
    return;
  }
  const int b = m_command_bank;
  bank_state& bank = s.banks[at(b)];
  if (bank.candidate < 0) {
    s.pages->timed_out(b, bank.row);
    issue_pre(b, t);
    return;
  }
  const clocks_t last = t + m_setup.lead[bank.kind];
  switch (bank.kind) {
    case slot_act:
      issue_act(b, last);
      break;
    case slot_pre:
      if (m_setup.timed) s.pages->conflict(b);
      s.entries[at(bank.candidate)].found = 2;
      issue_pre(b, last);
      break;
    default:
      issue_column(b, last);
      break;
  }
}

void channel::issue_act(int b, clocks_t t) {
  const timing& c = m_setup.t;
  bank_state& bank = s.banks[at(b)];
  const auto& place = m_setup.place[at(b)];
  rank_state& rank = s.ranks[at(place.rank)];
  entry& e = s.entries[at(bank.candidate)];
  if (e.found == 0) e.found = 1;
  bank.act_ready = std::max(bank.t[slot_act], e.arrival + m_setup.params.input_clocks);
  bank.row = e.row;
  bank.acted = t;
  bank.used = t;
  if (m_setup.watched) s.order->row_changed(b);
  if (m_setup.timed) s.pages->opened(b, e.row);
  const bool room = s.queues->has_room(e.write);
  s.queues->opened_row(b, e.write);
  if (s.queues->has_room(e.write) != room) m_admission_known = false;
  bank.t[slot_rd] = t + c.RCDRD;
  bank.t[slot_wr] = t + c.RCDWR;
  bank.t[slot_pre] = t + c.RAS;
  bank.t[slot_act] = t + c.RC;
  s.groups[at(place.group)].t[slot_act] = t + c.RRD_L;
  rank.faw[rank.faw_at] = t;
  rank.faw_at = (rank.faw_at + 1) & 3;
  const clocks_t next = std::max(t + c.RRD_S, rank.faw[rank.faw_at] + c.FAW);
  at_least(rank.t[slot_act], next);
  postpone(b, slot_act);
  if (m_setup.stacked) {
    const int first = bus_of(place.rank) * m_setup.ranks_per_bus;
    for (int r = first; r < first + m_setup.ranks_per_bus; ++r) {
      rank_state& other = s.ranks[at(r)];
      if (r == place.rank) continue;
      other.faw[other.faw_at] = t;
      other.faw_at = (other.faw_at + 1) & 3;
      at_least(other.t[slot_act], next);
    }
  }
  if (rank.open++ == 0) rank.open_since = std::max(t, rank.closed_at);
  if (m_recorder != nullptr) m_recorder->banks[at(b)] = {true, m_setup.period_of(e.burst)};
  ++rank.owners;
  bank.owner = bank.candidate;
  choose(b, bank.owner, e.write ? slot_wr : slot_rd);
  s.bus_free[0] = t + 1;
  if (!c.dual_command_bus) s.bus_free[1] = t + 1;
  emit(command::ACT, t, place.rank, b, e.row);
}

void channel::close_bank(int b, clocks_t t) {
  bank_state& bank = s.banks[at(b)];
  const int r = m_setup.place[at(b)].rank;
  bank.row = -1;
  if (m_setup.watched) s.order->row_changed(b);
  rank_state& rank = s.ranks[at(r)];
  if (bank.owner >= 0) {
    bank.owner = -1;
    --rank.owners;
  }
  at_least(rank.closed_at, t);
  if (--rank.open == 0) m_counts.active += rank.closed_at - rank.open_since;
  if (m_recorder == nullptr) return;
  m_recorder->banks[at(b)].changed = true;
  if (auto& seen = m_recorder->ranks[at(r)]; !seen.closed) seen.least_open = std::min(seen.least_open, rank.open);
}

void channel::issue_pre(int b, clocks_t t) {
  bank_state& bank = s.banks[at(b)];
  const int r = m_setup.place[at(b)].rank;
  close_bank(b, t);
  at_least(bank.t[slot_act], t + m_setup.t.RP);
  if (m_setup.t.PPD > 0) {
    at_least(s.ranks[at(r)].t[slot_pre], t + m_setup.t.PPD);
  }
  s.bus_free[0] = t + 1;
  if (!m_setup.t.dual_command_bus) s.bus_free[1] = t + 1;
  emit(command::PRE, t, r, b);
  pick(b);
}

void channel::issue_refresh(int r, clocks_t t) {
  const timing& c = m_setup.t;
  rank_state& rank = s.ranks[at(r)];
  const int per_rank = m_setup.org.banks_per_rank(), first = r * per_rank;
  s.bus_free[0] = t + 1;
  if (!c.dual_command_bus) s.bus_free[1] = t + 1;
  if (s.refresh->whole_rank()) {
    if (rank.open > 0) {
      if (m_recorder != nullptr) m_recorder->ranks[at(r)].closed = true;
      for (int b = first; b < first + per_rank; ++b) {
        bank_state& bank = s.banks[at(b)];
        // A precharge of a bank that is already closed is allowed and does nothing.
        if (bank.row < 0) continue;
        close_bank(b, t);
        at_least(bank.t[slot_act], t + m_setup.prea_to_act);
        pick(b);
      }
      if (c.PPD > 0) at_least(rank.t[slot_pre], t + c.PPD);
      emit(command::PREA, t, r, -1);
      return;
    }
    for (int b = first; b < first + per_rank; ++b) {
      s.banks[at(b)].t[slot_act] = t + s.refresh->duration();
      if (s.banks[at(b)].candidate >= 0) pick(b);
    }
    rank.blocked_to = t + s.refresh->duration();
    emit(s.refresh->kind(), t, r, -1);
  } else {
    int refreshed = -1;
    for (int b = first; b < first + per_rank; ++b) {
      bank_state& bank = s.banks[at(b)];
      if (!bank.blocked) continue;
      bank.blocked = false;
      bank.t[slot_act] = t + s.refresh->duration();
      if (bank.candidate >= 0) pick(b);
      if (refreshed < 0) refreshed = b;
    }
    at_least(rank.t[slot_act], t + std::max(c.RREFD, 1));
    rank.blocked_to = t + s.refresh->duration();
    emit(s.refresh->kind(), t, r, refreshed);
  }
  s.refresh->issued(r);
  --rank.debt;
  if (rank.debt > m_setup.params.refresh_postpone || (rank.debt > 0 && rank.requests == 0)) {
    if (!s.refresh->whole_rank()) block_banks(r);
    return;
  }
  rank.pending = false;
  --s.pending_ranks;
}

void channel::unlink(int ei) {
  const entry& e = s.entries[at(ei)];
  bank_state& bank = s.banks[at(e.bank)];
  const int l = list_of(e.write);
  if (e.prev >= 0)
    s.entries[at(e.prev)].next = e.next;
  else
    bank.head[l] = e.next;
  if (e.next >= 0)
    s.entries[at(e.next)].prev = e.prev;
  else
    bank.tail[l] = e.prev;
}

void channel::issue_column(int b, clocks_t t) {
  const timing& c = m_setup.t;
  bank_state& bank = s.banks[at(b)];
  const auto& place = m_setup.place[at(b)];
  rank_state& rank = s.ranks[at(place.rank)];
  group_state& group = s.groups[at(place.group)];
  const std::int16_t ei = bank.candidate;
  entry& e = s.entries[at(ei)];
  const bool write = e.write;
  const clocks_t from = t + (write ? c.CWL : c.CL), to = from + c.BL;
  const int bus = bus_of(place.rank);
  bus_state& data = s.buses[at(bus)];

  if (from > data.covered) account(e, bank, t, from);
  data.by_cause[static_cast<std::size_t>(cause::data)] += to - std::max(data.covered, from);
  data.covered = to;
  data.last_rank = place.rank;
  data.last_write = write;

  if (write) {
    at_least(bank.t[slot_pre], t + m_setup.write_to_pre);
    at_least(group.t[slot_wr], t + c.CCD_L_WR);
    at_least(group.t[slot_rd], t + m_setup.write_to_read_l);
    at_least(rank.t[slot_wr], t + m_setup.write_gap);
    at_least(rank.t[slot_rd], t + m_setup.write_to_read_s);
  } else {
    at_least(bank.t[slot_pre], t + c.RTP);
    at_least(group.t[slot_rd], t + c.CCD_L);
    at_least(rank.t[slot_rd], t + m_setup.read_gap);
    at_least(rank.t[slot_wr], t + m_setup.read_to_write);
  }
  postpone(b, slot_rd);
  if (write) postpone(b, slot_wr);
  for (int n = m_setup.ranks_per_bus, r = bus * n; n > 1 && r < (bus + 1) * n; ++r) {
    if (r == place.rank) continue;
    rank_state& other = s.ranks[at(r)];
    if (m_setup.stacked) {
      at_least(other.t[slot_rd], t + (write ? m_setup.write_to_read_s : m_setup.stack_gap));
      at_least(other.t[slot_wr], t + (write ? m_setup.stack_gap : m_setup.read_to_write));
    } else {
      const int own = write ? c.CWL : c.CL;
      at_least(other.t[slot_rd], t + own + c.BL + c.CS - c.CL);
      at_least(other.t[slot_wr], t + own + c.BL + c.CS - c.CWL);
    }
  }
  s.bus_free[c.dual_command_bus ? 1 : 0] = t + 1;
  if (!c.dual_command_bus) s.bus_free[1] = t + 1;

  // The request leaves the queue.
  unlink(ei);
  s.queues->served(b, write, bank.owner == ei);
  --rank.requests;
  m_mode_known = false;
  // The one source's next burst still waits for its time, not for room.
  if (m_admission_time <= s.cursor || m_admission_time == no_time || s.sources.size() > 1) m_admission_known = false;
  if (bank.owner == ei) {
    bank.owner = -1;
    --rank.owners;
  }
  if (s.urgent == ei) s.urgent = -1;
  bank.used = t;
  const int list = list_of(write);
  if (m_setup.watched) s.order->served(b, bank.head[list] >= 0 && s.entries[at(bank.head[list])].age < e.age);

  ++m_counts.bursts[write];
  if (e.found == 0)
    ++m_counts.row_hits;
  else if (e.found == 1)
    ++m_counts.row_misses;
  else
    ++m_counts.row_conflicts;
  if (m_recorder == nullptr) {
    m_latency[write].add(to - e.arrival, m_members);
  } else {
    const auto done = static_cast<std::int32_t>(to - m_recorder->start);
    const std::uint16_t on_bus = ++m_recorder->served[at(bus)];
    if (e.stale >= 0) {
      m_recorder->stale.push_back({e.stale, static_cast<std::int16_t>(m_recorder->services.size())});
      m_recorder->services.push_back({done, 0, on_bus, stale_source, static_cast<std::uint8_t>(bus)});
    } else {
      m_recorder->latencies[write].push_back(static_cast<std::int32_t>(to - e.arrival));
      m_recorder->services.push_back({done, static_cast<std::int32_t>(e.sequence - m_recorder->positions[at(e.source)]),
                                      on_bus, static_cast<std::uint8_t>(e.source), static_cast<std::uint8_t>(bus)});
    }
  }

  bool close = false;
  if (m_setup.closes_after_use) {
    close = true;
    for (int l = 0; close && l < (m_setup.unified ? 1 : 2); ++l)
      for (std::int16_t i = bank.head[l]; i >= 0; i = s.entries[at(i)].next)
        if (s.entries[at(i)].row == bank.row) {
          close = false;
          break;
        }
  }
  if (close) {
    const clocks_t pre = bank.t[slot_pre];
    at_least(bank.t[slot_act], pre + c.RP);
    const std::int64_t row = bank.row;
    close_bank(b, pre);
    emit(write ? command::WRA : command::RDA, t, place.rank, b, row, e.column);
  } else {
    emit(write ? command::WR : command::RD, t, place.rank, b, bank.row, e.column);
  }

  work& w = m_pool[at(e.work)];
  if (w.first_done > to) w.first_done = to;
  if (w.done < to) w.done = to;
  if (--w.remaining == 0) {
    finish(w, bus);
    release(s.sources[at(e.source)]);
  }

  // Next request of the bank: the next hit lies behind this one in its list.
  const std::int16_t after = e.next;
  e.next = s.free;
  s.free = ei;
  const std::int16_t head = bank.head[list];
  if (!close && head >= 0 && list == current_list() && s.urgent < 0) {
    const entry& n = s.entries[at(s.order->pick({s.entries.data(), b, bank.row, head, after}))];
    choose(b, static_cast<std::int16_t>(&n - s.entries.data()),
           bank.row != n.row ? slot_pre
           : n.write         ? slot_wr
                             : slot_rd);
  } else {
    pick(b);
  }
  if (rank.requests == 0 && rank.debt > 0 && !rank.pending) s.next_due = std::min(s.next_due, s.cursor);
  if (m_works == 0)
    s.turn = s.since_check = 0;  // a fresh start: idle channels are alike
  else if (++s.since_check >= age_check_period)
    check_age();
}

}  // namespace memwall::dram
