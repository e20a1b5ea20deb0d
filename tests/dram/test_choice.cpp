// SPDX-License-Identifier: Apache-2.0
// Which command goes first: the queue of banks against a search through all of them, and the controller's options.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "hw/dram/engine/candidates.h"
#include "tests/dram/traffic.h"

namespace memwall::dram {
namespace {

struct waiting_bank {
  int rank = 0, kind = -1;
  std::int64_t due = 0, age = 0;
};

// Over many rebases: clocks and ages run past what a key holds, banks wait for short and long, sparsely and densely.
TEST(dram_choice, the_first_bank_is_that_of_a_search) {
  std::mt19937_64 g(7);
  const auto in = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(g);
  };
  for (const int banks : {1, 16, 96}) {
    const int ranks = banks == 96 ? 6 : 1, per_rank = banks / ranks;
    candidates c(banks, ranks);
    std::vector<waiting_bank> all(static_cast<std::size_t>(banks));
    std::int64_t now = 0, age = 0;
    for (int step = 0; step < 20'000; ++step) {
      now += in(0, 9) == 0 ? in(0, std::int64_t{1} << 31) : in(0, 40);
      const int b = static_cast<int>(in(0, banks - 1)), rank = b / per_rank;
      auto& mine = all[static_cast<std::size_t>(b)];
      if (in(0, 3) == 0) {
        c.remove(b);
        mine.kind = -1;
      } else {
        mine = {rank, static_cast<int>(in(0, 3)), now + in(-50, 600), age += in(0, 99) == 0 ? 1'000'000 : 1};
        c.set(b, rank, mine.kind, mine.due, mine.age);
      }
      const int kind = static_cast<int>(in(0, 3));
      const std::int64_t later = now + in(0, 100);
      c.postpone(rank, kind, rank * per_rank, per_rank, later);
      for (auto& x : all)
        if (x.kind == kind && x.rank == rank) x.due = std::max(x.due, later);
      std::vector<std::int64_t> limits(static_cast<std::size_t>(ranks * 4));
      for (auto& t : limits) t = now + in(0, 60);
      const auto limit = [&](std::size_t r, std::size_t k) { return limits[r * 4 + k]; };
      int first = -1;
      std::int64_t time = 0;
      for (int i = 0; i < banks; ++i) {
        const auto& x = all[static_cast<std::size_t>(i)];
        if (x.kind < 0) continue;
        const std::int64_t t =
            std::max(x.due, limit(static_cast<std::size_t>(x.rank), static_cast<std::size_t>(x.kind)));
        // Older than a key can tell (2^21 requests ago): all the same, the lowest bank goes first.
        const auto oldness = [&](const waiting_bank& y) { return std::max(y.age, age - (1 << 20)); };
        if (first < 0 || t < time || (t == time && oldness(x) < oldness(all[static_cast<std::size_t>(first)])))
          first = i, time = t;
      }
      const auto found = c.first(now, limit);
      ASSERT_EQ(found.bank < 0, first < 0) << step;
      if (first < 0) continue;
      ASSERT_EQ(found.time, time) << banks << " banks, step " << step;
      const auto& x = all[static_cast<std::size_t>(found.bank)];
      if (age - x.age < 1 << 20) {
        ASSERT_EQ(found.bank, first) << banks << " banks, step " << step;
      }
      for (int i = 0; i < banks; ++i) ASSERT_EQ(c.waits(i), all[static_cast<std::size_t>(i)].kind >= 0);
    }
  }
}

/// Activations that a refresh or a precharge undid before a column command used them.
struct unused_rows final : command_listener {
  std::map<std::array<int, 3>, bool> open;  // by rank, group, bank: used
  std::int64_t unused = 0, refreshes = 0;
  void on_command(const command_record& c) override {
    const std::array<int, 3> bank{c.rank, c.bank_group, c.bank};
    if (c.kind == command::ACT) open[bank] = false;
    if (c.kind == command::RD || c.kind == command::WR) open[bank] = true;
    if (c.kind == command::PRE) unused += open[bank] ? 0 : 1;
    if (c.kind == command::REFab) ++refreshes;
    if (c.kind != command::PREA) return;
    for (auto& [unused_name, used] : open) unused += used ? 0 : 1, used = true;
  }
};

TEST(dram_choice, a_refresh_waits_for_opened_rows_or_does_not) {
  const auto s = traffic::ddr4_3200();
  for (const bool waits : {true, false}) {
    controller_params p;
    p.refresh_precharge = waits ? "after_use" : "at_once";
    unused_rows rows;
    memory m(s, traffic::map_of(s, "row bank column bankgroup"), p);
    m.listen(&rows);
    const auto r = traffic::offer(m, 20'000, [&](std::int64_t i) { return traffic::request('b', i, s); });
    EXPECT_GT(rows.refreshes, 10);
    // Without waiting: tRCD / (tFAW / 4) = 2.6 rows are on their way at any time.
    EXPECT_EQ(rows.unused > rows.refreshes, !waits);
    EXPECT_EQ(rows.unused > 0, !waits);
    EXPECT_EQ(r.stats.count(command::ACT) - rows.unused, 20'000 - r.stats.row_hits);
  }
}

// tFAW, tRRD and tRC do not bound this set, the row bus does: two clocks an ACT, one a PRE. Chosen by their first
// clocks they fill it but for refreshes; chosen by their last ones, a PRE that could begin a clock after an ACT goes
// first, and leaves that clock.
TEST(dram_choice, commands_chosen_by_their_first_clock_fill_the_bus) {
  const auto s = traffic::hbm2_2000();
  controller_params p;
  p.refresh = "none";
  p.read_queue = p.write_queue = 64;
  constexpr std::int64_t n = 50'000;
  for (const char* order : {"start", "end"}) {
    p.command_order = order;
    const auto r = traffic::run('b', n, s, traffic::map_of(s, "row bank column bankgroup rank"), p);
    const std::int64_t clocks = r.end * 1000 / s.t.tck_fs,
                       bus = 2 * r.stats.count(command::ACT) + r.stats.count(command::PRE);
    EXPECT_GE(clocks, bus);
    const double share = static_cast<double>(bus) / static_cast<double>(clocks);
    EXPECT_GT(share, p.command_order == "start" ? 0.98 : 0.9);
    EXPECT_LT(share, p.command_order == "start" ? 1.0 : 0.97);
  }
}

/// When the first row of a bank group opened.
struct first_activation final : command_listener {
  int group;
  std::int64_t cycle = -1;
  explicit first_activation(int g) : group(g) {}
  void on_command(const command_record& c) override {
    if (c.kind == command::ACT && c.bank_group == group && cycle < 0) cycle = c.cycle;
  }
};

// Two writes to one bank fill their queue at clocks 0 and 1, the first leaves it with its WR at clock 1 + tRCDWR. A
// read of another initiator, elsewhere, comes at clock 5: at once into a queue of its own, with a joint interface after
// that WR.
TEST(dram_choice, a_joint_interface_stops_reads_behind_a_full_write_queue) {
  const auto s = traffic::ddr4_3200();
  controller_params p;
  p.refresh = "none";
  p.write_mode = "unified";
  p.read_queue = 8;
  p.write_queue = 2;
  for (const bool joint : {false, true}) {
    p.queues = joint ? "joint" : "direction";
    memory m(s, traffic::map_of(s, "row bank column bankgroup"), p);
    first_activation opened(1);
    m.listen(&opened);
    traffic::offer(m, 3, [&](std::int64_t i) {
      transfer t;
      t.bytes = 64;
      t.source = i == 2 ? 1 : 0;
      t.write = i < 2;
      t.arrival = i == 2 ? 5 * s.t.tck_fs / 1000 : 0;
      t.address = i < 2 ? static_cast<std::uint64_t>(i) << 31 : 64;
      return t;
    });
    EXPECT_EQ(opened.cycle, joint ? 1 + s.t.RCDWR + 1 : 5 + 1);
  }
}

}  // namespace
}  // namespace memwall::dram
