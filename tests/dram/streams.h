// SPDX-License-Identifier: Apache-2.0
// Random streams through memories, with and without replay: everything that a run gives must be the same.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/dram/random_setup.h"

namespace memwall::dram::streams {

/// Streams: transfers that mostly continue each other, of several sources, arriving as earlier ones complete or by
/// time. `paced`: most of them at a pace, of the channel's clocks or not, slower or faster than the memory.
inline traffic::setup stream_setup(std::uint32_t seed, int least_channels = 1, bool paced = false) {
  std::mt19937 g(seed);
  const auto in = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(g); };
  traffic::setup out;
  out.spec = in(0, 1) != 0 ? traffic::ddr4_2400() : traffic::random_standard(g);
  out.spec.org.rows = 4096;
  out.params = traffic::random_controller(g, out.spec);
  if (in(0, 1) != 0) {
    out.params = controller_params{};
    out.params.refresh = "all_bank";
  }
  out.params.max_transfers = in(2, 40);
  out.params.replay_block = 8 << in(0, 3);
  if (auto others = g; seed % 7 != 0 && seed % 7 != 2 && seed % 7 != 6)
    traffic::random_options(others, out.params);  // not in those that once failed
  out.map = traffic::random_map(g);
  out.channels = in(0, 1) != 0 ? least_channels : in(2, 4) * least_channels;
  const auto access = static_cast<std::uint64_t>(out.spec.org.access_bytes());
  const int sources = in(0, 1) != 0 ? 1 : in(2, 3), n = in(10, 120);
  const auto space =
      static_cast<std::uint64_t>(out.spec.org.capacity_bytes()) * static_cast<std::uint64_t>(out.channels);
  std::vector<std::uint64_t> place(static_cast<std::size_t>(sources));
  std::vector<bool> write(static_cast<std::size_t>(sources));
  for (std::size_t i = 0; i < place.size(); ++i) {
    place[i] = std::uniform_int_distribution<std::uint64_t>(0, space / access - 1)(g) * access;
    write[i] = in(0, 2) == 0;
  }
  const int size_kind = in(0, 3);
  ps_t arrival = 0;
  for (int i = 0; i < n; ++i) {
    transfer t;
    t.id = static_cast<std::uint64_t>(i);
    t.source = static_cast<std::uint32_t>(in(0, sources - 1));
    t.write = write[t.source];
    t.bytes = access * static_cast<std::uint64_t>(size_kind == 0   ? in(1, 4000)
                                                  : size_kind == 1 ? in(64, 300)
                                                  : size_kind == 2 ? in(1, 60)
                                                                   : 512);
    t.address = place[t.source];
    place[t.source] = (place[t.source] + t.bytes) % space;
    if (in(0, 30) == 0)
      place[t.source] = std::uniform_int_distribution<std::uint64_t>(0, space / access - 1)(g) * access;
    if (in(0, 30) == 0) write[t.source] = !write[t.source];
    if (in(0, 12) == 0) arrival += in(0, 2'000'000);
    t.arrival = arrival;
    if (in(0, 40) == 0) t.pace = in(1, 20) * 700;
    if (paced && in(0, 3) != 0) {
      const ps_t burst = std::max<ps_t>(1, out.spec.t.BL * out.spec.t.tck_fs / 1000 / out.channels);
      t.pace = in(0, 1) != 0 ? in(1, 40) * out.spec.t.tck_fs / 1000 : burst * in(20, 400) / 100 + in(0, 3);
      t.bytes *= static_cast<std::uint64_t>(in(1, 6));
    }
    out.transfers.push_back(t);
  }
  return out;
}

/// Traffic whose blocks depend on more than a stream's place: reads and writes of one source in turns, slices here and
/// there among few rows (some of them still open, some not), streams that meet in the same rows, whole mixes.
inline traffic::setup mixed_setup(std::uint32_t seed) {
  std::mt19937 g(seed);
  const auto in = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(g); };
  traffic::setup out;
  out.spec = in(0, 1) != 0 ? traffic::ddr4_2400() : traffic::random_standard(g);
  out.spec.org.rows = 64 << in(0, 3);
  out.params = traffic::random_controller(g, out.spec);
  traffic::random_options(g, out.params);
  if (in(0, 2) != 0) {
    const auto queues = in(0, 1) != 0 ? out.params.read_queue : 0;
    const auto pages = out.params.page_policy;
    out.params = controller_params{};
    out.params.refresh = out.spec.t.RFCpb > 0 && in(0, 1) != 0 ? "per_bank" : "all_bank";
    out.params.read_queue = queues;
    if (pages != "timeout" && pages != "adaptive") out.params.page_policy = pages;
  }
  out.params.max_transfers = in(4, 60);
  out.params.replay_block = 8 << in(0, 3);
  out.map = traffic::random_map(g);
  // Rows in several stretches, banks that are hashed with rows.
  if (in(0, 4) == 0) out.map = "row bank row:4 rank column bankgroup";
  if (in(0, 4) == 0 && out.spec.org.banks_per_group > 1) out.map += " ; bank ^= row[0]";
  const int style = in(0, 4);
  out.channels = style != 2 && in(0, 2) == 0 ? in(2, 4) : 1;
  const auto access = static_cast<std::uint64_t>(out.spec.org.access_bytes());
  const auto space =
      static_cast<std::uint64_t>(out.spec.org.capacity_bytes()) * static_cast<std::uint64_t>(out.channels) / access;
  const auto anywhere = [&] { return std::uniform_int_distribution<std::uint64_t>(0, space - 1)(g); };
  const auto burst_of = [&](std::uint64_t b) { return b % space * access; };
  std::uint64_t reads = anywhere(),
                writes = in(0, 2) == 0 ? reads + static_cast<std::uint64_t>(in(0, 3000)) : anywhere();
  const int slice = 8 * in(2, 60), slices = in(2, 12), chunk = in(1, 2) * (in(0, 1) != 0 ? 100 : 16);
  std::vector<std::uint64_t> places;
  for (int i = 0; i < slices; ++i) places.push_back(anywhere() / 8 * 8);
  const auto period =
      static_cast<std::uint64_t>(traffic::map_of(out.spec, out.map, out.channels).row_period_bursts() * out.channels);
  const bool hops = in(0, 1) != 0;
  const int n = style == 2 ? in(2, 12) : in(20, 250);
  ps_t arrival = 0;
  for (int i = 0; i < n; ++i) {
    transfer t;
    t.id = static_cast<std::uint64_t>(i);
    t.bytes = access * static_cast<std::uint64_t>(in(0, 3) != 0 ? chunk : in(1, 300));
    const bool writing = style == 1 ? in(0, 9) == 0 : i % (style == 4 ? 3 : 2) == 1;
    auto& stream = writing ? writes : reads;
    t.write = writing;
    t.source = style == 3 && writing ? 1 : 0;
    if (style == 1) {
      t.address = burst_of(places[static_cast<std::size_t>(in(0, slices - 1))]);
      t.bytes = access * static_cast<std::uint64_t>(slice);
    } else if (style == 2) {
      t.write = false;
      t.reads = in(1, 5);
      t.writes = in(1, 5);
      t.address = burst_of(reads);
      t.written = burst_of(writes);
      t.bytes = access * static_cast<std::uint64_t>(in(1, 8000));
      const auto accesses = t.bytes / access;
      reads += accesses * static_cast<std::uint64_t>(t.reads) / static_cast<std::uint64_t>(t.reads + t.writes);
      writes += accesses * static_cast<std::uint64_t>(t.writes) / static_cast<std::uint64_t>(t.reads + t.writes);
    } else {
      t.address = burst_of(stream);
      stream += t.bytes / access;
      if (in(0, 25) == 0) stream = places[static_cast<std::size_t>(in(0, slices - 1))];
      if (hops && in(0, 3) == 0)
        stream += period * static_cast<std::uint64_t>(in(1, 5));  // at the same place of its rows
    }
    if (in(0, 20) == 0) arrival += in(0, 3'000'000);
    t.arrival = arrival;
    out.transfers.push_back(t);
  }
  return out;
}

struct outcome {
  std::vector<completion> completions;
  statistics stats;
  ps_t pipeline = 0;  ///< from a column command to the end of its data, and the same again of the bus's other direction
  std::vector<ps_t> data;                            ///< data time by channel, at the end
  std::map<ps_t, std::vector<ps_t>> data_meanwhile;  ///< and when something completed
};

/// Listening to commands: every channel is simulated, on its own.
struct deaf final : command_listener {
  void on_command(const command_record&) override {}
};

inline outcome run(const traffic::setup& setup, bool replay, std::uint32_t steps,
                   command_listener* listener = nullptr) {
  controller_params p = setup.params;
  p.replay = replay;
  memory m(setup.spec, traffic::map_of(setup.spec, setup.map, setup.channels), p);
  m.listen(listener);
  std::mt19937 g(steps);
  outcome out;
  const timing& t = setup.spec.t;
  out.pipeline = (t.CL + t.CWL + 2 * t.BL) * t.tck_fs / 1000;
  std::size_t next = 0;
  ps_t now = 0;
  while (next < setup.transfers.size() || m.in_flight() > 0) {
    // What the initiator does depends on completions only, so that stepping cannot change it: it submits when there is
    // room, at the time the room was made.
    while (next < setup.transfers.size() && m.can_accept()) {
      transfer x = setup.transfers[next++];
      x.arrival = std::max(x.arrival, now);
      m.submit(x);
    }
    const ps_t bound = m.advance(now);
    if (bound == never) break;
    // Steps in between, up to the bound.
    ps_t at = now;
    if (steps != 0)
      for (int k = 0; k < 3; ++k) {
        at += std::uniform_int_distribution<ps_t>(0, std::max<ps_t>(1, (bound - at) / 2))(g);
        if (at < bound) m.advance(at);
      }
    now = bound;
    m.advance(now);
    std::vector<completion> done;
    m.take_completions(done);
    if (!done.empty()) {
      out.completions.insert(out.completions.end(), done.begin(), done.end());
      m.data_time(now, out.data_meanwhile[now]);
    }
  }
  out.stats = m.stats(now + 1'000'000);
  m.data_time(now + 1'000'000, out.data);
  return out;
}

inline void expect_same(const outcome& a, const outcome& b, const std::string& what) {
  ASSERT_EQ(a.completions.size(), b.completions.size()) << what;
  for (std::size_t i = 0; i < a.completions.size(); ++i) {
    const auto &x = a.completions[i], &y = b.completions[i];
    ASSERT_EQ(x.id, y.id) << what << " at " << i;
    ASSERT_EQ(x.done, y.done) << what << " id " << x.id;
    ASSERT_EQ(x.first_data, y.first_data) << what << " id " << x.id;
    ASSERT_EQ(x.parts.part, y.parts.part) << what << " id " << x.id;
  }
  EXPECT_EQ(a.stats.commands, b.stats.commands) << what;
  EXPECT_EQ(a.stats.by_cause.part, b.stats.by_cause.part) << what;
  EXPECT_EQ(a.stats.active_clocks, b.stats.active_clocks) << what;
  EXPECT_EQ(a.stats.row_hits, b.stats.row_hits) << what;
  EXPECT_EQ(a.stats.row_conflicts, b.stats.row_conflicts) << what;
  for (const auto& [x, y] : {std::pair{&a.stats.read_latency, &b.stats.read_latency},
                             std::pair{&a.stats.write_latency, &b.stats.write_latency}}) {
    EXPECT_EQ(x->count(), y->count()) << what;
    EXPECT_EQ(x->sum(), y->sum()) << what;
    EXPECT_EQ(x->max(), y->max()) << what;
    EXPECT_EQ(x->counts(), y->counts()) << what;
  }
  EXPECT_TRUE(same_results(a.stats, b.stats)) << what;
  EXPECT_EQ(a.data, b.data) << what;
  // In between a block that is replayed counts when it is over, with the beats that follow it: at most the pipeline
  // ahead.
  for (const auto& [now, data] : a.data_meanwhile) {
    const auto same = b.data_meanwhile.find(now);
    if (same == b.data_meanwhile.end()) continue;
    for (std::size_t c = 0; c < data.size(); ++c)
      ASSERT_NEAR(static_cast<double>(data[c]), static_cast<double>(same->second[c]), static_cast<double>(a.pipeline))
          << what << " channel " << c << " at " << now;
  }
}

/// A set-up with replay and without; every second run is stepped at times of its own. Returns the bursts that were
/// replayed.
inline std::int64_t on_is_off(const traffic::setup& setup, std::uint32_t seed) {
  const std::string what = "seed " + std::to_string(seed) + ' ' + setup.text();
  const auto off = run(setup, false, 0), on = run(setup, true, seed % 2);
  EXPECT_EQ(off.completions.size(), setup.transfers.size()) << what;
  EXPECT_EQ(off.stats.replay.replayed_bursts, 0);
  expect_same(off, on, what);
  return on.stats.replay.replayed_bursts;
}

/// Seeds `from` to `to`.
inline std::int64_t on_is_off(std::uint32_t from, std::uint32_t to, int least_channels, bool paced = false) {
  std::int64_t replayed = 0;
  for (std::uint32_t seed = from; seed <= to && !::testing::Test::HasFailure(); ++seed)
    replayed += on_is_off(stream_setup(seed, least_channels, paced), seed);
  return replayed;
}

inline std::int64_t on_is_off_for_mixes(std::uint32_t from, std::uint32_t to) {
  std::int64_t replayed = 0;
  for (std::uint32_t seed = from; seed <= to && !::testing::Test::HasFailure(); ++seed)
    replayed += on_is_off(mixed_setup(seed), seed);
  return replayed;
}

}  // namespace memwall::dram::streams
