// SPDX-License-Identifier: Apache-2.0
// The channel's side of exact replay: whether a block is what happens next.
#include <algorithm>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {

/// Whether the next `count` bursts of a work lie in one stretch of periods (of a mix its reads and its writes in one
/// each).
bool channel::in_stretches(const work& w, std::int64_t from, std::int64_t count) const {
  if (m_setup.one_stretch) return true;
  const auto one = [&](std::int64_t first, std::int64_t n) {
    return n == 0 || m_setup.stretch_of_period(m_setup.period_of(first)) ==
                         m_setup.stretch_of_period(m_setup.period_of(first + n - 1));
  };
  if (!w.mixed()) return one(from, count);
  return std::all_of(std::begin(directions), std::end(directions), [&](bool write) {
    const std::int64_t begin = w.share(write, from);
    return one((write ? w.write_from : w.read_from) + begin, w.share(write, from + count) - begin);
  });
}

replay_run channel::run_at(const work& w, std::int64_t from, std::int64_t count) const {
  const auto part = [&](std::int64_t burst) {
    const std::int64_t period = m_setup.period_of(burst);
    return replay_run::part{burst - period * m_setup.period, m_setup.stretch_of_period(period)};
  };
  replay_run r;
  r.count = static_cast<std::int32_t>(count);
  if (!w.mixed()) {
    r.write = w.write;
    r.parts[0] = part(from);
    return r;
  }
  r.reads = w.reads;
  r.writes = w.writes;
  r.place = static_cast<std::int32_t>(from % (w.reads + w.writes));
  r.parts[0] = part(w.read_from + w.share(false, from));
  r.parts[1] = part(w.write_from + w.share(true, from));
  return r;
}

/// Whether the period's seat may be the one that a block has at this place: it is, or both places are alike and
/// neither is another one's; then they change.
bool channel::takes_seat(std::int64_t period, int place) {
  const std::int16_t seat = m_setup.seat_of_period(period);
  const std::int16_t mine = m_seat_place[at(seat)];
  const std::uint64_t here = std::uint64_t{1} << place, there = std::uint64_t{1} << mine;
  if (mine != place) {
    const auto& alike = m_table->at_state(m_state).alike;
    if (alike[at(mine)] != alike[at(place)] || (m_taken & (here | there)) != 0) return false;
    set_seat(mine, m_seats[at(place)]);
    set_seat(place, seat);
  }
  m_taken |= here;
  return true;
}

/// Whether the next work of a source has all that a block asks for, and more of the same: what a long stream is asked
/// most of the time. False: try_feed() knows.
bool channel::flows_on(const replay_block& b, const replay_feed& f, std::size_t name) {
  const source_state& q = s.sources[f.source];
  if (q.head < 0 || f.runs.size() != 1 || f.paced || b.drains) return false;
  const work& w = m_pool[at(q.head)];
  const replay_run& r = f.runs.front();
  if (w.mixed() || r.reads != 0 || w.pace_fs != 0 || w.arrival > s.cursor || w.end - w.next <= r.count) return false;
  const std::int64_t period = m_setup.period_of(w.next);
  if (w.write != r.write || (!f.last && f.write_behind != w.write) ||
      w.next - period * m_setup.period != r.parts[0].phase || m_setup.stretch_of_period(period) != r.parts[0].stretch ||
      !in_stretches(w, w.next, r.count))
    return false;
  const std::size_t named = m_names.size();
  const std::uint64_t taken = m_taken;
  for (std::size_t i = name; i < f.names_to; ++i) {
    const std::size_t expected = at(b.names[i]);
    const std::int64_t mine = period + static_cast<std::int64_t>(i - name);
    bool same = expected >= m_names.size() || m_names[expected] == mine;
    if (expected >= m_names.size()) {
      for (const std::int64_t known : m_names) same = same && known != mine;
      same = same && takes_seat(mine, b.places[i]);
      m_names.push_back(mine);
    }
    if (same) continue;
    m_names.resize(named);
    m_taken = taken;
    return false;
  }
  return true;
}

/// Whether a source gives a block what it asks for; `part`: up to m_valid.
channel::fit channel::try_feed(const replay_block& b, const replay_feed& f, std::size_t& name) {
  const source_state& q = s.sources[f.source];
  std::int64_t n = 0;
  const auto entry_clock = [&](std::int64_t i) { return s.cursor + b.admissions[b.admission_of(f.source, i)].clock; };
  const auto until = [&](clocks_t clock) {
    for (; name < f.names_to; ++name)  // periods that nobody knows yet
      if (at(b.names[name]) == m_names.size()) m_names.push_back(-1);
    m_closed = false;
    m_valid = std::min(m_valid, clock);
    return clock > s.cursor ? fit::part : fit::no;
  };
  // Another burst than the block's may do something from the moment on in which it is the source's next one; and the
  // block's is missed when it enters.
  const auto differs = [&](const work& w) {
    return until(std::min(std::max(w.arrival, n > 0 ? entry_clock(n - 1) : s.cursor), entry_clock(n)));
  };
  const auto same_name = [&](std::int64_t period) {
    const std::size_t expected = at(b.names[name++]);
    if (expected < m_names.size()) return m_names[expected] == period;
    if (std::find(m_names.begin(), m_names.end(), period) != m_names.end()) return false;
    if (!takes_seat(period, b.places[name - 1])) return false;
    m_names.push_back(period);
    return true;
  };
  std::int32_t i = q.head;
  std::int64_t from = i >= 0 ? m_pool[at(i)].next : 0;
  for (const replay_run& r : f.runs) {
    std::int64_t left = r.count;
    while (left > 0) {
      if (i < 0) return until(entry_clock(n));
      const work& w = m_pool[at(i)];
      if (w.pace_fs != 0) {
        // At its pace as recorded (the state has its phase), or so far behind it that all bursts could enter now.
        if (n > 0) return differs(w);
        if (w.arrival > s.cursor) return fit::no;
        if (f.paced ? paced_left(w) <= f.admitted : ready_now(w) < f.admitted) return fit::no;
      } else if (f.paced) {
        return fit::no;
      }
      if (left == r.count) {
        const std::size_t before = name, named = m_names.size();
        const std::uint64_t taken = m_taken;
        bool same = r.same(run_at(w, from, r.count)) && in_stretches(w, from, r.count);
        if (same) for_each_period(w, from, r.count, [&](std::int64_t k) { same = same && same_name(k); });
        if (!same) {
          name = before;
          m_names.resize(named);
          m_taken = taken;
          return differs(w);
        }
      }
      if (w.arrival > s.cursor && w.arrival > entry_clock(n)) return until(entry_clock(n));
      const std::int64_t taken = std::min(left, w.end - from), expected = from + taken;
      left -= taken;
      n += taken;
      from = expected;
      if (from < w.end) continue;
      i = w.link;
      if (i < 0) continue;
      const work& next = m_pool[at(i)];
      from = next.next;
      if (left > 0 && (w.mixed() || next.mixed() || next.write != r.write || from != expected)) return differs(next);
    }
  }
  if (f.last) return fit::whole;
  if (i < 0) {
    m_closed = false;
  } else if (const work& w = m_pool[at(i)]; b.drains || w.write_at(from) != f.write_behind) {
    const clocks_t clock = std::max(w.arrival, n > 0 ? entry_clock(n - 1) : s.cursor);
    if (clock <= s.cursor + b.duration) return until(clock);
  }
  return fit::whole;
}

/// Whether the requests that were set aside are those that a block comes to.
bool channel::aside_fits(const replay_block& b) {
  if (b.asides.empty()) return true;
  std::size_t i = 0;
  for (const stale_request& r : m_stale) {
    if (!r.aside) continue;
    const auto& asked = b.asides[i++];
    const std::int64_t period = m_setup.period_of(r.burst);
    if (r.found != asked.found || r.burst - period * m_setup.period != asked.burst.phase ||
        m_setup.stretch_of_period(period) != asked.stretch)
      return false;
    const std::size_t expected = at(asked.burst.name);
    if (expected < m_names.size()) {
      if (m_names[expected] != period) return false;
      continue;
    }
    if (std::find(m_names.begin(), m_names.end(), period) != m_names.end() || !takes_seat(period, asked.place))
      return false;
    m_names.push_back(period);
  }
  return true;
}

/// Whether the banks that the block wants, and the state does not know, are as the block found them.
bool channel::rows_fit(const replay_block& b) const {
  const std::uint64_t unknown = m_table->at_state(m_state).interchangeable & ~m_taken;
  for (const auto& look : b.looks) {
    if ((unknown >> look.seat & 1) != 0) continue;  // which seat the block means is known once a burst wants it
    const std::int64_t row = s.banks[at(bank_of(look.seat, look.bank))].row;
    if ((row < 0) != (look.is == replay_block::look::what::closed)) return false;
    if (row < 0) continue;
    bool wanted = look.is == replay_block::look::what::open && m_names[at(look.row.name)] >= 0;
    if (wanted) {
      if (row != row_of(look.row.name, look.row.offset)) return false;
      continue;
    }
    for (int i = look.from; i < look.to; ++i) {
      const auto& w = b.wanted[at(i)];
      if (m_names[at(w.name)] >= 0 && row == row_of(w.name, w.offset)) return false;
    }
  }
  return std::all_of(b.rank_looks.begin(), b.rank_looks.end(), [&](const replay_block::rank_look& look) {
    return (s.ranks[at(look.rank)].open > look.known) == look.others;
  });
}

/// Whether a block is what happens next. `part`: as far as is known, up to m_valid.
channel::fit channel::try_block(const replay_block& b) {
  if (!b.refreshed) {
    for (const auto& r : s.ranks)
      if (s.cursor + b.duration >= r.due) return fit::no;
  } else {
    for (std::size_t r = 0; r < s.ranks.size(); ++r)
      if (s.ranks[r].due - s.cursor != b.due[r]) return fit::no;
  }
  if (expires(s.cursor + b.duration) || (b.drains && m_expects_more)) return fit::no;
  m_names.resize(m_known);
  m_taken = 0;
  if (!aside_fits(b)) return fit::no;
  m_valid = no_time;
  m_closed = true;
  fit out = fit::whole;
  std::size_t name = 0, known = 0;
  for (const replay_feed& f : b.feeds) {
    if (flows_on(b, f, name)) {
      name = f.names_to;
      continue;
    }
    const fit one = try_feed(b, f, name);
    if (one == fit::no) return fit::no;
    if (one == fit::part) out = fit::part;
  }
  for (std::size_t i = 0; i < s.sources.size() && s.sources.size() != b.feeds.size(); ++i) {
    if (known < b.feeds.size() && b.feeds[known].source == i) {
      ++known;
      continue;
    }
    const source_state& q = s.sources[i];
    if (q.head < 0) continue;
    const clocks_t clock = std::max(s.cursor, m_pool[at(q.head)].arrival);
    if (clock > s.cursor + b.duration) continue;
    if (clock <= s.cursor) return fit::no;
    m_valid = std::min(m_valid, clock);
    out = fit::part;
  }
  if (!rows_fit(b)) return fit::no;
  if (out == fit::part) m_closed = false;
  return out;
}

/// The block that leaves the current state now, if it is known, as far as it is certain.
channel::fit channel::find_block(clocks_t limit) {
  auto& from = m_table->at_state(m_state);
  if (from.longer >= 0) {  // one that is applied at once
    const auto& b = m_table->at_block(from.longer);
    if (s.cursor + b.duration < limit && try_block(b) == fit::whole) {
      m_block = from.longer;
      return fit::whole;
    }
  }
  auto& blocks = from.blocks;
  m_block = -1;
  clocks_t longest = -1;
  const auto is_whole = [&](std::int32_t i) {
    const fit f = try_block(m_table->at_block(i));
    if (f == fit::whole || (f == fit::part && m_valid > longest)) {
      longest = m_valid;
      m_block = i;
    }
    return f == fit::whole;
  };
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    if (!is_whole(blocks[k])) continue;
    const auto place = blocks.begin() + static_cast<std::ptrdiff_t>(k);
    std::rotate(blocks.begin(), place, place + 1);
    return fit::whole;
  }
  if (const clocks_t due = s.ranks.front().due - s.cursor; due <= from.latest_due)
    for (const auto& refreshed : from.refreshed)
      if (refreshed.due == due && is_whole(refreshed.block)) return fit::whole;
  if (m_block < 0) return fit::no;
  try_block(m_table->at_block(m_block));
  return fit::part;
}

}  // namespace memwall::dram
