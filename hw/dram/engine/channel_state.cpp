// SPDX-License-Identifier: Apache-2.0
// A channel's state in relative terms, as words: what decides its future, for replay and for classes of channels.
#include <algorithm>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {
namespace {

// How a request's source, direction and what it found are written down.
constexpr std::int64_t source_mask = 255, write_bit = 256, stale_bit = 512, aside_bit = 1024;
constexpr int found_shift = 11;

}  // namespace

/// The fields that decide the future, but for the queue and the sources (normalise(), materialise()) and for the due
/// times of refreshes, which only some futures depend on.
void channel::visit(state_visitor& v) {
  const clocks_t now = v.now();
  // A command that takes several clocks may have begun before now.
  const clocks_t longest = std::max(m_setup.t.ACT_CK, m_setup.t.CAS_CK);
  v.time(s.bus_free[0], now - longest);
  v.time(s.bus_free[1], now - longest);
  v.value(s.turn);
  v.value(s.since_check);
  v.value(s.write_mode);
  v.value(s.urgent);
  for (auto& bus : s.buses) {
    v.time(bus.covered, INT64_MIN / 2);
    v.value(bus.last_rank);
    v.value(bus.last_write);
  }
  const auto seen = [&](std::size_t r) { return seen_since(now, r); };
  for (std::size_t r = 0; r < s.ranks.size(); ++r) {
    auto& rank = s.ranks[r];
    for (auto& t : rank.t) v.time(t, now);
    std::rotate(rank.faw, rank.faw + rank.faw_at, rank.faw + 4);
    rank.faw_at = 0;
    for (auto& t : rank.faw) v.time(t, now - m_setup.t.FAW);
    v.time(rank.blocked_from, seen(r));
    v.time(rank.blocked_to, seen(r));
    v.time(rank.open_since, now);
    v.time(rank.closed_at, now);
    if (!m_named) v.value(rank.open);  // follows from the banks, some of which a replay's state does not know
    v.value(rank.debt);
    v.value(rank.pending);
  }
  constexpr std::int64_t is_past = INT32_MIN + 1, is_not = INT32_MIN + 2;
  for (auto& g : s.groups) {
    const bool past = v.shortens() && *std::max_element(std::begin(g.t), std::end(g.t)) <= now;
    if (v.shortens()) v.put(past ? is_past : is_not);
    if (past) continue;
    for (auto& t : g.t) v.time(t, now);
  }
  for (int n = 0, seat = 0, in_seat = 0; n < m_setup.banks; ++n, ++in_seat) {
    if (in_seat == m_setup.banks_per_seat) ++seat, in_seat = 0;
    const int i = m_named ? bank_of(seat, in_seat) : n;
    auto& b = s.banks[at(i)];
    const clocks_t since = seen(at(m_setup.place[at(i)].rank));
    if (!m_named) {
      v.row(b.row);
      const bool past = v.shortens() && is_past_of(b, since, now);
      if (v.shortens()) v.put(past ? is_past : is_not);
      if (past) continue;
    } else if (v.writes()) {
      if (in_seat == 0) m_table->seat_begins.push_back(m_table->scratch.size());
      const row_known known = rests(b, since, now) ? row_known::rests : write_row(v, i);
      m_table->rows.push_back(known);
      if (known == row_known::rests) {
        v.put(static_cast<std::int64_t>(known));
        continue;
      }
    } else if (read_row(v, b) == row_known::rests) {
      std::fill(std::begin(b.t), std::end(b.t), now);
      b.t[slot_act] = b.acted = b.act_ready = since;
      b.candidate = b.owner = -1;
      b.kind = 0;
      b.blocked = false;
      continue;
    }
    // The bookings ask since when an ACT could have come, too.
    for (std::size_t k = 0; k < slot_count; ++k) v.time(b.t[k], k == slot_act ? since : now);
    v.time(b.acted, since);
    v.time(b.act_ready, since);
    if (m_setup.timed) v.time(b.used, now - s.pages->timeout(i));
    v.value(b.candidate);
    v.value(b.owner);
    v.value(b.kind);
    v.value(b.blocked);
  }
  if (m_named && v.writes()) m_table->seat_begins.push_back(m_table->scratch.size());
  s.order->visit(v);
  s.pages->visit(v);
  s.refresh->visit(v);
  s.front->visit(v);
}

/// Bookings look back to the last data beat, less the latency: earlier times are all the same.
clocks_t channel::seen_since(clocks_t now, std::size_t rank) const {
  const clocks_t reach = std::max(m_setup.t.CL, m_setup.t.CWL) + std::max(m_setup.t.RCDRD, m_setup.t.RCDWR);
  return std::min(now, s.buses[rank / at(m_setup.ranks_per_bus)].covered) - reach;
}

bool channel::is_stale(const entry& e) const {
  if (e.write == s.write_mode || m_setup.unified) return false;
  const int ready = *std::max_element(m_setup.ready_after.begin(), m_setup.ready_after.end());
  return e.arrival + std::max(ready, m_setup.params.input_clocks) <=
         seen_since(s.cursor, at(m_setup.place[at(e.bank)].rank));
}

/// Whether nothing of a stale request matters but that it is there: it is the other direction's turn.
bool channel::is_aside(std::int16_t i) const {
  const entry& e = s.entries[at(i)];
  const bank_state& b = s.banks[at(e.bank)];
  return m_setup.sets_aside && e.write != s.write_mode && s.urgent < 0 && b.candidate != i;
}

/// Whether the queue has requests for a bank, but for those that are set aside.
bool channel::wanted_by_queue(const bank_state& b) const {
  for (const std::int16_t head : b.head)
    for (std::int16_t i = head; i >= 0; i = s.entries[at(i)].next)
      if (m_aside[at(i)] == 0) return true;
  return false;
}

/// Whether a stale request gets too old before `until`: then it goes before all others.
bool channel::expires(clocks_t until) const {
  return !m_stale.empty() && m_setup.params.age_limit > 0 && until - m_stale.front().arrival > m_setup.params.age_limit;
}

/// Nobody uses the bank, and its commands are past.
bool channel::is_past_of(const bank_state& b, clocks_t since, clocks_t now) const {
  return !m_setup.timed && b.candidate < 0 && b.owner < 0 && b.kind == 0 && !b.blocked && b.t[slot_act] <= since &&
         b.acted <= since && b.act_ready <= since && b.t[slot_pre] <= now && b.t[slot_rd] <= now && b.t[slot_wr] <= now;
}

/// A bank that nobody uses and whose commands are past: its row may be open or not, and is found again when it is
/// wanted.
bool channel::rests(const bank_state& b, clocks_t since, clocks_t now) const {
  return m_setup.banks_rest && is_past_of(b, since, now) && !wanted_by_queue(b);
}

/// A row that the queue wants, by the name of its period; one that it does not want is any other.
row_known channel::write_row(state_visitor& v, int b) {
  const bank_state& bank = s.banks[at(b)];
  row_known known = bank.row < 0 ? row_known::closed : row_known::open;
  std::size_t name = 0;
  if (bank.row >= 0)
    for (int l = 0; l < 2; ++l)
      for (std::int16_t i = bank.head[l]; i >= 0 && known != row_known::named; i = s.entries[at(i)].next) {
        if (s.entries[at(i)].row != bank.row || m_aside[at(i)] != 0) continue;
        known = row_known::named;
        const std::int64_t period = m_setup.period_of(s.entries[at(i)].burst);
        while (m_names[name] != period) ++name;
      }
  v.put(static_cast<std::int64_t>(known));
  if (known == row_known::named) {
    v.put(static_cast<std::int64_t>(name));
    v.put(bank.row - m_setup.row_of_period(m_names[name]));
  }
  return known;
}

row_known channel::read_row(state_visitor& v, bank_state& bank) {
  const auto known = static_cast<row_known>(v.take());
  if (known == row_known::closed) {
    bank.row = -1;
  } else if (known == row_known::named) {
    const auto name = static_cast<std::int16_t>(v.take());
    bank.row = row_of(name, static_cast<std::int32_t>(v.take()));
  }
  return known;
}

void channel::flush_active() {
  for (auto& rank : s.ranks)
    if (rank.open > 0 && rank.open_since < s.cursor) {
      m_counts.active += s.cursor - rank.open_since;
      rank.open_since = s.cursor;
    }
}

bool channel::settle(clocks_t now, std::vector<std::int32_t>& words) {
  if (!settled(now)) return false;
  advance(now, true);
  m_quiet = -1;
  return rest(now, words, true);
}

/// Idle up to `now`, after its last data beat: brings everything up to there, and writes down what decides the future;
/// `shortly`: to be compared only.
bool channel::rest(clocks_t now, std::vector<std::int32_t>& words, bool shortly) {
  m_scanned = m_admission_known = m_mode_known = false;
  s.cursor = now;
  flush_active();
  for (bus_state& bus : s.buses) {
    bus.by_cause[at(static_cast<int>(cause::idle))] += now - bus.covered;
    bus.covered = now;
  }
  words.clear();
  auto v = shortly ? state_visitor::shortener(words, now) : state_visitor::writer(words, now);
  visit(v);
  for (const rank_state& r : s.ranks) v.put(std::min<clocks_t>(r.due - now, INT32_MAX));
  return v.fits();
}

void channel::take_counts(channel_counts& counts, std::vector<cause_clocks>& by_cause, std::int64_t times) {
  counts.add(m_counts, times);
  m_counts = {};
  for (std::size_t i = 0; i < s.buses.size(); ++i)
    for (std::size_t c = 0; c < cause_count; ++c) {
      by_cause[i][c] += times * s.buses[i].by_cause[c];
      s.buses[i].by_cause[c] = 0;
    }
}

/// Books what is idle for sure: up to when the first request of the queue was seen, which the next data beat would do.
/// How long the bus has been idle does not matter then. (Of several buses, works compare the causes of one with those
/// of another: there it matters when they are booked.)
void channel::book_idle(const std::int16_t* queue, int queued) {
  if (m_setup.buses > 1) return;
  bus_state& bus = s.buses.front();
  clocks_t seen = s.cursor;
  for (int i = 0; i < queued; ++i) seen = std::min(seen, s.entries[at(queue[i])].arrival + m_setup.params.input_clocks);
  if (bus.covered >= seen) return;
  bus.by_cause[static_cast<std::size_t>(cause::idle)] += seen - bus.covered;
  bus.covered = seen;
}

/// Gives the seats of each rank their places: those of the queue as it has them, then the others, whose past reaches
/// furthest first. Wherever in a row of seats a stream is, it is in the same state.
void channel::order_seats(const std::int16_t* queue, int queued) {
  m_table->queued_seats = 0;
  const int n = m_setup.seats / m_setup.ranks;
  if (n < 2) return;
  m_seat_list.clear();
  std::uint64_t met = 0;
  for (int i = 0; i < queued; ++i) {
    const std::int16_t seat = m_setup.seat_of_bank[at(s.entries[at(queue[i])].bank)];
    if ((met >> seat & 1) != 0 || m_aside[at(queue[i])] != 0) continue;
    met |= std::uint64_t{1} << seat;
    m_seat_list.push_back(seat);
  }
  std::array<clocks_t, 64> reach{};
  for (std::int16_t place = 0; place < m_setup.seats; ++place) {
    const std::int16_t seat = m_seats[at(place)];
    if ((met >> seat & 1) != 0) continue;
    clocks_t& mine = reach[at(seat)];
    for (int k = 0; k < m_setup.banks_per_seat; ++k) {
      const bank_state& b = s.banks[at(m_setup.banks_of_seat[at(seat * m_setup.banks_per_seat + k)])];
      mine = std::max(mine, later(b.t[slot_act], s.cursor) + later(b.t[slot_pre], s.cursor));
    }
    m_seat_list.push_back(seat);
  }
  const auto first_other = m_seat_list.begin() + __builtin_popcountll(met);
  std::stable_sort(first_other, m_seat_list.end(), [&](auto x, auto y) { return reach[at(x)] > reach[at(y)]; });
  std::array<std::int16_t, 64> taken{};
  for (const std::int16_t seat : m_seat_list) {
    const int rank = seat / n, place = rank * n + taken[at(rank)]++;
    set_seat(place, seat);
    if ((met >> seat & 1) != 0) m_table->queued_seats |= std::uint64_t{1} << place;
  }
}

/// The state as words, in the table's scratch; false: it cannot be written like that. `recorded`: at the end of a
/// block.
bool channel::normalise(bool recorded) {
  flush_active();
  auto& words = m_table->scratch;
  words.clear();
  m_table->rows.clear();
  m_table->seat_begins.clear();
  m_table->paced = false;
  auto a = state_visitor::writer(words, s.cursor);

  // The queue, oldest first. Banks name its entries by their place in it.
  std::int16_t order[256];
  int n = 0;
  for (const auto& bank : s.banks)
    for (int l = 0; l < 2; ++l)
      for (std::int16_t i = bank.head[l]; i >= 0; i = s.entries[at(i)].next) {
        if (n == 256) return false;
        order[n++] = i;
      }
  std::sort(order, order + n, [&](auto x, auto y) { return s.entries[at(x)].age < s.entries[at(y)].age; });
  m_places.assign(s.entries.size(), -1);
  m_aside.assign(s.entries.size(), 0);
  for (int i = 0; i < n; ++i) {
    const entry& e = s.entries[at(order[i])];
    m_places[at(order[i])] = static_cast<std::int16_t>(i);
    // A block does not know since when one was inside that was stale before it.
    m_aside[at(order[i])] = static_cast<char>(((recorded && e.stale >= 0) || is_stale(e)) && is_aside(order[i]));
  }
  order_seats(order, n);
  book_idle(order, n);

  // Where a source's pace is, in clocks and what is left of one. What else it has to give is what a block asks of it.
  a.put(static_cast<std::int64_t>(s.sources.size()));
  for (std::size_t i = 0; i < s.sources.size(); ++i) {
    const source_state& q = s.sources[i];
    if (q.head < 0) continue;
    const work& w = m_pool[at(q.head)];
    if (!keeps_pace(w)) continue;
    m_table->paced = true;
    a.put(static_cast<std::int64_t>(i));
    for (const std::int64_t fs : {until_ready_fs(w), w.pace_fs}) {
      const std::int64_t rest = fs % m_setup.t.tck_fs;
      a.put(fs / m_setup.t.tck_fs);
      a.put(rest);
    }
  }
  a.put(-1);

  // Periods get their names in the order in which the queue has them: rows are only ever asked whether they are the
  // same.
  m_names.clear();
  m_stale.clear();
  a.put(n);
  for (int i = 0; i < n; ++i) {
    const entry& e = s.entries[at(order[i])];
    const bool aside = m_aside[at(order[i])] != 0, stale = (recorded && e.stale >= 0) || is_stale(e);
    a.put((e.write ? write_bit : 0) | (stale ? stale_bit : 0) |
          (aside ? aside_bit : e.source | e.found << found_shift));
    if (stale) m_stale.push_back({e.sequence, e.arrival, e.burst, e.source, e.stale, e.write, aside, e.found});
    if (aside) continue;
    const std::int64_t period = m_setup.period_of(e.burst);
    std::size_t name = 0;
    while (name < m_names.size() && m_names[name] != period) ++name;
    a.put(static_cast<std::int64_t>(name));
    if (name == m_names.size()) {
      m_names.push_back(period);
      a.put(m_setup.stretch_of_period(period));
      a.put(m_seat_place[at(m_setup.seat_of_period(period))]);
    }
    a.put(e.burst - period * m_setup.period);
    if (stale) continue;
    a.put(s.sources[at(e.source)].admitted - e.sequence);
    a.put(e.arrival - s.cursor);
  }
  m_known = m_names.size();
  // Banks refer to entries by index: put places for the time of writing.
  std::int16_t candidate[1024], owner[1024];
  for (std::size_t i = 0; i < s.banks.size(); ++i) {
    auto& b = s.banks[i];
    candidate[i] = b.candidate, owner[i] = b.owner;
    if (b.candidate >= 0) b.candidate = m_places[at(b.candidate)];
    if (b.owner >= 0) b.owner = m_places[at(b.owner)];
  }
  const std::int16_t urgent = s.urgent;
  if (s.urgent >= 0) s.urgent = m_places[at(s.urgent)];
  m_named = true;
  visit(a);
  m_named = false;
  for (std::size_t i = 0; i < s.banks.size(); ++i) s.banks[i].candidate = candidate[i], s.banks[i].owner = owner[i];
  s.urgent = urgent;
  return a.fits();
}

/// Back from the table's state to a channel that can be simulated.
void channel::materialise() {
  const auto& words = m_table->at_state(m_state).words;
  auto a = state_visitor::reader(words.data(), s.cursor);
  a.take();
  while (a.take() >= 0)
    for (int k = 0; k < 4; ++k) a.take();
  m_names.resize(m_known);
  const auto n = static_cast<int>(a.take());
  for (auto& b : s.banks) b.head[0] = b.head[1] = b.tail[0] = b.tail[1] = -1;
  for (auto& r : s.ranks) r.requests = r.owners = 0;
  s.queues->clear();
  std::size_t named = 0;
  std::int16_t stale = 0;
  for (int i = 0; i < n; ++i) {
    entry& e = s.entries[at(i)];
    const std::int64_t flags = a.take();
    e.source = static_cast<std::int16_t>(flags & source_mask);
    e.write = (flags & write_bit) != 0;
    e.found = static_cast<std::uint8_t>(flags >> found_shift);
    e.age = s.next_age++;
    if ((flags & aside_bit) == 0) {
      const auto name = static_cast<std::size_t>(a.take());
      if (name == named) {
        ++named;
        a.take();
        a.take();
      }
      e.burst = m_names[name] * m_setup.period + a.take();
    }
    if ((flags & stale_bit) != 0) {
      e.stale = stale++;
      const stale_request& r = m_stale[at(e.stale)];
      e.sequence = r.sequence;
      e.arrival = r.arrival;
      if (r.aside) {
        e.source = r.source;
        e.found = r.found;
        e.burst = r.burst;
      }
    }
    const source_state& q = s.sources[at(e.source)];
    if ((flags & stale_bit) == 0) {
      e.stale = -1;
      e.sequence = q.admitted - a.take();
      e.arrival = s.cursor + a.take();
    }
    e.work = q.oldest;
    while (e.sequence >= m_pool[at(e.work)].position) e.work = m_pool[at(e.work)].link;
    const local_location where = m_setup.map.decode_local(e.burst);
    e.row = where.row;
    e.column = where.column;
    e.bank = static_cast<std::int16_t>(m_setup.bank_of(where));
    bank_state& bank = s.banks[at(e.bank)];
    const int l = list_of(e.write);
    e.next = -1;
    e.prev = bank.tail[l];
    if (e.prev >= 0)
      s.entries[at(e.prev)].next = static_cast<std::int16_t>(i);
    else
      bank.head[l] = static_cast<std::int16_t>(i);
    bank.tail[l] = static_cast<std::int16_t>(i);
    s.queues->entered(e.bank, e.write);
    ++s.ranks[at(where.rank)].requests;
  }
  const int entries = static_cast<int>(s.entries.size());
  for (int i = n; i < entries; ++i) s.entries[at(i)].next = static_cast<std::int16_t>(i + 1 < entries ? i + 1 : -1);
  s.free = static_cast<std::int16_t>(n < entries ? n : -1);

  m_named = true;
  visit(a);
  m_named = false;
  s.waiting.clear();
  std::fill(s.timed.begin(), s.timed.end(), 0);
  for (int b = 0; b < m_setup.banks; ++b) {
    bank_state& bank = s.banks[at(b)];
    if (bank.candidate >= 0) choose(b, bank.candidate, bank.kind);
    if (bank.candidate < 0 && m_setup.timed && bank.row >= 0) set_bit(s.timed, b);
    if (bank.owner < 0) continue;
    ++s.ranks[at(m_setup.place[at(b)].rank)].owners;
    s.queues->opened_row(b, s.entries[at(bank.owner)].write);
  }
  s.pending_ranks = 0;
  s.next_due = no_time;
  for (const auto& r : s.ranks) {
    s.pending_ranks += r.pending ? 1 : 0;
    s.next_due = std::min(s.next_due, r.due);
    if (!r.pending && r.debt > 0 && r.requests == 0) s.next_due = std::min(s.next_due, s.cursor);
  }
  m_replaying = m_closed = false;
  m_block = -1;
  m_valid = m_next_finish = no_time;
  m_scanned = m_admission_known = m_mode_known = false;
}

}  // namespace memwall::dram
