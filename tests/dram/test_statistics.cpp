// SPDX-License-Identifier: Apache-2.0
// What is counted of latencies, and the words for where the time went.
#include "hw/dram/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace memwall::dram {
namespace {

// Exact up to 1023 clocks; from 1024 on 64 buckets a doubling: 16 clocks wide, then 32, ...
TEST(clock_histogram, buckets_follow_one_another_without_gaps) {
  EXPECT_EQ(clock_histogram::bucket_of(-5), 0);
  EXPECT_EQ(clock_histogram::bucket_of(1023), 1023);
  EXPECT_EQ(clock_histogram::bucket_of(1024), 1024);
  EXPECT_EQ(clock_histogram::bucket_of(1039), 1024);
  EXPECT_EQ(clock_histogram::bucket_of(1040), 1025);
  EXPECT_EQ(clock_histogram::bucket_of(2047), 1024 + 63);
  EXPECT_EQ(clock_histogram::bucket_of(2048), 1024 + 64);
  EXPECT_EQ(clock_histogram::bucket_of(2079), 1024 + 64);
  EXPECT_EQ(clock_histogram::bucket_of(2080), 1024 + 65);
  for (int b = 0; b < clock_histogram::buckets; ++b) {
    ASSERT_EQ(clock_histogram::bucket_of(clock_histogram::lowest(b)), b);
    ASSERT_EQ(clock_histogram::bucket_of(clock_histogram::lowest(b) - 1), std::max(0, b - 1));
  }
  EXPECT_EQ(clock_histogram::bucket_of(INT64_MAX / 4), clock_histogram::buckets - 1);
}

// Of 1 ... 100 and once 5000: half are at most 51 (50.5 of 101 are wanted), 99 % at most 100, and all at most 5000.
TEST(clock_histogram, quantiles_are_upper_ends_of_their_buckets) {
  clock_histogram h;
  EXPECT_EQ(h.quantile(0.5), 0);
  EXPECT_EQ(h.min(), 0);
  EXPECT_EQ(h.mean(), 0);
  for (int i = 1; i <= 100; ++i) h.add(i);
  h.add(5000);
  EXPECT_EQ(h.quantile(0), 1);
  EXPECT_EQ(h.quantile(0.5), 51);
  EXPECT_EQ(h.quantile(0.99), 100);
  EXPECT_EQ(h.quantile(1), 5000);
  EXPECT_EQ(h.min(), 1);
  EXPECT_EQ(h.max(), 5000);
  EXPECT_EQ(h.mean(), (100 * 101 / 2 + 5000) / 101.0);
  h.add(6000);  // 5000 to 5055 is one bucket, of which 5000 is not the largest any more
  EXPECT_EQ(h.quantile(101.0 / 102), 5055);
}

TEST(clock_histogram, adds_another_as_often_as_asked) {
  clock_histogram a, b;
  a.add(7);
  b.add(3), b.add(2000, 2);
  a.add(clock_histogram{}, 5);
  EXPECT_EQ(a.min(), 7) << "nothing was added";
  a.add(b, 3);
  EXPECT_EQ(a.count(), 1 + 3 * 3);
  EXPECT_EQ(a.sum(), 7 + 3 * 4003);
  EXPECT_EQ(a.min(), 3);
  EXPECT_EQ(a.max(), 2000);
  EXPECT_EQ(a.counts()[3], 3);
  EXPECT_EQ(a.counts()[static_cast<std::size_t>(clock_histogram::bucket_of(2000))], 6);
}

statistics made_up() {
  statistics s;
  s.by_cause[stall::dram_data] = 600;
  s.by_cause[stall::dram_row_conflict] = 250;
  s.by_cause[stall::dram_refresh] = 100;
  s.by_cause[stall::idle] = 50;
  return s;
}

// 250, 100 and 50 of the 400 in which the bus was not busy, and of 1000 in all.
TEST(statistics, bottlenecks_are_told_largest_first) {
  const auto causes = bottlenecks(made_up());
  ASSERT_EQ(causes.size(), 3u);
  EXPECT_EQ(causes[0].first, stall::dram_row_conflict);
  EXPECT_DOUBLE_EQ(causes[0].second, 250 / 400.0);
  EXPECT_EQ(causes[1].first, stall::dram_refresh);
  EXPECT_DOUBLE_EQ(causes[1].second, 100 / 400.0);
  EXPECT_EQ(causes[2].first, stall::idle);
  EXPECT_EQ(
      bottleneck_line(made_up()),
      "data bus busy 60.0 % of the time; the rest: row conflicts 25.0 %, refresh 10.0 %, arrival of requests 5.0 %");
  statistics s;
  EXPECT_TRUE(bottlenecks(s).empty());
  EXPECT_EQ(bottleneck_line(s), "nothing happened");
  s.by_cause[stall::dram_data] = 9996;
  EXPECT_TRUE(bottlenecks(s).empty());
  EXPECT_EQ(bottleneck_line(s), "bound by the data bus: busy 100.0 % of the time");
  s.by_cause[stall::dram_refresh] = 4;  // 0.04 % are not worth a word
  EXPECT_EQ(bottleneck_line(s), "bound by the data bus: busy 100.0 % of the time");
}

TEST(statistics, bandwidth_is_bytes_over_time) {
  statistics s;
  EXPECT_EQ(s.bandwidth(), 0);
  s.bytes_read = 3000, s.bytes_written = 1000, s.time = 2'000'000;
  EXPECT_DOUBLE_EQ(s.bandwidth(), 2e9);
}

// Whatever differs, but for what replay says of itself.
TEST(statistics, results_are_the_same_when_all_of_them_are) {
  const std::function<void(statistics&)> changes[] = {[](auto& s) { ++s.channels; },
                                                      [](auto& s) { ++s.time; },
                                                      [](auto& s) { ++s.commands[3]; },
                                                      [](auto& s) { ++s.reads; },
                                                      [](auto& s) { ++s.writes; },
                                                      [](auto& s) { ++s.bytes_read; },
                                                      [](auto& s) { ++s.bytes_written; },
                                                      [](auto& s) { ++s.row_hits; },
                                                      [](auto& s) { ++s.row_misses; },
                                                      [](auto& s) { ++s.row_conflicts; },
                                                      [](auto& s) { ++s.data_clocks; },
                                                      [](auto& s) { ++s.active_clocks; },
                                                      [](auto& s) { s.read_latency.add(5); },
                                                      [](auto& s) { s.write_latency.add(5); },
                                                      [](auto& s) { ++s.by_cause[stall::dram_refresh]; }};
  const statistics a = made_up();
  EXPECT_TRUE(same_results(a, made_up()));
  for (const auto& change : changes) {
    statistics b = made_up();
    change(b);
    EXPECT_FALSE(same_results(a, b)) << &change - changes;
    EXPECT_FALSE(same_results(b, a)) << &change - changes;
  }
  statistics c = made_up();
  c.replay.hits = 9;
  EXPECT_TRUE(same_results(a, c));
}

}  // namespace
}  // namespace memwall::dram
