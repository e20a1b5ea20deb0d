// SPDX-License-Identifier: Apache-2.0
// The channel's side of exact replay: a block is simulated on the side and written down.
#include <algorithm>

#include "hw/dram/engine/replay.h"

namespace memwall::dram {
namespace {

constexpr std::int64_t longest_block = 1 << 14;  ///< admissions; a block ends where its first source has entered enough

}  // namespace

/// The bursts that have entered of a source, which stands at the block's start. False: they cannot be described.
bool channel::describe_feed(replay_block& b, replay_feed& f) {
  const source_state& q = s.sources[f.source];
  struct begin {
    std::int32_t work;
    std::int64_t from;
  };
  std::vector<begin> begins;
  std::int32_t i = q.head;
  std::int64_t from = m_pool[at(i)].next, expected = -1;
  for (std::int64_t left = f.admitted; left > 0;) {
    const work& w = m_pool[at(i)];
    const std::int64_t taken = std::min(left, w.end - from);
    if (!w.mixed() && !f.runs.empty() && from == expected && w.write == f.runs.back().write) {
      f.runs.back().count += static_cast<std::int32_t>(taken);
    } else {
      f.runs.push_back(run_at(w, from, taken));
      begins.push_back({i, from});
    }
    left -= taken;
    from += taken;
    expected = w.mixed() ? -1 : from;
    if (from < w.end) continue;
    i = w.link;
    if (i >= 0) from = m_pool[at(i)].next;
  }
  for (std::size_t k = 0; k < begins.size(); ++k) {
    const work& w = m_pool[at(begins[k].work)];
    if (!in_stretches(w, begins[k].from, f.runs[k].count)) return false;
    for_each_period(w, begins[k].from, f.runs[k].count, [&](std::int64_t period) {
      const auto known = std::find(m_names.begin(), m_names.end(), period);
      b.names.push_back(static_cast<std::int16_t>(known - m_names.begin()));
      b.places.push_back(static_cast<std::int8_t>(m_seat_place[at(m_setup.seat_of_period(period))]));
      if (known == m_names.end()) m_names.push_back(period);
    });
  }
  f.names_to = b.names.size();
  if (i >= 0) f.write_behind = m_pool[at(i)].write_at(from);
  return m_names.size() < 1000;
}

/// The requests that were set aside, to which the block comes.
void channel::describe_asides(replay_block& b, block_recorder& rec) {
  std::vector<block_recorder::wanted_row> wanted;
  for (const stale_request& r : m_stale) {
    if (!r.aside) continue;
    const std::int64_t period = m_setup.period_of(r.burst);
    const auto known = std::find(m_names.begin(), m_names.end(), period);
    const replay_block::named_burst burst{static_cast<std::int16_t>(known - m_names.begin()),
                                          static_cast<std::int32_t>(r.burst - period * m_setup.period)};
    if (known == m_names.end()) m_names.push_back(period);
    b.asides.push_back({burst, r.found, static_cast<std::int8_t>(m_seat_place[at(m_setup.seat_of_period(period))]),
                        m_setup.stretch_of_period(period)});
    const local_location where = m_setup.map.decode_local(r.burst);
    wanted.push_back({m_setup.bank_of(where), where.row, period});
  }
  rec.wanted.insert(rec.wanted.begin(), wanted.begin(), wanted.end());
}

/// Which requests are stale after the block.
void channel::describe_stale(replay_block& b, const block_recorder& rec, const std::vector<stale_request>& after) {
  for (const auto& served : b.stale) ++b.stale_served[m_stale[at(served.request)].write];
  b.stale_stays = after.size() == m_stale.size();
  for (const stale_request& r : after) {
    b.stale_stays = b.stale_stays && r.before == static_cast<std::int16_t>(b.stale_next.size()) &&
                    r.aside == m_stale[b.stale_next.size()].aside && r.found == m_stale[b.stale_next.size()].found;
    replay_block::stale_after x{r.before, static_cast<std::uint8_t>(r.source), r.write, r.aside, r.found, 0, 0, {0, 0}};
    if (r.before < 0) {
      x.offset = static_cast<std::int32_t>(r.sequence - rec.positions[at(r.source)]);
      x.arrival = static_cast<std::int32_t>(r.arrival - rec.start);
      const std::int64_t period = m_setup.period_of(r.burst);
      x.burst = {static_cast<std::int16_t>(std::find(m_names.begin(), m_names.end(), period) - m_names.begin()),
                 static_cast<std::int32_t>(r.burst - period * m_setup.period)};
    }
    b.stale_next.push_back(x);
  }
}

/// What the block asks of the banks, and what it makes of them.
void channel::describe_rows(replay_block& b, const block_recorder& rec, const std::vector<std::int64_t>& rows_after) {
  const auto named = [&](std::int64_t row, std::int64_t period) {
    const auto known = std::find(m_names.begin(), m_names.end(), period);
    return replay_block::named_row{static_cast<std::int16_t>(known - m_names.begin()),
                                   static_cast<std::int32_t>(row - m_setup.row_of_period(period))};
  };
  const auto known = [&, &rows = m_table->at_state(m_state).rows](std::size_t bank) {
    return rows[at(place_of(static_cast<int>(bank)) * m_setup.banks_per_seat + m_setup.place_in_seat[bank])];
  };
  std::vector<bool> looked(s.banks.size());
  for (const auto& first : rec.wanted) {
    if (looked[at(first.bank)]) continue;
    looked[at(first.bank)] = true;
    const row_known what = known(at(first.bank));
    if (what != row_known::rests && what != row_known::open) continue;
    replay_block::look look;
    look.seat = place_of(first.bank);
    look.bank = m_setup.place_in_seat[at(first.bank)];
    look.row = {-1, 0};
    const std::int64_t row = s.banks[at(first.bank)].row;
    look.is = row < 0 ? replay_block::look::what::closed : replay_block::look::what::other;
    look.from = static_cast<std::int16_t>(b.wanted.size());
    std::int64_t last = -1;
    for (const auto& w : rec.wanted) {
      if (w.bank != first.bank || row < 0) continue;
      if (w.row == row) {
        look.is = replay_block::look::what::open;
        look.row = named(row, w.period);
      }
      if (w.row != last) b.wanted.push_back(named(w.row, w.period));
      last = w.row;
    }
    look.to = static_cast<std::int16_t>(b.wanted.size());
    b.looks.push_back(look);
  }
  std::vector<int> others(s.ranks.size());
  for (std::size_t i = 0; i < s.banks.size(); ++i)
    if (known(i) == row_known::rests && !looked[i] && s.banks[i].row >= 0) ++others[at(m_setup.place[i].rank)];
  for (std::size_t r = 0; r < s.ranks.size(); ++r) {
    // While one of the known rows is open, it does not matter whether there are others.
    if (rec.ranks[r].least_open <= others[r])
      b.rank_looks.push_back(
          {static_cast<std::int16_t>(r), static_cast<std::int16_t>(s.ranks[r].open - others[r]), others[r] > 0});
    if (rec.ranks[r].closed) b.closed_ranks.push_back(static_cast<std::int16_t>(r));
  }
  for (std::size_t i = 0; i < s.banks.size(); ++i) {
    if (!rec.banks[i].changed) continue;
    const std::int16_t seat = place_of(static_cast<int>(i)), bank = m_setup.place_in_seat[i];
    if (rows_after[i] >= 0)
      b.rows.push_back({seat, bank, named(rows_after[i], rec.banks[i].period)});
    else if (!rec.ranks[at(m_setup.place[i].rank)].closed)
      b.rows.push_back({seat, bank, {-1, 0}});
  }
}

void channel::remember(beside_state& now) const {
  now.names = m_names;
  now.seats = m_seats;
  now.stale = m_stale;
  now.rows.clear();
  for (const auto& b : s.banks) now.rows.push_back(b.row);
}

void channel::remember(before_block& was) const {
  remember(static_cast<beside_state&>(was));
  was.cursor = s.cursor;
  was.works = m_works;
  was.finished = m_finished.size();
  was.counts = m_counts;
  was.sources = s.sources;
  was.pool = m_pool;
  was.free_works = m_free_works;
  was.due.clear();
  was.open.clear();
  was.causes.clear();
  for (const auto& r : s.ranks) was.due.push_back(r.due), was.open.push_back(r.open);
  for (const auto& b : s.buses) was.causes.push_back(b.by_cause);
}

void channel::go_back(const before_block& was) {
  s.cursor = was.cursor;
  m_works = was.works;
  m_finished.resize(was.finished);
  m_counts = was.counts;
  s.sources = was.sources;
  m_pool = was.pool;
  m_free_works = was.free_works;
  m_names = was.names;
  m_known = was.names.size();
  m_stale = was.stale;
  for (int i = 0; i < m_setup.seats; ++i) set_seat(i, was.seats[at(i)]);
  for (std::size_t r = 0; r < s.ranks.size(); ++r) s.ranks[r].due = was.due[r], s.ranks[r].open = was.open[r];
  for (std::size_t i = 0; i < s.banks.size(); ++i) s.banks[i].row = was.rows[i];
  for (std::size_t i = 0; i < s.buses.size(); ++i) s.buses[i].by_cause = was.causes[i];
}

/// Simulates the next block on the side and writes it down; the channel itself stays at the block's start.
void channel::record_block(extent reach) {
  materialise();
  const std::int32_t from = m_state;
  const clocks_t start = s.cursor;
  block_recorder& rec = m_table->recorder;
  before_block& was = m_table->was;
  beside_state& after = m_table->after;
  const bool longer = reach == extent::longer, all = reach == extent::all;
  const std::int64_t least = std::int64_t{m_setup.params.replay_block} * (longer ? times_longer : 1);
  rec.clear();
  rec.start = start;
  rec.most = longer ? 2 * least : most_admissions();
  rec.banks.assign(s.banks.size(), {});
  rec.served.assign(s.buses.size(), 0);
  for (const auto& r : s.ranks) rec.ranks.push_back({false, r.open});
  remember(was);
  const bool several = wanted_bursts() > m_setup.params.replay_block + 2;
  for (const auto& q : s.sources) {
    rec.positions.push_back(q.admitted);
    rec.feeds.push_back({available(q, longest_block), q.head >= 0, q.head >= 0 && keeps_pace(m_pool[at(q.head)])});
  }

  m_recorder = &rec;
  bool fits = true;  // it has come to a boundary
  if (all) simulate(no_time, false, false);
  while (fits && !all && rec.admissions.size() < at(least)) fits = simulate(no_time, false, true);
  m_recorder = nullptr;

  replay_table::block b;
  const bool expired = expires(s.cursor);
  fits = normalise(true) && fits && !expired;  // also settles the open rows' time
  fits = fits && std::max(rec.admissions.size(), rec.services.size()) < at(longest_block);
  for (std::size_t i = 0; fits && i < s.sources.size(); ++i) {
    const source_state& q = s.sources[i];
    if (!rec.feeds[i].gives) continue;
    replay_feed f;
    f.source = static_cast<std::uint8_t>(i);
    f.paced = rec.feeds[i].paced;
    f.admitted = static_cast<std::int32_t>(q.admitted - rec.positions[i]);
    f.last = !all && rec.admissions.back().source == i;
    // A source that ran dry inside did not feed the block to its end: it must have had one burst more than entered.
    fits = rec.feeds[i].at_hand >= f.admitted + (all || (f.last && !f.paced) ? 0 : 1);
    b.feeds.push_back(std::move(f));
  }
  // One that caught up with its pace inside: when it does, another one that lagged at the block's start may not.
  bool caught_up = false;
  for (std::size_t i = 0; i < s.sources.size(); ++i)
    caught_up =
        caught_up || (s.sources[i].head >= 0 && !rec.feeds[i].paced && keeps_pace(m_pool[at(s.sources[i].head)]));
  fits = fits && !caught_up;
  remember(after);
  if (fits) {
    b.next = m_table->find_or_add(s.queued());
    b.drains = all;
    b.duration = static_cast<std::int32_t>(s.cursor - start);
    for (std::size_t r = 0; r < s.ranks.size(); ++r) {
      b.refreshed = b.refreshed || was.due[r] <= s.cursor;
      b.due.push_back(static_cast<std::int32_t>(std::min<clocks_t>(was.due[r] - start, INT32_MAX)));
      b.due_after.push_back(static_cast<std::int32_t>(s.ranks[r].due - was.due[r]));
    }
    b.counts = m_counts;
    b.counts.add(was.counts, -1);
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
      for (std::size_t c = 0; c < cause_count; ++c) d[c] -= was.causes[i][c];
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
          f.done = std::max(f.done, x.done);
          f.lowest = std::min(f.lowest, x.offset);
          f.highest = std::max(f.highest, x.offset);
        }
      if (f.admitted + f.served == 0) continue;
      if (f.served > 0) f.place.assign(at(f.highest - f.lowest + 1), -1);
      for (std::size_t k = 0; k < rec.services.size(); ++k)
        if (rec.services[k].source == i) f.place[at(rec.services[k].offset - f.lowest)] = static_cast<std::int16_t>(k);
      b.flows.push_back(std::move(f));
    }
    b.stale = rec.stale;
    b.admissions = rec.admissions;
    b.services = rec.services;
    b.bookings = rec.bookings;
  }

  go_back(was);
  m_state = from;
  if (fits && rec.turns) describe_asides(b, rec);
  for (replay_feed& f : b.feeds) fits = fits && describe_feed(b, f);
  if (fits) {
    describe_stale(b, rec, after.stale);
    describe_rows(b, rec, after.rows);
    for (const std::int64_t period : after.names)
      b.names_after.push_back(
          static_cast<std::int16_t>(std::find(m_names.begin(), m_names.end(), period) - m_names.begin()));
    if (after.seats != was.seats)
      for (const std::int16_t seat : after.seats)
        b.seats_after.push_back(static_cast<std::int8_t>(m_seat_place[at(seat)]));
    b.names_stay = m_known == b.names_after.size();
    for (std::size_t i = 0; i < b.names_after.size(); ++i) b.names_stay = b.names_stay && at(b.names_after[i]) == i;
    m_replaying = true;
    m_block = m_table->add_block(from, std::move(b), longer);
    try_block(m_table->at_block(m_block));
  } else if (all) {
    materialise();
  } else if (longer) {
    m_names.resize(m_known);
    m_replaying = true;
    m_block = -1;
  } else {
    materialise();
    m_backoff = caught_up || several || expired ? 1 << 4 : 1 << 10;
  }
  m_looked = false;
}

}  // namespace memwall::dram
