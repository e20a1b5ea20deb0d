// SPDX-License-Identifier: Apache-2.0
// The channel's side of exact replay: when it may be used, applying blocks. (Whether one fits: channel_fit.cpp; writing
// them down: channel_record.cpp.)
#include <algorithm>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {

namespace {
constexpr int most_runs = 8;  ///< of a source in a block
// A state that has been left so often gets a longer block, where a long stream allows it.
constexpr int uses_before_longer = 8;
constexpr int misses_before_rest =
    512;  ///< unsuccessful lookups in a row after which a channel stops asking for a while
}  // namespace

/// Bursts of a work between two places where a block may end.
std::int64_t channel::step_of(const work& w) const {
  std::int64_t step = m_setup.params.replay_block;
  if (w.mixed())
    for (step = w.reads + w.writes; step < m_setup.params.replay_block;) step *= 2;
  return step;
}

/// A boundary: the first source that has work has entered a multiple of the block.
bool channel::at_block_boundary() const {
  if (m_recorder != nullptr && m_recorder->admissions.size() >= at(m_recorder->most)) return true;
  for (const source_state& q : s.sources)
    if (q.head >= 0) return m_pool[at(q.head)].next % step_of(m_pool[at(q.head)]) == 0;
  return false;
}

std::int64_t channel::most_admissions() const {
  return 4 * std::int64_t{m_setup.params.replay_block};
}

/// Bursts that the first source which has work needs to get to the end of a block.
std::int64_t channel::needed(const source_state& q) const {
  const std::int64_t least = m_setup.params.replay_block, most = most_admissions();
  std::int64_t have = 0;
  for (std::int32_t i = q.head; i >= 0 && have < most; i = m_pool[at(i)].link) {
    const work& w = m_pool[at(i)];
    const std::int64_t step = step_of(w);
    if (have >= least && have > 0 && w.next % step == 0) return have;
    const std::int64_t from = w.next + std::max<std::int64_t>(least - have, 1),
                       boundary = (from + step - 1) / step * step;
    if (boundary < w.end) return std::min(have + boundary - w.next, most);
    have += w.end - w.next;
  }
  return have < most ? have + 1 : most;
}

/// Bursts that a source must have for a block whose end another one decides, and one more.
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

/// Bursts that a source can give now: at its pace, or as they come, in few stretches (counted up to the work in which
/// they reach `wanted`).
std::int64_t channel::available(const source_state& q, std::int64_t wanted) const {
  if (q.head < 0) return 0;
  if (const work& w = m_pool[at(q.head)]; w.pace_fs != 0)
    return w.arrival > s.cursor ? 0 : keeps_pace(w) ? paced_left(w) : ready_now(w);
  std::int64_t have = 0, expected = -1;
  bool write = false;
  int runs = 0;
  for (std::int32_t i = q.head; i >= 0 && have < wanted; i = m_pool[at(i)].link) {
    const work& w = m_pool[at(i)];
    if (w.arrival > s.cursor || w.pace_fs != 0) break;
    if ((w.mixed() || w.next != expected || w.write != write) && ++runs > most_runs) break;
    have += w.end - w.next;
    expected = w.mixed() ? -1 : w.end;
    write = w.write;
  }
  return have;
}

/// Every source that has work can give a block's bursts.
bool channel::regular() const {
  if (m_setup.map.row_periods() < 4 || !m_setup.map.row_periods_apart() || s.sources.size() > 200) return false;
  bool first = true;
  std::int64_t others = 0;
  for (const source_state& q : s.sources) {
    if (q.head < 0) continue;
    const std::int64_t wanted = first ? needed(q) : wanted_bursts();
    if (available(q, wanted) < wanted) return false;
    first = false;
    ++others;
  }
  return others > 0;
}

/// All that the sources will give is at hand, as far as is known.
bool channel::drains() const {
  constexpr std::int64_t most = 512;
  if (m_expects_more || m_works == 0) return false;
  return std::all_of(s.sources.begin(), s.sources.end(), [&](const source_state& q) {
    return q.head < 0 || (!keeps_pace(m_pool[at(q.head)]) && q.pushed - q.admitted <= most &&
                          available(q, most + 1) == q.pushed - q.admitted);
  });
}

bool channel::enter_replay() {
  if (!normalise(false)) return false;
  m_state = m_table->find_or_add(s.queued());
  m_replaying = m_entered = true;
  m_recheck = m_looked = false;
  m_block = -1;
  m_next_finish = no_time;
  return true;
}

void channel::leave_replay() {
  m_quiet = -1;
  if (m_replaying) materialise();
}

void channel::expect_more(bool on) {
  m_expects_more = on;
  m_quiet = -1;
  if (m_replaying && m_block >= 0 && m_table->at_block(m_block).drains) m_recheck = true;  // it is not certain any more
}

void channel::listen(command_listener* l) {
  leave_replay();
  m_listener = l;
}

/// A state that a long stream comes back to is worth a block of many.
bool channel::deserves_longer(clocks_t limit) const {
  auto& from = m_table->at_state(m_state);
  if (from.uses < uses_before_longer || from.longer_tried) return false;
  const auto& b = m_table->at_block(m_block);
  const std::int64_t times = 2 + times_longer;
  if (b.refreshed || b.feeds.size() != 1 || b.feeds[0].paced || s.cursor + times * b.duration >= limit) return false;
  const work& w = m_pool[at(s.sources[b.feeds[0].source].head)];
  if (w.end - w.next <= times * b.feeds[0].admitted || w.pace_fs != 0) return false;
  return std::all_of(s.ranks.begin(), s.ranks.end(),
                     [&](const rank_state& r) { return s.cursor + times * b.duration < r.due; });
}

void channel::apply_rows(const replay_block& b) {
  for (const std::int16_t r : b.closed_ranks) {
    const int per_rank = m_setup.org.banks_per_rank();
    for (int i = r * per_rank; i < (r + 1) * per_rank; ++i) s.banks[at(i)].row = -1;
    s.ranks[at(r)].open = 0;
  }
  for (const auto& o : b.rows) {
    const int which = bank_of(o.seat, o.bank);
    bank_state& bank = s.banks[at(which)];
    const std::int64_t row = o.row.name < 0 ? -1 : row_of(o.row.name, o.row.offset);
    s.ranks[at(m_setup.place[at(which)].rank)].open += (row >= 0 ? 1 : 0) - (bank.row >= 0 ? 1 : 0);
    bank.row = row;
  }
  if (!b.seats_after.empty()) {
    m_seat_list.swap(m_seats);
    m_seats.resize(m_seat_list.size());
    for (std::size_t i = 0; i < b.seats_after.size(); ++i)
      set_seat(static_cast<int>(i), m_seat_list[at(b.seats_after[i])]);
  }
  if (b.names_stay) {
    m_names.resize(m_known);
    return;
  }
  m_renamed.clear();
  for (const std::int16_t name : b.names_after) m_renamed.push_back(m_names[at(name)]);
  m_names.swap(m_renamed);
  m_known = m_names.size();
}

/// The causes of a bus when `order` column commands of the block have been given, `on_bus` of them on this bus.
cause_clocks channel::causes_at(int bus, int order, clocks_t on_bus) const {
  const auto& b = m_table->at_block(m_block);
  cause_clocks out = s.buses[at(bus)].by_cause;
  for (const auto& k : b.bookings) {
    if (k.order >= order) break;
    if (k.bus == bus) out[k.what] += k.clocks;
  }
  out[static_cast<std::size_t>(cause::data)] += on_bus * m_setup.t.BL;
  return out;
}

/// Applies the block to one work of a source. True when its last burst is done in it; then `at_end` are the causes by
/// then.
bool channel::follow(int source, work& w, cause_clocks& at_end) {
  const std::int64_t position = s.sources[at(source)].admitted;
  auto& b = m_table->at_block(m_block);
  replay_table::flow* f = nullptr;
  for (auto& x : b.flows)
    if (x.source == source) f = &x;
  if (w.entered < 0) {
    const std::int64_t place = w.begin() - position;
    if (f == nullptr || place >= f->admitted) return false;
    const auto& x = b.admissions[b.admission_of(source, place)];
    w.entered = s.cursor + x.clock;
    w.before = causes_at(x.bus, x.order, x.on_bus);
  }
  const bool begun = w.first_done != no_time;
  int last = b.stale.empty() ? -1 : follow_stale(source, w);
  if (f != nullptr && f->served > 0) {
    const std::int64_t from = std::max<std::int64_t>(w.begin() - position, f->lowest);
    const std::int64_t to = std::min<std::int64_t>(w.position - position - 1, f->highest);
    const bool whole = from == f->lowest && to == f->highest;
    if (whole && w.remaining > f->served && begun) {
      w.remaining -= f->served;
      w.done = std::max(w.done, s.cursor + f->done);
      return false;
    }
    if (from <= to) {
      const auto part = f->stretch_of(static_cast<std::int32_t>(from), static_cast<std::int32_t>(to), b.services);
      if (part.served > 0) {
        w.remaining -= part.served;
        w.first_done = std::min(w.first_done, s.cursor + part.first);
        w.done = std::max(w.done, s.cursor + part.done);
        last = std::max(last, part.last);
      }
    }
  }
  if (w.remaining > 0 || last < 0) return false;
  const auto& end = b.services[at(last)];
  at_end = causes_at(end.bus, last + 1, end.on_bus);
  return true;
}

/// The stale requests of a work that the block serves: the last one's place among the services, or -1.
int channel::follow_stale(int source, work& w) const {
  const auto& b = m_table->at_block(m_block);
  int last = -1;
  for (const auto& served : b.stale) {
    const stale_request& r = m_stale[at(served.request)];
    if (r.source != source || r.sequence < w.begin() || r.sequence >= w.position) continue;
    const clocks_t done = s.cursor + b.services[at(served.order)].done;
    --w.remaining;
    w.first_done = std::min(w.first_done, done);
    w.done = std::max(w.done, done);
    last = std::max<int>(last, served.order);
  }
  return last;
}

/// Which requests are stale after the block, and for how long those that it serves have been inside.
void channel::apply_stale(const replay_block& b) {
  for (const auto& served : b.stale)
    m_latency[m_stale[at(served.request)].write].add(
        s.cursor + b.services[at(served.order)].done - m_stale[at(served.request)].arrival, m_members);
  if (b.stale_stays) return;
  m_stale_next.clear();
  for (const auto& r : b.stale_next) {
    if (r.before < 0) {
      m_stale_next.push_back({s.sources[r.source].admitted + r.offset, s.cursor + r.arrival,
                              m_names[at(r.burst.name)] * m_setup.period + r.burst.phase, r.source, -1, r.write,
                              r.aside, r.found});
      continue;
    }
    m_stale_next.push_back(m_stale[at(r.before)]);
    stale_request& kept = m_stale_next.back();
    if (!kept.aside || !b.asides.empty()) kept.found = r.found;  // else the block does not know it
    kept.aside = r.aside;
  }
  m_stale.swap(m_stale_next);
}

void channel::apply_block() {
  replay_table::block& b = m_table->at_block(m_block);
  m_table->applied(m_block, m_members);
  m_table->replayed += m_members * static_cast<std::int64_t>(b.admissions.size());
  cause_clocks at_end;
  const bool stale = !b.stale.empty();
  if (stale)  // they may be of any work
    for (std::size_t i = 0; i < s.sources.size(); ++i)
      for (std::int32_t k = s.sources[i].oldest; k >= 0; k = m_pool[at(k)].link)
        if (work& w = m_pool[at(k)]; w.remaining > 0 && follow(static_cast<int>(i), w, at_end) && !w.reported)
          m_finished.push_back(finished_of(w, at_end));
  if (!m_stale.empty() || !b.stale_next.empty()) apply_stale(b);
  for (const auto& f : b.flows) {
    source_state& q = s.sources[f.source];
    for (std::int32_t i = q.oldest; i >= 0 && !stale; i = m_pool[at(i)].link) {
      work& w = m_pool[at(i)];
      if (w.begin() >= q.admitted + f.admitted) break;
      if (w.remaining > f.served && w.first_done != no_time && w.begin() <= q.admitted + f.lowest &&
          q.admitted + f.highest < w.position) {  // in the middle of a long one
        w.remaining -= f.served;
        w.done = std::max(w.done, s.cursor + f.done);
        continue;
      }
      if (w.remaining > 0 && follow(f.source, w, at_end) && !w.reported) m_finished.push_back(finished_of(w, at_end));
    }
    std::int64_t left = f.admitted;
    while (left > 0) {
      work& w = m_pool[at(q.head)];
      const std::int64_t n = std::min(left, w.end - w.next);
      w.next += n;
      if (w.mixed()) w.write = w.write_at(w.next);
      left -= n;
      if (w.next == w.end) q.head = w.link;
    }
    q.admitted += f.admitted;
    release(q);
  }
  if (stale)
    for (source_state& q : s.sources) release(q);
  for (std::size_t i = 0; i < s.buses.size(); ++i)
    for (std::size_t c = 0; c < cause_count; ++c) s.buses[i].by_cause[c] += b.by_cause[i][c];
  if (b.refreshed)
    for (std::size_t r = 0; r < s.ranks.size(); ++r) s.ranks[r].due += b.due_after[r];
  apply_rows(b);
  s.cursor += b.duration;
  m_state = b.next;
  m_block = -1;
  m_looked = m_entered = false;
}

/// Reports the works whose last data come no later than `limit` although the block as a whole is not certain yet.
void channel::look_ahead(clocks_t limit) {
  cause_clocks at_end;
  if (!m_looked) {
    m_looked = true;
    m_coming.clear();
    m_next_coming = 0;
    const auto& b = m_table->at_block(m_block);
    const auto look = [&](int source, std::int64_t admitted, std::int64_t served) {
      const source_state& q = s.sources[at(source)];
      for (std::int32_t i = q.oldest; i >= 0; i = m_pool[at(i)].link) {
        const work& w = m_pool[at(i)];
        if (w.begin() >= q.admitted + admitted) break;
        if (w.remaining == 0 || w.reported || w.remaining > served) continue;
        work copy = w;
        if (!follow(source, copy, at_end)) continue;
        std::size_t place = m_coming.size();  // mostly behind all that are known: the data come in order
        while (place > 0 && copy.done < m_coming[place - 1].is.done) --place;
        m_coming.insert(m_coming.begin() + static_cast<std::ptrdiff_t>(place), {i, finished_of(copy, at_end)});
      }
    };
    if (b.stale.empty()) {
      for (const auto& f : b.flows) look(f.source, f.admitted, f.served);
    } else {
      const auto most = static_cast<std::int64_t>(b.services.size());
      for (int i = 0; i < static_cast<int>(s.sources.size()); ++i) look(i, most, most);
    }
  }
  for (; m_next_coming < m_coming.size() && m_coming[m_next_coming].is.done <= limit; ++m_next_coming) {
    m_finished.push_back(m_coming[m_next_coming].is);
    m_pool[at(m_coming[m_next_coming].work)].reported = true;
  }
  m_next_finish = m_next_coming < m_coming.size() ? m_coming[m_next_coming].is.done : no_time;
}

void channel::advance(clocks_t limit, bool to_the_end) {
  const bool allowed = m_table != nullptr && m_listener == nullptr && !to_the_end;
  m_quiet = -1;
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
    if (m_block < 0 || m_recheck) {
      const bool fresh = m_block < 0;
      m_recheck = false;
      const fit found = find_block(limit);
      if (found == fit::whole && fresh && allowed && deserves_longer(limit)) {
        m_table->at_state(m_state).longer_tried = true;
        record_block(extent::longer);
        continue;
      }
      // A block that the bursts at hand contradict may be followed up to there, but then another one can be written
      // down.
      if (found != fit::whole && !to_the_end && regular()) {
        if (!m_entered && paces()) {  // the state may know another pace, or none
          materialise();
          enter_replay();
        } else if (m_table->seen_first(m_state)) {
          materialise();
        } else {
          ++m_table->lookups;
          if (++m_misses > misses_before_rest) {
            m_misses = 0;
            m_backoff = 1 << 12;
            materialise();
          } else {
            record_block(extent::usual);
          }
        }
        continue;
      }
      if (found == fit::no) {
        materialise();
        continue;
      }
      if (fresh) {
        ++m_table->lookups;
        ++m_table->hits;
        ++m_table->at_state(m_state).uses;
        m_misses = 0;
      }
    }
    const clocks_t end = s.cursor + m_table->at_block(m_block).duration;
    if (m_valid == no_time && end < limit) {
      apply_block();
    } else if (to_the_end || m_valid < limit) {
      if (allowed && drains())
        record_block(extent::all);
      else
        materialise();
    } else {
      look_ahead(limit);
      m_quiet = std::min({end, m_valid, m_next_finish - 1});
      return;
    }
  }
}

bool channel::paces() const {
  return std::any_of(s.sources.begin(), s.sources.end(),
                     [&](const source_state& q) { return q.head >= 0 && m_pool[at(q.head)].pace_fs != 0; });
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
    bound = end + bursts / m_setup.buses * m_setup.least_gap + latency_of(w) + m_setup.t.BL;
  }
  return std::min(bound, valid_until());
}

}  // namespace memwall::dram
