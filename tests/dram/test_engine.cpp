// SPDX-License-Identifier: Apache-2.0
// The engine on wide random inputs: no illegal command, nothing lost, bounded waits, parts that sum; and its closed forms.
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
    const auto r = traffic::offer(m, static_cast<std::int64_t>(setup.transfers.size()),
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
      for (std::size_t i = 0; i < stall_count; ++i) ASSERT_GE(c.parts.part[i], 0) << stall_name(static_cast<stall>(i)) << " seed " << seed;
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

}  // namespace
}  // namespace memwall::dram
