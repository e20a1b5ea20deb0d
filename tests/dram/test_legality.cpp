// SPDX-License-Identifier: Apache-2.0
// Every command that the engine issues, read by a checker that shares no code with it: every standard x
// scheduler x refresh mode x page policy under random traffic.
#include <gtest/gtest.h>

#include <random>

#include "hw/dram/memory.h"
#include "tests/dram/fuzz_memory.h"
#include "tests/support/dram_timing_checker.h"

using namespace memwall;
using namespace memwall::dram;

namespace {

/// Random traffic with rows that are hit, banks that conflict, both directions, bursts and large transfers,
/// pauses.
class mixed_traffic {
 public:
  mixed_traffic(const address_map& map, int kind, unsigned seed) : m_map(map), m_kind(kind), m_random(seed) {}
  transfer next() {
    transfer t;
    const auto access = static_cast<std::uint64_t>(m_map.access_bytes());
    const auto capacity = static_cast<std::uint64_t>(m_map.capacity_bytes());
    switch (m_kind % 4) {
      case 0:  // random
        t.address = m_random() % capacity;
        break;
      case 1:  // sequential
        t.address = m_at += access;
        break;
      case 2:  // few rows of few banks
        t.address = (m_random() % 3 * (capacity / 3) + m_random() % 4096 * access) % capacity;
        break;
      default:  // one bank, other rows
        t.address = m_random() % 64 * static_cast<std::uint64_t>(m_map.row_period_bursts()) * access *
                    static_cast<std::uint64_t>(m_map.channels());
        t.address %= capacity;
    }
    t.write = m_random() % 3 == 0;
    t.bytes = m_random() % 20 == 0 ? 1 + m_random() % 4096 : access;
    if (m_random() % 16 == 0) m_time += static_cast<ps_t>(m_random() % 400'000);
    t.arrival = m_time;
    return t;
  }

 private:
  const address_map& m_map;
  int m_kind;
  std::mt19937_64 m_random;
  std::uint64_t m_at = 0;
  ps_t m_time = 0;
};

/// Runs until nothing is in flight; returns the number of completions and moves `now`.
std::size_t drain(memory& m, ps_t& now) {
  std::vector<completion> done;
  std::size_t count = 0;
  for (ps_t next = m.advance(now);; next = m.advance(now)) {
    done.clear();
    m.take_completions(done);
    count += done.size();
    if (next == never) return count;
    now = next;
  }
}

void run(const standard& s, const controller_params& p, int kind, unsigned seed, int transfers, int channels = 1) {
  const address_map map({s.default_map, channels, 4 * s.org.access_bytes()}, s.org);
  memory m(s, map, p);
  test::dram_timing_checker checker(s);
  m.listen(&checker);
  mixed_traffic traffic(map, kind, seed);
  ps_t now = 0;
  for (int i = 0; i < transfers; ++i) m.submit(traffic.next());
  EXPECT_EQ(drain(m, now), static_cast<std::size_t>(transfers));
  m.stats(now);  // channels that were done earlier catch up
  const std::string mode = p.refresh == "standard" ? s.refresh : p.refresh;
  const std::int64_t clocks = now * 1000 / s.t.tck_fs;
  if (mode != "none") checker.check_refresh(clocks, mode == "per_bank", p.refresh_postpone);
  EXPECT_TRUE(checker.violations().empty()) << checker.report();
}

TEST(legality, every_standard_scheduler_refresh_and_page_policy) {
  int kind = 0;
  for (const auto& name : standard_names()) {
    const standard s = load_standard(name);
    for (const char* scheduler : {"fcfs", "frfcfs", "frfcfs_cap"})
      for (const char* refresh : {"all_bank", "per_bank", "none"})
        for (const char* page : {"open", "closed", "timeout", "adaptive"}) {
          if (std::string(refresh) == "per_bank" && s.t.RFCpb == 0) continue;
          controller_params p;
          p.scheduler = scheduler;
          p.refresh = refresh;
          p.page_policy = page;
          p.cap = 4;
          p.write_mode = kind % 3 == 0 ? "unified" : "drain";
          p.refresh_postpone = kind % 5 == 0 ? 4 : 0;
          p.refresh_stagger = kind % 2 == 0;
          SCOPED_TRACE(name + " " + scheduler + " " + refresh + " " + page + " traffic " + std::to_string(kind % 4));
          run(s, p, kind, static_cast<unsigned>(kind), 600);
          ++kind;
          if (testing::Test::HasFailure()) return;
        }
  }
}

// A bank is due once every REFI (JEDEC: the refresh interval holds for all rows of a device, whichever command
// refreshes them). An idle memory refreshes on time, so the rate can be counted.
TEST(legality, every_bank_is_refreshed_once_an_interval) {
  for (const auto& name : standard_names()) {
    const standard s = load_standard(name);
    for (const char* refresh : {"all_bank", "per_bank"}) {
      const bool per_bank = std::string(refresh) == "per_bank";
      if (per_bank && s.t.RFCpb == 0) continue;
      controller_params p;
      p.refresh = refresh;
      const address_map map({s.default_map, 1, s.org.access_bytes()}, s.org);
      memory m(s, map, p);
      constexpr std::int64_t intervals = 40;
      const statistics r = m.stats((intervals * s.t.REFI + s.t.REFI / 2) * s.t.tck_fs / 1000);
      // A REFpb of DDR5 refreshes a bank of each group, one of LPDDR5 two banks, the others one.
      const bool pairs = name.rfind("LPDDR5", 0) == 0;
      const int banks = !per_bank                    ? s.org.banks_per_rank()
                        : name.rfind("DDR5", 0) == 0 ? s.org.bank_groups
                        : pairs                      ? 2
                                                     : 1;
      const auto commands = static_cast<double>(r.count(per_bank ? command::REFpb : command::REFab));
      const double rounds = commands * banks / s.org.banks_per_rank() / s.org.ranks;
      // The interval of REFpb is a whole number of clocks, half a clock off at most on average.
      EXPECT_NEAR(rounds, intervals + (per_bank ? 0.5 : 0.0), 0.5 + 0.01 * intervals) << name << ' ' << refresh;
    }
  }
}

TEST(legality, ranks_pseudo_channels_and_channels) {
  int kind = 0;
  for (const char* name : {"DDR4-3200", "DDR5-6400", "HBM3", "GDDR6-16", "LPDDR5-6400"})
    for (const int ranks : {1, 2, 4})
      for (const int pseudo_channels : {1, 2})
        for (const char* refresh : {"all_bank", "per_bank"}) {
          standard s = load_standard(name);
          if (ranks % pseudo_channels != 0 || (std::string(refresh) == "per_bank" && s.t.RFCpb == 0)) continue;
          s.org.ranks = ranks;
          s.org.pseudo_channels = pseudo_channels;
          s.default_map = "row bank column bankgroup rank";
          controller_params p;
          p.refresh = refresh;
          p.refresh_stagger = kind % 2 == 0;
          SCOPED_TRACE(std::string(name) + ", ranks " + std::to_string(ranks) + ", pseudo-channels " +
                       std::to_string(pseudo_channels) + ", " + refresh);
          run(s, p, kind, static_cast<unsigned>(kind), 1500, 1 + kind % 3);
          ++kind;
          if (testing::Test::HasFailure()) return;
        }
}

/// A memory of one channel of a standard, all of whose commands are checked, without refresh.
struct checked_memory {
  explicit checked_memory(const standard& s)
      : map({s.default_map, 1, s.org.access_bytes()}, s.org), m(s, map, without_refresh()), checker(s) {
    checker.keep_slack();
    m.listen(&checker);
  }
  static controller_params without_refresh() {
    controller_params p;
    p.refresh = "none";
    return p;
  }
  /// One access.
  void ask(const local_location& at, bool write = false, ps_t arrival = 0) {
    transfer t;
    t.address = map.address_of(0, map.encode_local(at));
    t.bytes = static_cast<std::uint64_t>(m.spec().org.access_bytes());
    t.write = write;
    t.arrival = arrival;
    m.submit(t);
  }
  address_map map;
  memory m;
  test::dram_timing_checker checker;
};

// Tightness: with work that is always there, each command comes at the earliest cycle that is legal.
TEST(legality, commands_come_at_the_earliest_legal_cycle) {
  for (const auto& name : standard_names()) {
    const standard s = load_standard(name);
    // One bank, another row each time: a chain in which every command waits for the one before it.
    checked_memory rows(s);
    const auto& checker = rows.checker;
    for (int i = 0; i < 30; ++i) {
      local_location at;
      at.row = i;
      rows.ask(at, i % 7 == 6);
    }
    ps_t now = 0;
    drain(rows.m, now);
    EXPECT_TRUE(checker.violations().empty()) << name << ": " << checker.report();
    ASSERT_GE(checker.slack().size(), 60u);
    for (std::size_t i = 1; i < checker.slack().size(); ++i)
      EXPECT_EQ(checker.slack()[i].second, 0)
          << name << ": command " << i << ", " << command_name(checker.slack()[i].first.kind) << " at "
          << checker.slack()[i].first.cycle;
    // Row hits in one bank group: tCCD_L, or the burst.
    checked_memory hits(s);
    for (int i = 0; i < 30; ++i) {
      local_location at;
      at.column = i % s.org.columns;
      hits.ask(at);
    }
    now = 0;
    drain(hits.m, now);
    for (std::size_t i = 1; i < hits.checker.slack().size(); ++i)
      EXPECT_EQ(hits.checker.slack()[i].second, 0) << name << " hit " << i;
    if (testing::Test::HasFailure()) return;
  }
}

// Two banks whose rows are open, and another row of each is asked for at once: the second precharge waits for the first
// (tPPD, or the bus), the second activation for tRRD, and nothing for longer than that.
TEST(legality, rows_of_two_banks_change_as_fast_as_the_standard_allows) {
  for (const auto& name : standard_names()) {
    const standard s = load_standard(name);
    checked_memory banks(s);
    constexpr ps_t later = 1'000'000;
    for (int row = 0; row < 2; ++row)
      for (int bank = 0; bank < 2; ++bank) {
        local_location at;
        at.row = row;
        (s.org.bank_groups > 1 ? at.bank_group : at.bank) = bank;
        banks.ask(at, false, row * later);
      }
    ps_t now = 0;
    EXPECT_EQ(drain(banks.m, now), 4U);
    const auto& seen = banks.checker.slack();
    std::vector<std::size_t> precharges;
    for (std::size_t i = 1; i < seen.size(); ++i) {
      const bool first_of_row = seen[i].first.kind == command::PRE && precharges.empty();
      if (seen[i].first.kind == command::PRE) precharges.push_back(i);
      if (first_of_row) continue;  // nobody had asked before
      EXPECT_EQ(seen[i].second, 0) << name << ": " << command_name(seen[i].first.kind) << " at " << seen[i].first.cycle;
    }
    ASSERT_EQ(precharges.size(), 2U) << name;
    EXPECT_EQ(seen[precharges[1]].first.cycle - seen[precharges[0]].first.cycle, std::max(1, s.t.PPD)) << name;
  }
}

// Random standards, controllers and traffic; the same function is the libFuzzer target.
TEST(legality, random_parameters_and_traffic) {
  std::mt19937_64 random(20);
  for (int i = 0; i < 400; ++i) {
    std::vector<std::uint8_t> data(300);
    for (auto& b : data) b = static_cast<std::uint8_t>(random());
    const std::string problem = test::fuzz_memory(data.data(), data.size());
    ASSERT_EQ(problem, "") << "case " << i;
  }
}

}  // namespace
