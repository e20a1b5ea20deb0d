// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/channel.h"

#include <algorithm>

#include "hw/dram/replay.h"

namespace memwall::dram {

namespace {
/// No constraint reaches further back than this.
constexpr clocks_t long_ago = -(clocks_t{1} << 40);

inline std::size_t at(int i) { return static_cast<std::size_t>(i); }
}  // namespace

channel::channel(const channel_setup& setup, int index, replay_table* table)
    : m_setup(setup), m_index(index), m_table(table) {
  bank_state b{};
  std::fill(std::begin(b.t), std::end(b.t), 0);
  b.row = -1;
  b.acted = b.act_ready = b.used = long_ago;
  b.timeout = setup.page_timeout;
  b.timed_out = -1;
  b.head[0] = b.head[1] = b.tail[0] = b.tail[1] = b.candidate = b.owner = -1;
  s.banks.assign(at(setup.banks), b);
  s.choices.resize(at(setup.banks));
  m_limits.resize(at(setup.ranks * slot_count));
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
  const int entries = setup.params.read_queue + setup.params.write_queue;
  s.entries.resize(at(entries));
  for (int i = 0; i < entries; ++i) s.entries[at(i)].next = static_cast<std::int16_t>(i + 1 < entries ? i + 1 : -1);
  s.free = 0;
  s.waiting.assign(at((setup.banks + 63) / 64), 0);
  s.timed.assign(s.waiting.size(), 0);
}

void channel::emit(command c, clocks_t t, int rank, int b, std::int64_t row, int column) {
  ++m_counts.commands[static_cast<std::size_t>(c)];
  if (m_listener == nullptr) return;
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
  m_listener->on_command(r);
}

// ---- Work and admission -------------------------------------------------------------------------------------------

int channel::push(int source, const work& w) {
  std::int32_t i;
  if (!m_free_works.empty()) {
    i = m_free_works.back();
    m_free_works.pop_back();
    m_pool[at(i)] = w;
  } else {
    i = static_cast<std::int32_t>(m_pool.size());
    m_pool.push_back(w);
  }
  work& mine = m_pool[at(i)];
  mine.remaining = mine.count = w.end - w.next;
  mine.link = -1;
  if (source >= static_cast<int>(s.sources.size())) s.sources.resize(at(source + 1));
  source_state& q = s.sources[at(source)];
  if (q.oldest < 0)
    q.oldest = i;
  else
    m_pool[at(q.tail)].link = i;
  if (q.head < 0) q.head = i;
  if (q.head == i && m_replaying) m_intruder = std::min(m_intruder, mine.arrival);
  // A block that has all its bursts does not ask for what comes after them.
  if (q.head == i || m_until != no_time || m_parting) {
    m_looked = false;
    m_quiet = -1;
  }
  q.tail = i;
  q.pushed += mine.count;
  mine.position = q.pushed;
  ++m_works;
  m_admission_known = false;
  return i;
}

/// Paced bursts come stripe by stripe (a burst for each channel), each no earlier than its stripe's last burst: all channels
/// of a memory see the same times.
clocks_t channel::ready_clock(const work& w) const {
  if (w.pace_fs == 0) return w.arrival;
  const std::int64_t channels = m_setup.map.channels(), j = w.count - (w.end - w.next);
  const std::int64_t fs = w.start_fs + std::min((j + 1) * channels - 1, w.last_paced) * w.pace_fs;
  return std::max(w.arrival, (fs + m_setup.t.tck_fs - 1) / m_setup.t.tck_fs);
}

void channel::find_admission() {
  m_admission_known = true;
  m_admission_time = no_time;
  const int n = static_cast<int>(s.sources.size());
  const bool space[2] = {s.count[0] < m_setup.params.read_queue, s.count[1] < m_setup.params.write_queue};
  if (!space[0] && !space[1]) return;
  for (int k = 0; k < n; ++k) {
    int i = s.turn + k;
    if (i >= n) i -= n;
    const source_state& q = s.sources[at(i)];
    if (q.head < 0) continue;
    const work& w = m_pool[at(q.head)];
    if (!space[w.write]) continue;
    const clocks_t t = std::max(s.cursor, ready_clock(w));
    if (t < m_admission_time) {
      m_admission_time = t;
      m_admission_source = i;
      if (t == s.cursor) break;
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
  m_admission_known = false;
  m_scanned = false;

  const local_location where = m_setup.map.decode_local(w.next);
  const int b = (where.rank * m_setup.org.bank_groups + where.bank_group) * m_setup.org.banks_per_group + where.bank;
  const std::int16_t ei = s.free;
  entry& e = s.entries[at(ei)];
  s.free = e.next;
  e.arrival = t;
  e.age = s.next_age++;
  e.row = where.row;
  e.column = where.column;
  e.burst = w.next;
  e.sequence = q.admitted;
  e.source = static_cast<std::int16_t>(m_admission_source);
  e.work = wi;
  e.bank = static_cast<std::int16_t>(b);
  e.write = w.write;
  e.found = 0;
  e.next = -1;
  ++s.count[w.write];
  ++s.ranks[at(where.rank)].requests;

  const bus_state& bus = s.buses[at(bus_of(where.rank))];
  if (m_recorder != nullptr)
    m_recorder->admissions.push_back({static_cast<std::int32_t>(t - m_recorder->start),
                                      static_cast<std::uint16_t>(m_recorder->services.size()),
                                      static_cast<std::uint8_t>(m_admission_source), static_cast<std::uint8_t>(bus_of(where.rank))});
  if (w.entered < 0) {
    w.entered = t;
    w.before = bus.by_cause;
  }
  ++q.admitted;
  q.position = ++w.next;
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
  } else if (bank.kind == slot_pre && bank.row == e.row && !m_setup.fcfs && s.urgent != bank.candidate &&
             !(m_setup.capped && bank.hits >= m_setup.params.cap)) {
    choose(b, ei, e.write ? slot_wr : slot_rd);
  }
}

/// Chooses the request that a bank works for, and its next command.
void channel::pick(int b) {
  bank_state& bank = s.banks[at(b)];
  clear_bit(s.timed, b);
  if (bank.owner >= 0) {
    choose(b, bank.owner, s.entries[at(bank.owner)].write ? slot_wr : slot_rd);
    set_bit(s.waiting, b);
    return;
  }
  const std::int16_t head = bank.head[current_list()];
  if (head < 0) {
    bank.candidate = -1;
    clear_bit(s.waiting, b);
    if (m_setup.page_timeout > 0 && bank.row >= 0) set_bit(s.timed, b);
    return;
  }
  set_bit(s.waiting, b);
  std::int16_t chosen = head;
  if (s.urgent >= 0 && s.entries[at(s.urgent)].bank == b) {
    chosen = s.urgent;
  } else if (bank.row >= 0 && !m_setup.fcfs && !(m_setup.capped && bank.hits >= m_setup.params.cap)) {
    while (chosen >= 0 && s.entries[at(chosen)].row != bank.row) chosen = s.entries[at(chosen)].next;
    if (chosen < 0) chosen = head;
  }
  const entry& e = s.entries[at(chosen)];
  choose(b, chosen, bank.row < 0 ? slot_act : bank.row != e.row ? slot_pre : e.write ? slot_wr : slot_rd);
}

void channel::set_mode() {
  if (m_setup.unified) return;
  const bool before = s.write_mode;
  if (s.urgent >= 0)
    s.write_mode = s.entries[at(s.urgent)].write;
  else if (!s.write_mode)
    s.write_mode = s.count[1] > m_setup.high || (s.count[0] == 0 && s.count[1] > 0);
  else
    s.write_mode = s.count[1] > 0 && (s.count[1] > m_setup.low || s.count[0] == 0);
  if (s.write_mode == before) return;
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
  set_mode();
  pick(s.entries[at(e)].bank);
}

/// May bank `b` have its command, with a refresh pending, an urgent request, or in order only (`first`: the oldest one)?
bool channel::may_go(int b, std::int16_t first) const {
  const bank_state& bank = s.banks[at(b)];
  if (m_setup.fcfs && bank.kind >= slot_rd && bank.candidate != first) return false;
  if (bank.owner >= 0) return true;
  if (s.ranks[at(m_setup.place[at(b)].rank)].pending &&
      (m_setup.refresh == channel_setup::refresh_mode::all_bank || bank.blocked))
    return false;
  return s.urgent < 0 || s.entries[at(s.urgent)].bank == b;
}

// ---- Choice of the next command -----------------------------------------------------------------------------------

void channel::scan() {
  set_mode();
  m_scanned = true;
  m_command_bank = m_command_rank = -1;
  clocks_t best = no_time;
  std::int64_t best_age = INT64_MAX;

  clocks_t bus[slot_count];
  for (int k = 0; k < slot_count; ++k)
    bus[k] = std::max(s.cursor, s.bus_free[m_setup.t.dual_command_bus && k >= slot_rd] + m_setup.length[at(k)] - 1);
  for (int r = 0; r < m_setup.ranks; ++r)
    for (int k = 0; k < slot_count; ++k) m_limits[at(r * slot_count + k)] = std::max(s.ranks[at(r)].t[k], bus[k]);

  // Which bank is next is as good as random: a branch on it mispredicts. The earliest command, the oldest request among
  // equals, as one number: clocks from now, place in the order of arrival, bank.
  constexpr int bank_bits = 10, age_bits = 30;
  constexpr std::int64_t oldest = (std::int64_t{1} << age_bits) - 1;
  static_assert(sizeof(group_state) == slot_count * sizeof(clocks_t), "choice::in_group indexes all groups' clocks");
  const bool restricted = s.pending_ranks > 0 || s.urgent >= 0 || m_setup.fcfs;
  const std::int16_t first = m_setup.fcfs ? oldest_waiting() : std::int16_t{-1};
  const choice* const choices = s.choices.data();
  const clocks_t* const groups = s.groups.data()->t;
  const clocks_t* const limits = m_limits.data();
  const std::int64_t base = s.next_age - oldest;
  std::uint64_t least = UINT64_MAX;
  for (std::size_t word = 0; word < s.waiting.size(); ++word) {
    std::uint64_t bits = s.waiting[word];
    while (bits != 0) {
      const int b = static_cast<int>(word * 64) + __builtin_ctzll(bits);
      bits &= bits - 1;
      if (restricted && !may_go(b, first)) continue;
      const choice& c = choices[b];
      const clocks_t t = std::max(c.own, std::max(groups[c.in_group], limits[c.in_rank]));
      const std::uint64_t key = static_cast<std::uint64_t>(t - s.cursor) << (age_bits + bank_bits) |
                                static_cast<std::uint64_t>(c.age > base ? c.age - base : 0) << bank_bits |
                                static_cast<std::uint64_t>(b);
      least = key < least ? key : least;
    }
  }
  if (least != UINT64_MAX) {
    m_command_bank = static_cast<int>(least & ((1u << bank_bits) - 1));
    best = s.cursor + static_cast<clocks_t>(least >> (age_bits + bank_bits));
    best_age = choices[m_command_bank].age;
  }
  if (m_setup.page_timeout > 0) scan_timed(bus, best, best_age);
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
      if (rank.pending && (m_setup.refresh == channel_setup::refresh_mode::all_bank || bank.blocked)) continue;
      const clocks_t t = std::max({bank.t[slot_pre], bus[slot_pre], rank.t[slot_pre], bank.used + bank.timeout});
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
  const bool all = m_setup.refresh == channel_setup::refresh_mode::all_bank;
  // Rows that were opened for a request are used before they are closed (fcfs may have opened them far ahead).
  if (all && rank.owners > 0 && !m_setup.fcfs) return;
  bool open = false;
  clocks_t pre = 0, act = 0;
  int which = -1;
  for (int b = first; b < first + per_rank; ++b) {
    const bank_state& bank = s.banks[at(b)];
    if (!all && !bank.blocked) continue;
    if (!all && bank.owner >= 0 && !m_setup.fcfs) return;
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

/// Marks the banks that the next per-bank refresh of a rank takes.
void channel::block_banks(int r) {
  const int groups = m_setup.org.bank_groups, per_group = m_setup.org.banks_per_group;
  const int first = r * m_setup.org.banks_per_rank(), wanted = s.ranks[at(r)].refresh_bank;
  for (int g = 0; g < groups; ++g)
    for (int k = 0; k < per_group; ++k) {
      // Consecutive refreshes go to different bank groups.
      const bool chosen = m_setup.t.same_bank_refresh ? k == wanted : k * groups + g == wanted;
      if (chosen) s.banks[at(first + g * per_group + k)].blocked = true;
    }
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
      if (m_setup.refresh == channel_setup::refresh_mode::per_bank) block_banks(r);
    }
    next = std::min(next, rank.due);
  }
  s.next_due = next;
}

// ---- The loop -----------------------------------------------------------------------------------------------------

/// Issues what happens before `limit`. True when it stopped because a burst that ends a block has entered.
bool channel::simulate(clocks_t limit, bool to_the_end, bool stop_at_blocks) {
  while (true) {
    if (!m_admission_known) find_admission();
    if (m_admission_time <= s.cursor && m_admission_time < limit && s.next_due > m_admission_time) {
      admit();
      if (stop_at_blocks && at_block_boundary()) return true;
      continue;
    }
    if (!m_scanned) scan();
    const clocks_t next = std::min(m_admission_time, m_command_time);
    if (next >= no_time && !to_the_end) return false;
    if (s.next_due <= next) {
      if (s.next_due >= limit) return false;
      refresh_due();
      continue;
    }
    if (next >= limit) return false;
    if (m_admission_time < m_command_time) {
      admit();
      if (stop_at_blocks && at_block_boundary()) return true;
    } else {
      issue();
    }
  }
}

clocks_t channel::next_event() {
  if (!m_admission_known) find_admission();
  if (!m_scanned) scan();
  return std::min(m_admission_time, m_command_time);
}

clocks_t channel::next_completion() {
  if (m_replaying)
    return std::min({m_next_finish, valid_until(),
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
  const std::int64_t room = static_cast<std::int64_t>(s.entries.size()) - s.count[0] - s.count[1];
  const std::int64_t ahead = w.position - s.sources[at(source)].admitted - room;
  const std::int64_t bursts = std::max<std::int64_t>({w.remaining - 1, ahead, 0});
  // Bursts of different ranks may follow each other as closely as the bus allows.
  return t + bursts / m_setup.buses * m_setup.least_gap + (w.write ? m_setup.t.CWL : m_setup.t.CL) + m_setup.t.BL;
}

}  // namespace memwall::dram
