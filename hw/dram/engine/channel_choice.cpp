// SPDX-License-Identifier: Apache-2.0
// Which command a channel issues next, and what a refresh that is due does to that.
#include <algorithm>

#include "hw/dram/engine/channel.h"

namespace memwall::dram {

/// May bank `b` have its command, with a refresh pending, an urgent request, or in order only (`first`: the oldest
/// one)?
bool channel::may_go(int b, std::int16_t first) const {
  const bank_state& bank = s.banks[at(b)];
  if (m_setup.in_order && bank.kind >= slot_rd && bank.candidate != first) return false;
  const bool opened = bank.owner >= 0;
  if (opened && (!m_setup.refresh_at_once || m_setup.in_order)) return true;
  if (held_for_refresh(b)) return false;
  return opened || s.urgent < 0 || s.entries[at(s.urgent)].bank == b;
}

/// A refresh that is due takes it.
bool channel::held_for_refresh(int b) const {
  return s.ranks[at(m_setup.place[at(b)].rank)].pending && (s.refresh->whole_rank() || s.banks[at(b)].blocked);
}

void channel::scan() {
  if (!m_mode_known) set_mode();
  m_scanned = true;
  m_command_bank = m_command_rank = -1;
  m_command_time = no_time;
  if (s.waiting.empty() && s.pending_ranks == 0 && !m_setup.timed) return;  // where load is low, every other time
  clocks_t best = no_time;
  std::int64_t best_age = INT64_MAX;

  const auto& after = m_setup.after_bus;
  const auto& lead = m_setup.lead;
  const clocks_t row = s.bus_free[0], column = s.bus_free[m_setup.t.dual_command_bus ? 1 : 0];
  const clocks_t bus[slot_count] = {later(s.cursor, row + after[slot_act]), later(s.cursor, row + after[slot_pre]),
                                    later(s.cursor, column + after[slot_rd]), later(s.cursor, column + after[slot_wr])};
  const auto limit = [&](int r, int kind) { return later(bus[kind], s.ranks[at(r)].t[kind] - lead[at(kind)]); };
  if (s.pending_ranks > 0 || s.urgent >= 0 || m_setup.in_order) {
    const std::int16_t first = m_setup.in_order ? oldest_waiting() : std::int16_t{-1};
    for (int b = 0; b < m_setup.banks; ++b) {
      if (!s.waiting.waits(b) || !may_go(b, first)) continue;
      const bank_state& bank = s.banks[at(b)];
      const clocks_t t = later(s.waiting.due(b), limit(m_setup.place[at(b)].rank, bank.kind));
      const std::int64_t age = s.entries[at(bank.candidate)].age;
      if (t > best || (t == best && age >= best_age)) continue;
      best = t;
      best_age = age;
      m_command_bank = b;
    }
  } else if (const auto found = s.waiting.first(s.cursor, limit); found.bank >= 0) {
    m_command_bank = found.bank;
    best = found.time;
  }
  if (m_setup.timed) scan_timed(bus, best, best_age);
  if (s.pending_ranks > 0)
    for (int r = 0; r < m_setup.ranks; ++r)
      if (s.ranks[at(r)].pending) consider_refresh(r, best, best_age);
  m_command_time = best;
}

/// Open rows that nobody has used for the timeout.
void channel::scan_timed(const clocks_t* bus, clocks_t& best, std::int64_t& best_age) {
  for (std::size_t word = 0; word < s.timed.size(); ++word) {
    std::uint64_t bits = s.timed[word];
    while (bits != 0) {
      const int b = static_cast<int>(word * 64) + __builtin_ctzll(bits);
      bits &= bits - 1;
      const bank_state& bank = s.banks[at(b)];
      const rank_state& rank = s.ranks[at(m_setup.place[at(b)].rank)];
      if (held_for_refresh(b)) continue;
      const clocks_t t = std::max({bank.t[slot_pre], bus[slot_pre], rank.t[slot_pre], bank.used + s.pages->timeout(b)});
      if (t < best) {
        best = t;
        best_age = INT64_MAX;
        m_command_bank = b;
      }
    }
  }
}

/// The next command of a rank's refresh: PREA or PRE while rows are open, then the refresh itself.
void channel::consider_refresh(int r, clocks_t& best, std::int64_t& best_age) {
  const rank_state& rank = s.ranks[at(r)];
  const int per_rank = m_setup.org.banks_per_rank(), first = r * per_rank;
  const bool all = s.refresh->whole_rank();
  if (all && rank.owners > 0 && !m_setup.refresh_at_once) return;
  bool open = false;
  clocks_t pre = 0, act = 0;
  int which = -1;
  for (int b = first; b < first + per_rank; ++b) {
    const bank_state& bank = s.banks[at(b)];
    if (!all && !bank.blocked) continue;
    if (!all && bank.owner >= 0 && !m_setup.refresh_at_once) return;
    if (bank.row >= 0) {
      const clocks_t ready = std::max(bank.t[slot_pre], s.cursor);  // which of two passed first does not matter
      if (all)
        pre = std::max(pre, ready);
      else if (which < 0 || ready < pre)
        pre = ready, which = b;
      open = true;
    } else {
      act = std::max(act, bank.t[slot_act]);
    }
  }
  clocks_t t = std::max(s.cursor, s.bus_free[0]);
  if (open)
    t = std::max({t, pre, rank.t[slot_pre]});
  else
    t = std::max({t, act, all ? clocks_t{0} : rank.t[slot_act]});
  if (t > best || (t == best && best_age < 0)) return;
  best = t;
  best_age = -1;
  m_command_rank = r;
  m_command_bank = which;
}

/// Marks the banks that the next refresh of a rank takes.
void channel::block_banks(int r) {
  const int per_rank = m_setup.org.banks_per_rank();
  for (int b = 0; b < per_rank; ++b)
    if (s.refresh->takes(r, b)) s.banks[at(r * per_rank + b)].blocked = true;
}

void channel::refresh_due() {
  s.cursor = std::max(s.cursor, s.next_due);
  m_scanned = false;
  m_admission_known = false;
  clocks_t next = no_time;
  for (int r = 0; r < m_setup.ranks; ++r) {
    rank_state& rank = s.ranks[at(r)];
    if (rank.due <= s.cursor) {
      ++rank.debt;
      if (!rank.pending) rank.blocked_from = rank.due;
      rank.due += m_setup.refresh_interval;
    }
    if (!rank.pending && rank.debt > 0 && (rank.debt > m_setup.params.refresh_postpone || rank.requests == 0)) {
      rank.pending = true;
      ++s.pending_ranks;
      rank.blocked_from = s.cursor;
      if (!s.refresh->whole_rank()) block_banks(r);
    }
    next = std::min(next, rank.due);
  }
  s.next_due = next;
}

}  // namespace memwall::dram
