// SPDX-License-Identifier: Apache-2.0
// The engine on wide random inputs: no illegal command, nothing lost, bounded waits, parts that sum; and its closed
// forms.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/dram/random_setup.h"
#include "tests/dram/traffic.h"
#include "tests/support/dram_timing_checker.h"

namespace memwall::dram {
namespace {

using test::dram_timing_checker;

TEST(dram_engine, random_setups_issue_only_legal_commands) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    const auto setup = traffic::random_setup(seed);
    dram_timing_checker checker(setup.spec);
    memory m(setup.spec, traffic::map_of(setup.spec, setup.map, setup.channels), setup.params);
    m.listen(&checker);
    const auto r = traffic::offer(
        m, static_cast<std::int64_t>(setup.transfers.size()),
        [&](std::int64_t i) { return setup.transfers[static_cast<std::size_t>(i)]; }, true);
    ASSERT_TRUE(checker.violations().empty()) << "seed " << seed << ' ' << setup.text() << '\n' << checker.report();

    // Nothing lost, nothing twice; parts sum; bytes are conserved.
    ASSERT_EQ(r.completions.size(), setup.transfers.size()) << "seed " << seed;
    std::vector<int> seen(setup.transfers.size());
    ps_t previous = 0;
    for (const auto& c : r.completions) {
      const auto& t = setup.transfers[c.id];
      ++seen[c.id];
      EXPECT_GE(c.done, previous);
      previous = c.done;
      EXPECT_LE(c.first_data, c.done);
      EXPECT_GT(c.first_data, t.arrival);
      EXPECT_GE(c.spread, 0);
      EXPECT_LE(c.spread, c.done - c.first_data);
      for (std::size_t i = 0; i < stall_count; ++i)
        ASSERT_GE(c.parts.part[i], 0) << stall_name(static_cast<stall>(i)) << " seed " << seed;
      (void)t;
    }
    for (const int n : seen) ASSERT_EQ(n, 1) << "seed " << seed;
    std::int64_t bursts = 0;
    const auto size = static_cast<std::uint64_t>(setup.spec.org.access_bytes());
    for (const auto& t : setup.transfers)
      bursts += static_cast<std::int64_t>((t.address % size + t.bytes + size - 1) / size);
    EXPECT_EQ(r.stats.reads + r.stats.writes, bursts);
    EXPECT_EQ(r.stats.row_hits + r.stats.row_misses + r.stats.row_conflicts, bursts);
    EXPECT_EQ(r.stats.read_latency.count(), r.stats.reads);
    EXPECT_EQ(r.stats.by_cause.sum(), r.stats.time * r.stats.channels) << "seed " << seed;
    EXPECT_EQ(r.stats.count(command::RD) + r.stats.count(command::RDA), r.stats.reads);
  }
}

/// From the commands alone: how long each rank has had a row open in any of its banks.
class open_time final : public command_listener {
 public:
  explicit open_time(const standard& s) : m_spec(s) {}

  void on_command(const command_record& c) override {
    auto& rank = m_ranks[{c.channel, c.rank}];
    bank& b = rank.banks[{c.bank_group, c.bank}];
    const timing& t = m_spec.t;
    switch (c.kind) {
      case command::ACT:
        b = {true, c.cycle, c.cycle + t.RAS};
        break;
      case command::RD:
      case command::RDA:
        b.may_close = std::max(b.may_close, c.cycle + t.RTP);
        break;
      case command::WR:
      case command::WRA:
        b.may_close = std::max(b.may_close, c.cycle + t.CWL + t.BL + t.WR);
        break;
      case command::PRE:
        rank.close(b, c.cycle);
        break;
      case command::PREA:
        for (auto& [unused, any] : rank.banks) rank.close(any, c.cycle);
        break;
      default:
        break;
    }
    if (c.kind == command::RDA || c.kind == command::WRA) rank.close(b, b.may_close);
  }

  /// Up to `now`; rows that lie open until then included.
  std::int64_t clocks(std::int64_t now) const {
    std::int64_t sum = 0;
    for (auto [unused, rank] : m_ranks) {
      for (auto& [number, b] : rank.banks) rank.close(b, now);
      std::sort(rank.times.begin(), rank.times.end());
      std::int64_t end = 0;
      for (const auto& [from, to] : rank.times)
        if (to > end) sum += to - std::max(from, end), end = to;
    }
    return sum;
  }

 private:
  struct bank {
    bool open = false;
    std::int64_t since = 0, may_close = 0;
  };
  struct rank_times {
    std::map<std::pair<int, int>, bank> banks;
    std::vector<std::pair<std::int64_t, std::int64_t>> times;  // of each row
    void close(bank& b, std::int64_t at) {
      if (b.open) times.emplace_back(b.since, at);
      b.open = false;
    }
  };
  const standard& m_spec;
  std::map<std::pair<int, int>, rank_times> m_ranks;  // by channel and rank
};

// What background power is reckoned from. The memory is looked at long after its last access, when rows that close by
// themselves are closed, and where nobody closes them they are open still.
TEST(dram_engine, ranks_are_active_while_a_row_of_theirs_is_open) {
  for (std::uint32_t seed = 101; seed <= 140; ++seed) {
    const auto setup = traffic::random_setup(seed);
    open_time seen(setup.spec);
    memory m(setup.spec, traffic::map_of(setup.spec, setup.map, setup.channels), setup.params);
    m.listen(&seen);
    const auto r = traffic::offer(m, static_cast<std::int64_t>(setup.transfers.size()),
                                  [&](std::int64_t i) { return setup.transfers[static_cast<std::size_t>(i)]; });
    const std::int64_t clocks = r.end * 1000 / setup.spec.t.tck_fs + 1000;
    const statistics later = m.stats(clocks * setup.spec.t.tck_fs / 1000);
    EXPECT_EQ(later.active_clocks, seen.clocks(clocks)) << "seed " << seed << ' ' << setup.text();
    EXPECT_GT(later.active_clocks, 0);
  }
}

// 128 bursts of one row over alternating bank groups, back to back: the last ends 127 bursts' time after the first, and
// the average one half of that before it.
TEST(dram_engine, tells_by_how_much_the_average_byte_came_earlier) {
  const standard s = traffic::ddr4_3200();
  controller_params p;
  p.refresh = "none";
  memory m(s, traffic::map_of(s, "row bank column bankgroup"), p);
  transfer t;
  t.bytes = 128 * 64;
  const auto r = traffic::offer(
      m, 1, [&](std::int64_t) { return t; }, true);
  ASSERT_EQ(r.completions.size(), 1u);
  const auto& c = r.completions[0];
  const ps_t between = c.done - c.first_data, clock = s.t.tck_fs / 1000 + 1;
  EXPECT_GE(between, 127 * s.t.BL * s.t.tck_fs / 1000);
  EXPECT_NEAR(static_cast<double>(c.spread), static_cast<double>(between) / 2, static_cast<double>(clock));
}

/// Reads of rows `first` and `second` of one bank in turn, one every 150 clocks, no refresh.
statistics alternate(const std::string& policy, int timeout_clocks, std::uint64_t first, std::uint64_t second, int n) {
  const standard s = traffic::ddr4_3200();
  controller_params p;
  p.refresh = "none";
  p.page_policy = policy;
  p.page_timeout = duration(timeout_clocks * static_cast<double>(s.t.tck_fs) * 1e-15);
  memory m(s, traffic::map_of(s, "bank bankgroup row column"), p);
  return traffic::offer(m, n,
                        [&](std::int64_t i) {
                          transfer t;
                          t.bytes = 64;
                          t.address = (i % 2 == 0 ? first : second) * static_cast<std::uint64_t>(s.org.row_bytes());
                          t.arrival = i * 150 * s.t.tck_fs / 1000;
                          return t;
                        })
      .stats;
}

// A read's column command comes 1 + tRCD = 23 clocks after its arrival, the next arrival 127 later: a timeout of 100
// clocks has closed the row, one of 200 (doubled after the first time) has not.
TEST(dram_engine, adaptive_timeout_learns_that_a_row_is_wanted_again) {
  constexpr int n = 50;
  const auto fixed = alternate("timeout", 100, 7, 7, n), adaptive = alternate("adaptive", 100, 7, 7, n);
  EXPECT_EQ(fixed.row_misses, n);
  EXPECT_EQ(adaptive.row_misses, 2);
  EXPECT_EQ(adaptive.row_hits, n - 2);
}

// The other way round: with 200 clocks every read finds the other row open. After one conflict (column command at
// 1 + tRP + tRCD = 45, the next arrival 105 later) 100 clocks suffice to find none.
TEST(dram_engine, adaptive_timeout_learns_that_another_row_is_wanted) {
  constexpr int n = 50;
  const auto fixed = alternate("timeout", 200, 3, 4, n), adaptive = alternate("adaptive", 200, 3, 4, n);
  EXPECT_EQ(fixed.row_conflicts, n - 1);
  EXPECT_EQ(adaptive.row_conflicts, 1);
  EXPECT_EQ(adaptive.row_misses, n - 1);
}

}  // namespace
}  // namespace memwall::dram
