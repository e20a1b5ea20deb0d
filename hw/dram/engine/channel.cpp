// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/channel.h"

#include <algorithm>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {

namespace {
/// No constraint reaches further back than this.
constexpr clocks_t long_ago = -(clocks_t{1} << 40);

}  // namespace

channel::channel(const channel_setup& setup, int index, replay_table* table, clock_histogram* latency)
    : m_setup(setup), m_index(index), m_latency(latency), m_table(table) {
  bank_state b{};
  std::fill(std::begin(b.t), std::end(b.t), 0);
  b.row = -1;
  b.acted = b.act_ready = b.used = long_ago;
  b.head[0] = b.head[1] = b.tail[0] = b.tail[1] = b.candidate = b.owner = -1;
  s.banks.assign(at(setup.banks), b);
  s.waiting = candidates(setup.banks, setup.ranks);
  s.groups.assign(at(setup.groups), group_state{});
  rank_state r{};
  std::fill(std::begin(r.faw), std::end(r.faw), long_ago);
  r.blocked_from = r.blocked_to = long_ago;
  s.ranks.assign(at(setup.ranks), r);
  for (int i = 0; i < setup.ranks; ++i) {
    s.ranks[at(i)].due = setup.first_refresh(index, i);
    s.next_due = std::min(s.next_due, s.ranks[at(i)].due);
  }
  bus_state bus{};
  bus.last_rank = -1;
  s.buses.assign(at(setup.buses), bus);
  s.order = policy_of_channel(setup.make_scheduler());
  s.pages = policy_of_channel(setup.make_page_policy());
  s.refresh = policy_of_channel(setup.make_refresh());
  s.queues = policy_of_channel(setup.make_queues());
  s.front = policy_of_channel(setup.make_front_end());
  const int entries = setup.entries;
  s.entries.resize(at(entries));
  for (int i = 0; i < entries; ++i) s.entries[at(i)].next = static_cast<std::int16_t>(i + 1 < entries ? i + 1 : -1);
  s.free = 0;
  s.timed.assign(at((setup.banks + 63) / 64), 0);
  m_seats.resize(at(setup.seats));
  m_seat_place.resize(at(setup.seats));
  for (int i = 0; i < setup.seats; ++i) set_seat(i, static_cast<std::int16_t>(i));
}

void channel::tell(command c, clocks_t t, int rank, int b, std::int64_t row, int column) {
  command_record r;
  r.cycle = t;
  r.kind = c;
  r.channel = m_index;
  r.rank = rank;
  if (b >= 0) {
    const auto& p = m_setup.place[at(b)];
    r.bank_group = c == command::REFpb && m_setup.t.same_bank_refresh ? -1 : p.group_in_rank;
    r.bank = p.bank;
  }
  r.row = row;
  r.column = column;
  show_until(t);
  m_held.insert(std::upper_bound(m_held.begin(), m_held.end(), t,
                                 [](clocks_t x, const command_record& y) { return x < y.cycle; }),
                r);
}

/// Commands are decided on in the order of their first clocks and shown in that of their last ones.
void channel::show_until(clocks_t clock) {
  std::size_t n = 0;
  while (n < m_held.size() && m_held[n].cycle <= clock) m_listener->on_command(m_held[n++]);
  m_held.erase(m_held.begin(), m_held.begin() + static_cast<std::ptrdiff_t>(n));
}

// ---- Work and admission -------------------------------------------------------------------------------------------

int channel::push(int source, const work_order& order) {
  std::int32_t i;
  if (!m_free_works.empty()) {
    i = m_free_works.back();
    m_free_works.pop_back();
  } else {
    i = static_cast<std::int32_t>(m_pool.size());
    m_pool.emplace_back();
  }
  work& mine = m_pool[at(i)];
  static_cast<work_order&>(mine) = order;
  mine.reported = false;
  mine.remaining = mine.count = order.end - order.next;
  mine.link = -1;
  mine.entered = -1;
  mine.first_done = no_time;
  mine.done = 0;
  if (source >= static_cast<int>(s.sources.size())) s.sources.resize(at(source + 1));
  source_state& q = s.sources[at(source)];
  if (q.oldest < 0)
    q.oldest = i;
  else
    m_pool[at(q.tail)].link = i;
  if (q.head < 0) q.head = i;
  // A block that has all its bursts does not ask for what comes after them.
  if (q.head == i || !m_closed) {
    m_looked = false;
    m_recheck = true;
    m_quiet = -1;
  }
  q.tail = i;
  q.pushed += mine.count;
  mine.position = q.pushed;
  ++m_works;
  m_admission_known = false;
  return i;
}

/// Paced bursts come stripe by stripe (a burst for each channel), each no earlier than its stripe's last burst: all
/// channels of a memory see the same times.
clocks_t channel::ready_clock(const work& w) const {
  if (w.pace_fs == 0) return w.arrival;
  const std::int64_t channels = m_setup.map.channels(), j = w.count - (w.end - w.next);
  const std::int64_t fs = w.start_fs + std::min((j + 1) * channels - 1, w.last_paced) * w.pace_fs;
  return std::max(w.arrival, w.start + (fs + m_setup.t.tck_fs - 1) / m_setup.t.tck_fs);
}

void channel::find_admission() {
  m_admission_known = true;
  m_admission_time = no_time;
  const int n = static_cast<int>(s.sources.size());
  const bool space[2] = {s.queues->has_room(false), s.queues->has_room(true)};
  if (!space[0] && !space[1]) return;
  const clocks_t open = m_setup.gated ? later(s.cursor, s.front->open_at()) : s.cursor;
  if (n == 1) {  // mostly one core has all of a memory
    if (const std::int32_t head = s.sources[0].head; head >= 0 && space[m_pool[at(head)].write]) {
      m_admission_time = later(open, ready_clock(m_pool[at(head)]));
      m_admission_source = 0;
    }
    return;
  }
  for (int k = 0; k < n; ++k) {
    int i = s.turn + k;
    if (i >= n) i -= n;
    const source_state& q = s.sources[at(i)];
    if (q.head < 0) continue;
    const work& w = m_pool[at(q.head)];
    if (!space[w.write]) continue;
    const clocks_t t = later(open, ready_clock(w));
    if (t < m_admission_time) {
      m_admission_time = t;
      m_admission_source = i;
      if (t == open) break;
    }
  }
}

void channel::admit() {
  const clocks_t t = m_admission_time;
  source_state& q = s.sources[at(m_admission_source)];
  const std::int32_t wi = q.head;
  work& w = m_pool[at(wi)];
  s.cursor = t;
  s.turn = m_admission_source + 1;  // wrapped when used: the number of sources may grow
  m_admission_known = m_scanned = m_mode_known = false;

  const std::int64_t burst = w.burst_at(w.next);
  const local_location where = m_setup.map.decode_local(burst);
  const int b = m_setup.bank_of(where);
  const std::int16_t ei = s.free;
  entry& e = s.entries[at(ei)];
  s.free = e.next;
  e.arrival = t;
  e.age = s.next_age++;
  e.row = where.row;
  e.column = where.column;
  e.burst = burst;
  e.sequence = q.admitted;
  e.source = static_cast<std::int16_t>(m_admission_source);
  e.work = wi;
  e.bank = static_cast<std::int16_t>(b);
  e.write = w.write;
  e.found = 0;
  e.stale = -1;
  e.next = -1;
  s.queues->entered(b, w.write);
  if (m_setup.gated) s.front->entered(t);
  ++s.ranks[at(where.rank)].requests;

  const bus_state& bus = s.buses[at(bus_of(where.rank))];
  if (m_recorder != nullptr) {
    m_recorder->admissions.push_back(
        {static_cast<std::int32_t>(t - m_recorder->start), static_cast<std::uint16_t>(m_recorder->services.size()),
         m_recorder->served[at(bus_of(where.rank))], static_cast<std::uint8_t>(m_admission_source),
         static_cast<std::uint8_t>(bus_of(where.rank))});
    m_recorder->wanted.push_back({b, where.row, m_setup.period_of(burst)});
  }
  if (w.entered < 0) {
    w.entered = t;
    if (m_attribute) w.before = bus.by_cause;
  }
  ++q.admitted;
  ++w.next;
  if (w.mixed()) w.write = w.write_at(w.next);
  if (w.next == w.end) q.head = w.link;

  bank_state& bank = s.banks[at(b)];
  const int l = list_of(e.write);
  e.prev = bank.tail[l];
  if (e.prev >= 0)
    s.entries[at(e.prev)].next = ei;
  else
    bank.head[l] = ei;
  bank.tail[l] = ei;

  if (bank.owner >= 0 || l != current_list()) return;
  if (bank.candidate < 0) {
    pick(b);
  } else if (bank.kind == slot_pre && bank.row == e.row) {
    pick(b);
  }
}

void channel::set_mode() {
  m_mode_known = true;
  if (m_setup.unified) return;
  const bool before = s.write_mode;
  const int reads = s.queues->waiting(false), writes = s.queues->waiting(true);
  if (s.urgent >= 0)
    s.write_mode = s.entries[at(s.urgent)].write;
  else if (!s.write_mode)
    s.write_mode = writes > m_setup.high || (reads == 0 && writes > 0);
  else
    s.write_mode = writes > 0 && (writes > m_setup.low || reads == 0);
  if (s.write_mode == before) return;
  if (m_recorder != nullptr) m_recorder->turns = true;
  for (int b = 0; b < m_setup.banks; ++b) {
    const bank_state& bank = s.banks[at(b)];
    if (bank.head[0] >= 0 || bank.head[1] >= 0) pick(b);
  }
}

std::int16_t channel::oldest_waiting() const {
  std::int16_t found = -1;
  std::int64_t age = INT64_MAX;
  const int lists = m_setup.unified ? 1 : 2;
  for (const auto& bank : s.banks)
    for (int l = 0; l < lists; ++l)
      if (bank.head[l] >= 0 && s.entries[at(bank.head[l])].age < age) {
        age = s.entries[at(bank.head[l])].age;
        found = bank.head[l];
      }
  return found;
}

/// A request that waits too long goes before all others: bounds the wait whatever the scheduler prefers.
void channel::check_age() {
  s.since_check = 0;
  if (m_setup.params.age_limit == 0 || s.urgent >= 0) return;
  const std::int16_t e = oldest_waiting();
  if (e < 0 || s.cursor - s.entries[at(e)].arrival <= m_setup.params.age_limit) return;
  s.urgent = e;
  if (m_recorder != nullptr) m_recorder->turns = true;
  set_mode();
  pick(s.entries[at(e)].bank);
}

// ---- The loop -----------------------------------------------------------------------------------------------------

/// Issues what happens before `limit`. True when it stopped because a burst that ends a block has entered.
bool channel::simulate(clocks_t limit, bool to_the_end, bool stop_at_blocks) {
  if (m_expects_more && nothing_waits()) return false;
  while (true) {
    if (!m_admission_known) find_admission();
    bool enters = m_admission_time <= s.cursor && m_admission_time < limit && s.next_due > m_admission_time;
    if (!enters) {
      if (!m_scanned) scan();
      const clocks_t next = std::min(m_admission_time, m_command_time);
      if (next >= no_time && !to_the_end) return false;
      if (s.next_due <= next) {
        if (s.next_due >= limit) return false;
        if (!skip_idle(std::min(limit, m_admission_time))) refresh_due();
        continue;
      }
      if (next >= limit) return false;
      enters = m_admission_time < m_command_time;
    }
    if (!enters) {
      issue();
      continue;
    }
    admit();
    if (stop_at_blocks && at_block_boundary()) return true;
    if (m_expects_more && nothing_waits()) return false;
  }
}

/// Nothing is in the queue and nothing enters before `until`: when a round of refreshes has led from a state to the
/// same one, the rounds that fit are counted and not simulated. False: nothing has changed.
bool channel::skip_idle(clocks_t until) {
  const clocks_t round = clocks_t{m_setup.refresh_interval} * s.refresh->round(), start = s.next_due;
  if (until - start < 4 * round || m_skipping || m_listener != nullptr || m_recorder != nullptr) return false;
  if (start < s.cursor || s.pending_ranks > 0) return false;
  if (std::any_of(s.ranks.begin(), s.ranks.end(), [](const rank_state& r) { return r.requests > 0; })) return false;
  if (std::any_of(s.buses.begin(), s.buses.end(), [&](const bus_state& b) { return b.covered > start; })) return false;
  std::vector<std::int32_t> before, after;
  const bool fits = rest(start, before, false);
  channel_counts counts = m_counts;
  m_skipping = true;
  simulate(start + round, true, false);
  m_skipping = false;
  if (!rest(start + round, after, false) || !fits || before != after) return true;
  const std::int64_t rounds = (until - s.cursor) / round - 1;
  const channel_counts now = m_counts;
  m_counts.add(now, rounds);
  m_counts.add(counts, -rounds);
  s.cursor += rounds * round;
  auto v = state_visitor::reader(after.data(), s.cursor);
  visit(v);
  for (bus_state& b : s.buses) b.by_cause[at(static_cast<int>(cause::idle))] += rounds * round;
  for (rank_state& r : s.ranks) r.due += rounds * round;
  s.next_due += rounds * round;
  return true;
}

clocks_t channel::next_event() {
  if (!m_admission_known) find_admission();
  if (!m_scanned) scan();
  return std::min(m_admission_time, m_command_time);
}

clocks_t channel::next_completion() {
  if (m_replaying)
    return std::min(
        {m_next_finish, valid_until(),
         s.cursor + m_table->at_block(m_block).duration + std::min(m_setup.t.CL, m_setup.t.CWL) + m_setup.t.BL});
  const clocks_t t = next_event();
  if (t >= no_time) return no_time;
  return t + std::min(m_setup.t.CL, m_setup.t.CWL) + m_setup.t.BL;
}

clocks_t channel::completion_bound(int source, int i) {
  if (m_replaying) return replay_bound(source, m_pool[at(i)]);
  const clocks_t t = next_event();
  if (t >= no_time) return no_time;
  const work& w = m_pool[at(i)];
  const std::int64_t room = static_cast<std::int64_t>(s.entries.size()) - s.queued();
  const std::int64_t ahead = w.position - s.sources[at(source)].admitted - room;
  const std::int64_t bursts = std::max<std::int64_t>({w.remaining - 1, ahead, 0});
  // Bursts of different ranks may follow each other as closely as the bus allows.
  return t + bursts / m_setup.buses * m_setup.least_gap + latency_of(w) + m_setup.t.BL;
}

}  // namespace memwall::dram
