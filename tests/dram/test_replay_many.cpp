// SPDX-License-Identifier: Apache-2.0
// Exact replay at length: 20,000 random set-ups, and the size of a real model's prefix.
#include <gtest/gtest.h>

#include "tests/dram/streams.h"

namespace memwall::dram {
namespace {

using namespace streams;

TEST(slow_replay, on_is_off_for_many_random_streams) {
  EXPECT_GT(on_is_off(1000, 14'000, 1), 10'000'000);
  EXPECT_GT(on_is_off(50'000, 52'000, 3), 2'000'000);
}

TEST(slow_replay, on_is_off_for_many_mixes) {
  EXPECT_GT(on_is_off_for_mixes(1000, 5000), 10'000'000);
}

TEST(slow_replay, on_is_off_for_many_paced_streams) {
  EXPECT_GT(on_is_off(1000, 1800, 1, true), 10'000'000);
  EXPECT_GT(on_is_off(50'000, 50'300, 3, true), 1'000'000);
}

// The stacks of an H100 (160 pseudo-channels of HBM3), 2 GB in one stream.
TEST(slow_replay, on_is_off_for_the_first_2_gb_of_a_model) {
  const standard s = load_standard("HBM3");
  outcome o[2];
  for (const bool replay : {false, true}) {
    traffic::setup setup;
    setup.spec = s;
    setup.map = s.default_map;
    setup.channels = 160;
    transfer t;
    t.bytes = 2'000'000'000;
    setup.transfers.push_back(t);
    o[replay] = run(setup, replay, 0);
  }
  EXPECT_EQ(o[1].stats.reads, (2'000'000'000 + s.org.access_bytes() - 1) / s.org.access_bytes());
  EXPECT_GT(o[1].stats.replay.replayed_bursts, o[1].stats.reads * 9 / 10);
  expect_same(o[0], o[1], "HBM3");
}

}  // namespace
}  // namespace memwall::dram
