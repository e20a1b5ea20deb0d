// SPDX-License-Identifier: Apache-2.0
// Exact replay and classes of channels: with and without give the same times, parts, statistics, whatever the traffic.
#include <gtest/gtest.h>

#include <random>

#include "tests/dram/random_setup.h"

namespace memwall::dram {
namespace {

/// Streams: transfers that mostly continue each other, of several sources, arriving as earlier ones complete or by time.
traffic::setup stream_setup(std::uint32_t seed, int least_channels = 1) {
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
  out.map = traffic::random_map(g);
  out.channels = in(0, 1) != 0 ? least_channels : in(2, 4) * least_channels;
  const auto access = static_cast<std::uint64_t>(out.spec.org.access_bytes());
  const int sources = in(0, 1) != 0 ? 1 : in(2, 3), n = in(10, 120);
  const auto space = static_cast<std::uint64_t>(out.spec.org.capacity_bytes()) * static_cast<std::uint64_t>(out.channels);
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
    t.bytes = access * static_cast<std::uint64_t>(size_kind == 0 ? in(1, 4000) : size_kind == 1 ? in(64, 300) : size_kind == 2 ? in(1, 60) : 512);
    t.address = place[t.source];
    place[t.source] = (place[t.source] + t.bytes) % space;
    if (in(0, 30) == 0) place[t.source] = std::uniform_int_distribution<std::uint64_t>(0, space / access - 1)(g) * access;
    if (in(0, 30) == 0) write[t.source] = !write[t.source];
    if (in(0, 12) == 0) arrival += in(0, 2'000'000);
    t.arrival = arrival;
    if (in(0, 40) == 0) t.pace = in(1, 20) * 700;
    out.transfers.push_back(t);
  }
  return out;
}

struct outcome {
  std::vector<completion> completions;
  statistics stats;
};

/// Listening to commands: every channel is simulated, on its own.
struct deaf final : command_listener {
  void on_command(const command_record&) override {}
};

outcome run(const traffic::setup& setup, bool replay, std::uint32_t steps, command_listener* listener = nullptr) {
  controller_params p = setup.params;
  p.replay = replay;
  memory m(setup.spec, traffic::map_of(setup.spec, setup.map, setup.channels), p);
  m.listen(listener);
  std::mt19937 g(steps);
  outcome out;
  std::size_t next = 0;
  ps_t now = 0;
  while (next < setup.transfers.size() || m.in_flight() > 0) {
    // What the initiator does depends on completions only, so that stepping cannot change it: it submits when there is room,
    // at the time the room was made.
    while (next < setup.transfers.size() && m.can_accept()) {
      transfer t = setup.transfers[next++];
      t.arrival = std::max(t.arrival, now);
      m.submit(t);
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
    if (!done.empty()) out.completions.insert(out.completions.end(), done.begin(), done.end());
  }
  out.stats = m.stats(now + 1'000'000);
  return out;
}

void expect_same(const outcome& a, const outcome& b, const std::string& what) {
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
  for (const auto& [x, y] : {std::pair{&a.stats.read_latency, &b.stats.read_latency}, std::pair{&a.stats.write_latency, &b.stats.write_latency}}) {
    EXPECT_EQ(x->count(), y->count()) << what;
    EXPECT_EQ(x->sum(), y->sum()) << what;
    EXPECT_EQ(x->max(), y->max()) << what;
    EXPECT_EQ(x->counts(), y->counts()) << what;
  }
  EXPECT_TRUE(same_results(a.stats, b.stats)) << what;
}

TEST(dram_replay, on_is_off_for_random_streams) {
  std::int64_t replayed = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    const auto setup = stream_setup(seed);
    const std::string what = "seed " + std::to_string(seed) + ' ' + setup.text();
    const auto off = run(setup, false, 0), on = run(setup, true, 0);
    ASSERT_EQ(off.completions.size(), setup.transfers.size()) << what;
    ASSERT_NO_FATAL_FAILURE(expect_same(off, on, what));
    replayed += on.stats.replay.replayed_bursts;
    ASSERT_EQ(off.stats.replay.replayed_bursts, 0);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(replayed, 20'000);
}

// Whole stripes, parts of them, bursts to single channels, pauses: classes split and merge.
TEST(dram_classes, together_is_apart_for_random_streams) {
  deaf listener;
  std::int64_t alike = 0;
  for (std::uint32_t seed = 1; seed <= 120; ++seed) {
    auto setup = stream_setup(seed, 4);
    const std::string what = "seed " + std::to_string(seed) + ' ' + setup.text();
    const auto apart = run(setup, false, 0, &listener), together = run(setup, false, 0);
    ASSERT_EQ(apart.completions.size(), setup.transfers.size()) << what;
    ASSERT_EQ(apart.stats.replay.classes, setup.channels);
    ASSERT_NO_FATAL_FAILURE(expect_same(apart, together, what));
    if (::testing::Test::HasFailure()) return;
    alike += setup.channels - together.stats.replay.classes;
  }
  EXPECT_GT(alike, 50);  // channels that ended in a class of several
}

// A stripe-wise stream never splits; a burst to one channel makes two classes; idle for longer than any constraint, with
// the rows closed by a refresh, they are one again.
TEST(dram_classes, split_by_work_and_merge_when_idle) {
  const standard s = traffic::ddr4_3200();
  controller_params p;
  memory m(s, traffic::map_of(s, "row bank column bankgroup", 8), p);
  const std::uint64_t stripe = 8 * 256;
  const auto finish = [&] {
    ps_t end = 0;
    std::vector<completion> done;
    for (ps_t next = m.advance(0); next != never; next = m.advance(next)) {
      end = next;
      m.take_completions(done);
    }
    return end;
  };
  transfer t;
  t.bytes = 100 * stripe;
  m.submit(t);
  ps_t now = finish();
  EXPECT_EQ(m.stats(now).replay.classes, 1);
  t.address = 5 * 256;
  t.bytes = 64;
  t.arrival = now;
  m.submit(t);
  now = finish();
  EXPECT_EQ(m.stats(now).replay.classes, 2);
  EXPECT_EQ(m.stats(now).reads, 100 * 8 * 4 + 1);
  now += 2 * s.t.REFI * s.t.tck_fs / 1000;
  m.advance(now);
  const auto end = m.stats(now);
  EXPECT_EQ(end.replay.classes, 1);
  EXPECT_EQ(end.reads, 100 * 8 * 4 + 1);
  EXPECT_EQ(end.by_cause.sum(), now * 8);
}

}  // namespace
}  // namespace memwall::dram
