// SPDX-License-Identifier: Apache-2.0
// The channel's side of exact replay: when it may be used, recording a block, replaying it.
#include <algorithm>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {

namespace {
constexpr std::int64_t longest_block = 1 << 14;  ///< admissions; a block ends where its first source has entered enough
constexpr int misses_before_rest =
    512;  ///< unsuccessful lookups in a row after which a channel stops asking for a while

/// Index of the n-th burst of a source among a block's admissions.
std::size_t admission_of(const replay_table::block& b, int source, std::int64_t n) {
  if (b.flows.size() == 1) return at(n);
  std::size_t i = 0;
  for (;; ++i)
    if (b.admissions[i].source == source && n-- == 0) return i;
}
}  // namespace

/// A boundary: the first source that has work has entered a multiple of the block.
bool channel::at_block_boundary() const {
  if (m_recorder != nullptr && m_recorder->admissions.size() >= at(longest_block)) return true;
  for (const source_state& q : s.sources)
    if (q.head >= 0) return m_pool[at(q.head)].next % m_setup.params.replay_block == 0;
  return false;
}

/// Bursts that every source must have for a block, and one more.
std::int64_t channel::wanted_bursts() const {
  int feeding = 0;
  for (const source_state& q : s.sources) feeding += q.head >= 0 ? 1 : 0;
  return std::int64_t{m_setup.params.replay_block} * (feeding > 1 ? 2 : 1) + 2;
}

/// Of a paced work: time from now until its next burst may enter, in femtoseconds (negative: it could have).
std::int64_t channel::until_ready_fs(const work& w) const {
  const std::int64_t j = w.count - (w.end - w.next);
  return w.start_fs + ((j + 1) * m_setup.map.channels() - 1) * w.pace_fs - (s.cursor - w.start) * m_setup.t.tck_fs;
}

/// Its bursts in whole stripes, which come in equal steps.
std::int64_t channel::paced_left(const work& w) const {
  const std::int64_t j = w.count - (w.end - w.next);
  return std::min(w.end - w.next, (w.last_paced + 1) / m_setup.map.channels() - j);
}

/// Those of them that may enter now.
std::int64_t channel::ready_now(const work& w) const {
  const std::int64_t fs = until_ready_fs(w);
  return fs > 0 ? 0 : std::clamp<std::int64_t>(-fs / (m_setup.map.channels() * w.pace_fs) + 1, 0, paced_left(w));
}

/// A paced work whose pace decides when its bursts enter; one that lags behind it is like any other.
bool channel::keeps_pace(const work& w) const {
  return w.pace_fs != 0 && ready_now(w) < wanted_bursts();
}

/// Bursts that a source can give now, back to back or at its pace (counted up to the work in which they reach
/// `wanted`).
std::int64_t channel::available(const source_state& q, std::int64_t wanted) const {
  if (q.head < 0) return 0;
  if (const work& w = m_pool[at(q.head)]; w.pace_fs != 0)
    return w.arrival > s.cursor ? 0 : keeps_pace(w) ? paced_left(w) : ready_now(w);
  std::int64_t have = 0, expected = m_pool[at(q.head)].next;
  const bool write = m_pool[at(q.head)].write;
  for (std::int32_t i = q.head; i >= 0 && have < wanted; i = m_pool[at(i)].link) {
    const work& w = m_pool[at(i)];
    if (w.arrival > s.cursor || w.pace_fs != 0 || w.write != write || w.next != expected) break;
    have += w.end - w.next;
    expected = w.end;
  }
  return have;
}

/// Every source that has work can give a block's bursts and one more, back to back or at its pace, from one stretch of
/// rows.
bool channel::regular() const {
  const std::int64_t wanted = wanted_bursts();
  const std::int64_t stretch = m_setup.map.row_period_bursts() * m_setup.map.row_periods();
  if (std::none_of(s.sources.begin(), s.sources.end(), [](const source_state& q) { return q.head >= 0; })) return false;
  if (m_setup.map.row_periods() < 4 || s.sources.size() > 200) return false;
  for (const source_state& q : s.sources) {
    if (q.head < 0) continue;
    const std::int64_t next = m_pool[at(q.head)].next;
    if (next / stretch != (next + wanted) / stretch || available(q, wanted) < wanted) return false;
  }
  return true;
}

std::vector<std::uint16_t> channel::feeding_sources() const {
  std::vector<std::uint16_t> out;
  for (std::size_t i = 0; i < s.sources.size(); ++i) {
    if (s.sources[i].head < 0) continue;
    const work& w = m_pool[at(s.sources[i].head)];
    out.push_back(static_cast<std::uint16_t>(i | (w.write ? 256u : 0u) | (keeps_pace(w) ? 512u : 0u)));
  }
  return out;
}

bool channel::enter_replay() {
  auto& words = m_table->scratch;
  if (!normalise(words)) return false;
  const auto feed = feeding_sources();
  m_state = m_table->find_or_add(words, s.queued(), feed);
  m_replaying = true;
  m_block = -1;
  m_intruder = m_next_finish = no_time;
  m_looked = false;
  return true;
}

void channel::leave_replay() {
  m_quiet = m_until = -1;
  if (m_replaying) materialise();
}

void channel::listen(command_listener* l) {
  leave_replay();
  m_listener = l;
}

/// The block that leaves the current state now, if it is known.
void channel::find_block() {
  clocks_t due = no_time;
  for (const auto& r : s.ranks) due = std::min(due, r.due);
  for (const std::int32_t i : m_table->at_state(m_state).blocks) {
    const auto& b = m_table->at_block(i);
    bool same = true;
    if (!b.refreshed) {
      same = s.cursor + b.duration < due;
    } else {
      for (std::size_t r = 0; same && r < s.ranks.size(); ++r) same = s.ranks[r].due - s.cursor == b.due[r];
    }
    if (same) {
      m_block = i;
      return;
    }
  }
}

/// Simulates the next block on the side and writes it down; the channel itself stays at the block's start.
void channel::record_block() {
  materialise();
  const std::int32_t from = m_state;
  const clocks_t start = s.cursor;
  block_recorder rec;
  rec.start = start;
  std::vector<clocks_t> due;
  std::vector<cause_clocks> causes;
  for (const auto& q : s.sources) rec.positions.push_back(q.admitted);
  for (const auto& r : s.ranks) due.push_back(r.due);
  for (const auto& b : s.buses) causes.push_back(b.by_cause);
  const auto pool = m_pool;
  const auto free_works = m_free_works;
  const auto sources = s.sources;
  const int works = m_works;
  const channel_counts counts = m_counts;
  const std::size_t finished = m_finished.size();
  std::vector<std::int64_t> at_hand;
  for (const auto& q : s.sources) at_hand.push_back(available(q, longest_block));

  m_recorder = &rec;
  while (static_cast<int>(rec.admissions.size()) < m_setup.params.replay_block)
    if (!simulate(no_time, false, true)) break;
  m_recorder = nullptr;

  replay_table::block b;
  auto& words = m_table->scratch;
  bool fits = normalise(words);  // also settles the open rows' time
  fits = fits && std::max(rec.admissions.size(), rec.services.size()) < at(longest_block);
  // A source that ran dry inside did not feed the block to its end: each must have had one burst more than entered.
  for (const std::uint16_t f : m_table->at_state(from).feed)
    fits = fits && at_hand[at(f & 255)] > s.sources[at(f & 255)].admitted - rec.positions[at(f & 255)];
  const auto feed = feeding_sources();
  // One that caught up with its pace inside: when it does, another one that lagged at the block's start may not.
  const auto& before = m_table->at_state(from).feed;
  const bool caught_up = std::any_of(feed.begin(), feed.end(), [&](std::uint16_t f) {
    return (f & 512) != 0 && std::find(before.begin(), before.end(), f) == before.end();
  });
  fits = fits && !caught_up;
  if (fits) {
    b.next = m_table->find_or_add(words, s.queued(), feed);
    b.duration = static_cast<std::int32_t>(s.cursor - start);
    for (std::size_t r = 0; r < s.ranks.size(); ++r) {
      b.refreshed = b.refreshed || due[r] <= s.cursor;
      b.due.push_back(static_cast<std::int32_t>(std::min<clocks_t>(due[r] - start, INT32_MAX)));
      b.due_after.push_back(static_cast<std::int32_t>(s.ranks[r].due - due[r]));
    }
    b.counts = m_counts;
    b.counts.add(counts, -1);
    for (int k = 0; k < 2; ++k) {
      auto& seen = rec.latencies[k];
      std::sort(seen.begin(), seen.end());
      for (const std::int32_t v : seen) {
        const int bucket = clock_histogram::bucket_of(v);
        if (b.latencies[k].empty() || b.latencies[k].back().first != bucket) b.latencies[k].emplace_back(bucket, 0);
        ++b.latencies[k].back().second;
        b.latency_sum[k] += v;
      }
      if (seen.empty()) continue;
      b.latency_max[k] = seen.back();
      b.latency_min[k] = seen.front();
    }
    for (std::size_t i = 0; i < s.buses.size(); ++i) {
      cause_clocks d = s.buses[i].by_cause;
      for (std::size_t c = 0; c < cause_count; ++c) d[c] -= causes[i][c];
      b.by_cause.push_back(d);
    }
    for (std::size_t i = 0; i < s.sources.size(); ++i) {
      replay_table::flow f;
      f.source = static_cast<std::uint8_t>(i);
      f.lowest = INT32_MAX, f.highest = INT32_MIN;
      for (const auto& x : rec.admissions) f.admitted += x.source == i ? 1 : 0;
      for (const auto& x : rec.services)
        if (x.source == i) {
          ++f.served;
          f.lowest = std::min(f.lowest, x.offset);
          f.highest = std::max(f.highest, x.offset);
        }
      if (f.admitted + f.served == 0) continue;
      if (f.served > 0) f.place.assign(at(f.highest - f.lowest + 1), -1);
      for (std::size_t k = 0; k < rec.services.size(); ++k)
        if (rec.services[k].source == i) f.place[at(rec.services[k].offset - f.lowest)] = static_cast<std::int16_t>(k);
      b.flows.push_back(std::move(f));
    }
    b.admissions = std::move(rec.admissions);
    b.services = std::move(rec.services);
    b.bookings = std::move(rec.bookings);
  }

  // Back to the start.
  m_pool = pool;
  m_free_works = free_works;
  s.sources = sources;
  m_works = works;
  m_counts = counts;
  m_finished.resize(finished);
  for (std::size_t r = 0; r < s.ranks.size(); ++r) s.ranks[r].due = due[r];
  for (std::size_t i = 0; i < s.buses.size(); ++i) s.buses[i].by_cause = causes[i];
  s.cursor = start;
  m_state = from;
  if (fits) {
    m_replaying = true;
    m_block = m_table->add_block(from, std::move(b));
  } else {
    materialise();
    m_backoff = caught_up ? 1 << 4 : 1 << 10;
  }
  m_looked = false;
}

cause_clocks channel::causes_at(int bus, int order) const {
  const auto& b = m_table->at_block(m_block);
  cause_clocks out = s.buses[at(bus)].by_cause;
  for (const auto& k : b.bookings)
    if (k.order < order && k.bus == bus) out[k.what] += k.clocks;
  clocks_t bursts = order;
  if (m_setup.buses > 1) {
    bursts = 0;
    for (int i = 0; i < order; ++i) bursts += b.services[at(i)].bus == bus ? 1 : 0;
  }
  out[static_cast<std::size_t>(cause::data)] += bursts * m_setup.t.BL;
  return out;
}

/// Applies the block to one work of a source. True when its last burst is done in it; then `at_end` are the causes by
/// then.
bool channel::follow(int source, work& w, cause_clocks& at_end) {
  const std::int64_t position = s.sources[at(source)].admitted;
  const auto& b = m_table->at_block(m_block);
  const replay_table::flow* f = nullptr;
  for (const auto& x : b.flows)
    if (x.source == source) f = &x;
  if (f == nullptr) return false;
  if (w.entered < 0) {
    const std::int64_t place = w.begin() - position;
    if (place >= f->admitted) return false;
    const auto& x = b.admissions[admission_of(b, source, place)];
    w.entered = s.cursor + x.clock;
    w.before = causes_at(x.bus, x.order);
  }
  if (f->served == 0 || position + f->highest < w.begin() || position + f->lowest >= w.position) return false;
  const std::int64_t from = std::max<std::int64_t>(w.begin() - position, f->lowest);
  const std::int64_t to = std::min<std::int64_t>(w.position - position - 1, f->highest);
  const bool whole = from == f->lowest && to == f->highest;
  if (whole && w.remaining > f->served && w.first_done != no_time) {
    w.remaining -= f->served;
    return false;
  }
  int last = -1;
  for (std::int64_t o = from; o <= to; ++o) {
    const int k = f->place[at(o - f->lowest)];
    if (k < 0) continue;
    const clocks_t done = s.cursor + b.services[at(k)].done;
    --w.remaining;
    w.first_done = std::min(w.first_done, done);
    w.done = std::max(w.done, done);
    last = std::max(last, k);
  }
  if (w.remaining > 0 || last < 0) return false;
  const int bus = b.services[at(last)].bus;
  at_end = causes_at(bus, last + 1);
  return true;
}

/// First clock at which what the block says may not hold: a source that the state does not know arrives, a burst that
/// the block lets enter is not there in time, or one of the other direction (another queue) might enter first. no_time:
/// the whole block holds; its next state does too, unless m_parting.
clocks_t channel::valid_until() {
  const auto& b = m_table->at_block(m_block);
  const auto& known = m_table->at_state(m_state);
  clocks_t until = m_intruder;
  m_parting = false;
  for (std::size_t i = 0; i < s.sources.size(); ++i) {
    const source_state& q = s.sources[i];
    if (q.head < 0) continue;
    if (std::none_of(known.feed.begin(), known.feed.end(), [i](std::uint16_t f) { return (f & 255u) == i; }))
      until = std::min(until, std::max(s.cursor, m_pool[at(q.head)].arrival));
  }
  for (const std::uint16_t feed : known.feed) {
    const int source = feed & 255;
    const bool write = (feed & 256) != 0, paced = (feed & 512) != 0;
    const source_state& q = s.sources[at(source)];
    std::int64_t admitted = 0;
    for (const auto& f : b.flows)
      if (f.source == source) admitted = f.admitted;
    const auto entry_clock = [&](std::int64_t n) { return s.cursor + b.admissions[admission_of(b, source, n)].clock; };
    // Works must continue each other, up to one burst more than enter: the block was recorded with that one waiting.
    std::int64_t have = 0, expected = q.position;
    std::int32_t i = q.head;
    for (; i >= 0 && have <= admitted; i = m_pool[at(i)].link) {
      const work& w = m_pool[at(i)];
      if (w.next != expected || w.write != write || (w.pace_fs != 0 ? have > 0 : paced)) break;
      if (w.pace_fs != 0) {
        // At its pace as recorded (the state has its phase), or so far behind it that all bursts could enter now.
        if (w.arrival <= s.cursor) have += paced ? paced_left(w) : ready_now(w);
        if (have == w.end - w.next) i = w.link;  // what comes next may be of the other direction
        break;
      }
      // Has it arrived when the block lets it enter? (What was there before `now` needs no look.)
      if (have < admitted && w.arrival > s.cursor && w.arrival > entry_clock(have)) break;
      have += w.end - w.next;
      expected = w.end;
    }
    if (have > admitted) continue;
    m_parting = true;
    if (paced)  // what comes after its whole stripes may come before the block's end
      until = std::min(until, have > 0 ? entry_clock(have - 1) : s.cursor);
    else if (have < admitted)
      until = std::min(until, entry_clock(have));
    if (i >= 0 && m_pool[at(i)].write != write)
      until = std::min(until, std::max(m_pool[at(i)].arrival, have > 0 ? entry_clock(have - 1) : s.cursor));
  }
  return until > s.cursor + b.duration ? no_time : until;
}

void channel::apply_block() {
  replay_table::block& b = m_table->at_block(m_block);
  b.uses += m_members;
  m_table->replayed += m_members * static_cast<std::int64_t>(b.admissions.size());
  cause_clocks at_end;
  for (const auto& f : b.flows) {
    source_state& q = s.sources[f.source];
    for (std::int32_t i = q.oldest; i >= 0; i = m_pool[at(i)].link) {
      work& w = m_pool[at(i)];
      if (w.begin() >= q.admitted + f.admitted) break;
      if (w.remaining > 0 && follow(f.source, w, at_end) && !w.reported) m_finished.push_back(finished_of(w, at_end));
    }
    std::int64_t left = f.admitted;
    while (left > 0) {
      work& w = m_pool[at(q.head)];
      const std::int64_t n = std::min(left, w.end - w.next);
      w.next += n;
      left -= n;
      if (w.next == w.end) q.head = w.link;
    }
    q.position += f.admitted;
    q.admitted += f.admitted;
    release(q);
  }
  for (std::size_t i = 0; i < s.buses.size(); ++i)
    for (std::size_t c = 0; c < cause_count; ++c) s.buses[i].by_cause[c] += b.by_cause[i][c];
  if (b.refreshed)
    for (std::size_t r = 0; r < s.ranks.size(); ++r) s.ranks[r].due += b.due_after[r];
  s.cursor += b.duration;
  m_state = b.next;
  m_block = -1;
  m_looked = false;
}

/// Reports the works whose last data come no later than `limit` although the block as a whole is not certain yet.
void channel::look_ahead(clocks_t limit) {
  cause_clocks at_end;
  if (!m_looked) {
    m_looked = true;
    m_coming.clear();
    const auto& b = m_table->at_block(m_block);
    for (const auto& f : b.flows) {
      const source_state& q = s.sources[f.source];
      for (std::int32_t i = q.oldest; i >= 0; i = m_pool[at(i)].link) {
        const work& w = m_pool[at(i)];
        if (w.begin() >= q.admitted + f.admitted) break;
        if (w.remaining == 0 || w.reported || w.remaining > f.served) continue;
        work copy = w;
        if (follow(f.source, copy, at_end)) m_coming.push_back({copy.done, f.source, i});
      }
    }
    std::stable_sort(m_coming.begin(), m_coming.end(),
                     [](const coming& x, const coming& y) { return x.done > y.done; });
  }
  while (!m_coming.empty() && m_coming.back().done <= limit) {
    const coming c = m_coming.back();
    m_coming.pop_back();
    work copy = m_pool[at(c.work)];
    follow(c.source, copy, at_end);
    m_finished.push_back(finished_of(copy, at_end));
    m_pool[at(c.work)].reported = true;
  }
  m_next_finish = m_coming.empty() ? no_time : m_coming.back().done;
}

void channel::advance(clocks_t limit, bool to_the_end) {
  const bool allowed = m_table != nullptr && m_listener == nullptr && !to_the_end;
  m_quiet = m_until = -1;
  bool boundary = false;  // a burst that ends a block has just entered
  while (true) {
    if (!m_replaying) {
      if (boundary && regular()) {
        if (m_backoff > 0)
          --m_backoff;
        else if (enter_replay())
          continue;
      }
      boundary = simulate(limit, to_the_end, allowed);
      if (boundary) continue;
      if (m_listener != nullptr) show_until(to_the_end ? limit : s.cursor);
      return;
    }
    boundary = false;
    if (m_block < 0) {
      find_block();
      if (m_block >= 0) {
        ++m_table->lookups;
        ++m_table->hits;
        m_misses = 0;
      } else if (to_the_end || !regular()) {
        materialise();
        continue;
      } else if (m_table->seen_first(m_state)) {
        materialise();
        continue;
      } else {
        ++m_table->lookups;
        if (++m_misses > misses_before_rest) {
          m_misses = 0;
          m_backoff = 1 << 12;
          materialise();
        } else {
          record_block();
        }
        continue;
      }
    }
    const clocks_t until = valid_until(), end = s.cursor + m_table->at_block(m_block).duration;
    if (until == no_time && end < limit) {
      apply_block();
      if (m_parting) materialise();
    } else if (to_the_end || until < limit) {
      materialise();
    } else {
      look_ahead(limit);
      m_until = until;
      m_quiet = std::min({end, until, m_next_finish - 1});
      return;
    }
  }
}

clocks_t channel::replay_bound(int source, const work& w) {
  const auto& b = m_table->at_block(m_block);
  const source_state& q = s.sources[at(source)];
  const clocks_t end = s.cursor + b.duration;
  clocks_t bound;
  work copy = w;
  cause_clocks unused;
  if (follow(source, copy, unused)) {
    bound = copy.done;
  } else {
    std::int64_t admitted = q.admitted;
    for (const auto& f : b.flows)
      if (f.source == source) admitted += f.admitted;
    const std::int64_t room = static_cast<std::int64_t>(s.entries.size()) - m_table->at_state(b.next).queued;
    const std::int64_t bursts = std::max<std::int64_t>({copy.remaining - 1, w.position - admitted - room, 0});
    bound = end + bursts / m_setup.buses * m_setup.least_gap + (w.write ? m_setup.t.CWL : m_setup.t.CL) + m_setup.t.BL;
  }
  return std::min(bound, valid_until());
}

}  // namespace memwall::dram
