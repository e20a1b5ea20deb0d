// SPDX-License-Identifier: Apache-2.0
// Exact replay and classes of channels: with and without give the same times, parts, statistics, whatever the traffic.
#include <gtest/gtest.h>

#include "tests/dram/streams.h"

namespace memwall::dram {
namespace {

using namespace streams;

TEST(dram_replay, on_is_off_for_random_streams) {
  EXPECT_GT(on_is_off(1, 60, 1), 20'000);
}
// Paces that clocks divide or not, slower and faster than the memory, of one source and of several. (Seed 20 found a
// block that ended as a lagging source caught up: another one in the same state may not.)
TEST(dram_replay, on_is_off_for_paced_streams) {
  EXPECT_GT(on_is_off(1, 20, 1, true), 100'000);
}

// Half the peak for a whole second's worth of bursts: after one row of every bank and the refresh's phases nothing is
// simulated.
TEST(dram_replay, a_paced_stream_is_replayed) {
  const standard s = traffic::ddr4_3200();
  memory m(s, traffic::map_of(s, "row bank column bankgroup"), {});
  constexpr std::int64_t n = 4'000'000;
  const ps_t pace = 2 * s.t.BL * s.t.tck_fs / 1000;
  const auto r = traffic::offer(m, 1, [&](std::int64_t) {
    transfer t;
    t.bytes = static_cast<std::uint64_t>(n * s.org.access_bytes());
    t.pace = pace;
    return t;
  });
  EXPECT_EQ(r.stats.reads, n);
  EXPECT_GT(r.stats.replay.replayed_bursts, n * 9 / 10);
  // The last burst may enter at n - 1 paces; a refresh delays it by no more than itself and opening its row again.
  const ps_t entry = (n - 1) * pace, tck = s.t.tck_fs / 1000;
  EXPECT_GE(r.end, entry + (s.t.CL + s.t.BL) * tck);
  EXPECT_LE(r.end, entry + (2 + s.t.RP + s.t.RFC + s.t.RP + s.t.RCDRD + s.t.CL + s.t.BL) * tck);
}

// Seeds that once found a source running dry, a write that overtook reads, precharges ordered by a forgotten past.
TEST(dram_replay, on_is_off_for_streams_that_once_failed) {
  for (const std::uint32_t seed : {980u, 1297u, 1735u, 2130u, 40747u}) on_is_off(seed, seed, 1);
  on_is_off(3293, 3293, 1, true);  // a write behind a paced read that lags
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

// A stripe-wise stream never splits; a burst to one channel makes two classes; idle for longer than any constraint,
// with the rows closed by a refresh, they are one again.
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
