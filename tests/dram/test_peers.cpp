// SPDX-License-Identifier: Apache-2.0
// The same traffic, timing parameters and queue sizes as other cycle-level simulators were run with: Ramulator 2.1
// (c5b1c3a, 2026-06-29) and DRAMSys 5.5 (2107966, 2026-07-01). The figures below are theirs.
#include <gtest/gtest.h>

#include "tests/dram/traffic.h"

namespace memwall::dram {
namespace {

const char* const bank_group_low = "row bank column bankgroup";
const char* const column_low = "row bank bankgroup column";
const char* const hbm_low = "row bank column bankgroup rank";

double off(double mine, double theirs) {
  return 100.0 * (mine - theirs) / theirs;
}
double ns(ps_t t) {
  return static_cast<double>(t) * 1e-3;
}
double read_ns(const traffic::result& r) {
  return r.stats.read_latency.mean() * static_cast<double>(r.stats.tck_fs) * 1e-6;
}

/// DRAMSys: one queue for both directions, an interface that stops when either is full, refreshes that do not wait.
controller_params dramsys() {
  controller_params p;
  p.write_mode = "unified";
  p.queues = "joint";
  p.refresh_precharge = "at_once";
  p.command_order = "end";
  return p;
}

controller_params no_refresh() {
  controller_params p;
  p.refresh = "none";
  return p;
}

TEST(dram_peers, saturated_reads_without_refresh_are_exact) {
  const auto a = traffic::ddr4_2400(), b = traffic::ddr4_3200();
  const auto ra = traffic::run('a', 1'000'000, a, traffic::map_of(a, bank_group_low), no_refresh());
  // Both print 3,332,027.5 ns for 833 ps: 4,000,033 clocks.
  EXPECT_EQ(ra.end, 4'000'033 * ps_t{833});
  const auto rb = traffic::run('a', 1'000'000, b, traffic::map_of(b, bank_group_low), no_refresh());
  EXPECT_EQ(rb.end, ps_t{2'500'028'125});
}

TEST(dram_peers, saturated_reads_with_refresh) {
  const auto a = traffic::ddr4_2400(), b = traffic::ddr4_3200();
  const double ta = ns(traffic::run('a', 1'000'000, a, traffic::map_of(a, bank_group_low), {}).end);
  EXPECT_NEAR(off(ta, 3'460'855.12), 0, 0.05);
  EXPECT_NEAR(off(ta, 3'460'843.44), 0, 0.05);
  const double tb = ns(traffic::run('a', 1'000'000, b, traffic::map_of(b, bank_group_low), {}).end);
  EXPECT_NEAR(off(tb, 2'629'055.62), 0, 0.05);
  EXPECT_NEAR(off(tb, 2'629'236.88), 0, 0.05);
  const double tc = ns(traffic::run('a', 1'000'000, b, traffic::map_of(b, column_low), {}).end);
  EXPECT_NEAR(off(tc, 4'062'153.75), 0, 0.05);
}

TEST(dram_peers, latencies_of_paced_reads_agree_to_the_clock) {
  const auto a = traffic::ddr4_2400(), b = traffic::ddr4_3200();
  EXPECT_NEAR(read_ns(traffic::run('e', 100'000, a, traffic::map_of(a, bank_group_low), {})), 25.801, 0.833);
  EXPECT_NEAR(read_ns(traffic::run('e', 100'000, b, traffic::map_of(b, bank_group_low), {})), 28.427, 0.625);
  EXPECT_NEAR(read_ns(traffic::run('e', 100'000, a, traffic::map_of(a, column_low), {})), 24.105, 0.833);
  EXPECT_NEAR(read_ns(traffic::run('e', 100'000, b, traffic::map_of(b, column_low), {})), 27.425, 0.625);
  const double da = read_ns(traffic::run('d', 1'000'000, a, traffic::map_of(a, bank_group_low), {}));
  EXPECT_NEAR(da, 27.621, 0.833);
  EXPECT_NEAR(da, 27.686, 0.833);
  const double db = read_ns(traffic::run('d', 1'000'000, b, traffic::map_of(b, bank_group_low), {}));
  EXPECT_NEAR(db, 29.362, 0.625);
  EXPECT_NEAR(db, 29.568, 0.625);
}

TEST(dram_peers, random_reads) {
  const auto a = traffic::ddr4_2400(), b = traffic::ddr4_3200();
  const double ta = ns(traffic::run('b', 200'000, a, traffic::map_of(a, bank_group_low), {}).end);
  EXPECT_LT(std::min(std::abs(off(ta, 1'125'258.89)), std::abs(off(ta, 1'126'988.19))), 0.5);
  const double tb = ns(traffic::run('b', 200'000, b, traffic::map_of(b, bank_group_low), {}).end);
  EXPECT_LT(std::min(std::abs(off(tb, 1'149'655.00)), std::abs(off(tb, 1'126'367.50))), 0.5);
  // With DRAMSys' rules, its time to the picosecond.
  EXPECT_EQ(traffic::run('b', 200'000, b, traffic::map_of(b, bank_group_low), dramsys()).end, ps_t{1'126'367'500});
}

TEST(dram_peers, reads_and_writes) {
  const auto a = traffic::ddr4_2400(), b = traffic::ddr4_3200();
  EXPECT_NEAR(off(ns(traffic::run('c', 1'000'000, a, traffic::map_of(a, bank_group_low), {}).end), 3'980'151.49), 0, 1);
  EXPECT_NEAR(off(ns(traffic::run('c', 1'000'000, b, traffic::map_of(b, bank_group_low), {}).end), 3'178'384.38), 0, 1);
  EXPECT_NEAR(off(ns(traffic::run('c', 1'000'000, a, traffic::map_of(a, bank_group_low), dramsys()).end), 3'672'228.85),
              0, 0.05);
  EXPECT_EQ(traffic::run('c', 1'000'000, b, traffic::map_of(b, bank_group_low), dramsys()).end, ps_t{2'856'437'500});
  EXPECT_NEAR(off(ns(traffic::run('c', 1'000'000, b, traffic::map_of(b, column_low), dramsys()).end), 4'760'318.75), 0,
              0.5);
}

TEST(dram_peers, hbm2_with_and_without_staggered_refresh) {
  const auto s = traffic::hbm2_2000();
  controller_params p;
  p.read_queue = p.write_queue = 64;
  EXPECT_NEAR(off(ns(traffic::run('a', 1'000'000, s, traffic::map_of(s, hbm_low), p).end), 1'087'964.0), 0,
              0.5);  // Ramulator
  EXPECT_NEAR(off(ns(traffic::run('b', 200'000, s, traffic::map_of(s, hbm_low), p).end), 646'904.0), 0, 0.5);
  controller_params q = dramsys();
  q.read_queue = q.write_queue = 64;
  q.refresh_stagger = true;
  EXPECT_NEAR(off(ns(traffic::run('a', 1'000'000, s, traffic::map_of(s, hbm_low), q).end), 1'136'746.0), 0,
              0.5);  // DRAMSys
  EXPECT_NEAR(off(ns(traffic::run('b', 200'000, s, traffic::map_of(s, hbm_low), q).end), 686'407.0), 0, 0.5);
}

TEST(dram_peers, a_queue_for_each_bank) {
  const auto s = traffic::ddr4_3200();
  controller_params p = dramsys();
  p.queues = "bank";
  p.read_queue = 8;
  EXPECT_EQ(traffic::run('a', 1'000'000, s, traffic::map_of(s, bank_group_low), p).end, ps_t{2'629'268'750});
  EXPECT_EQ(traffic::run('a', 1'000'000, s, traffic::map_of(s, column_low), p).end, ps_t{5'045'499'375});
  EXPECT_NEAR(off(ns(traffic::run('b', 200'000, s, traffic::map_of(s, bank_group_low), p).end), 1'128'247.5), 0, 0.05);
  EXPECT_NEAR(off(ns(traffic::run('c', 1'000'000, s, traffic::map_of(s, bank_group_low), p).end), 2'884'742.5), 0, 0.5);
}

}  // namespace
}  // namespace memwall::dram
