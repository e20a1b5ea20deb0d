// SPDX-License-Identifier: Apache-2.0
// Commands by hand, and what an analyser shows of them: every time is the clock of the command plus the standard's
// timing.
#include "hw/dram/bank_view.h"
#include "hw/dram/channel_trace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace memwall::dram {
namespace {

struct recording : probe_listener {
  void changed(const probe_base&) override { FAIL() << "all probes are timed"; }
  void changed_at(const probe_base& p, double value, ps_t at) override {
    const bool state = p.type() == probe_base::kind::state;
    changes[p.name()].emplace_back(at, std::isnan(value) ? "?"
                                       : state           ? p.states()[static_cast<std::size_t>(value)]
                                                         : std::to_string(static_cast<std::int64_t>(value)));
  }
  std::map<std::string, std::vector<std::pair<ps_t, std::string>>> changes;
};
using list = std::vector<std::pair<ps_t, std::string>>;

class bank_view_of : public testing::Test {
 protected:
  void watch(const std::string& name, const std::vector<int>& channels) {
    s = load_standard(name);
    view = std::make_unique<bank_view>(s, channels, 100);
    for (const auto& c : view->probes())
      for (probe_base* p : c.probes) p->listen(&seen);
  }
  void give(std::int64_t cycle, command kind, int group, int bank, std::int64_t row, int channel = 0, int rank = 0) {
    command_record r;
    r.cycle = cycle;
    r.kind = kind;
    r.channel = channel;
    r.rank = rank;
    r.bank_group = group;
    r.bank = bank;
    r.row = row;
    view->on_command(r);
  }
  ps_t at(std::int64_t cycle) const { return (cycle * s.t.tck_fs + 500) / 1000; }
  standard s;
  std::unique_ptr<bank_view> view;
  recording seen;
};

TEST_F(bank_view_of, a_row_read_twice_and_closed) {
  watch("DDR4-3200", {0});
  const auto& t = s.t;
  const std::int64_t act = 100, first = act + t.RCDRD, second = first + t.CCD_L, pre = act + t.RAS;
  give(act, command::ACT, 1, 2, 77);
  give(first, command::RD, 1, 2, 77);
  give(second, command::RD, 1, 2, 77);
  give(pre, command::PRE, 1, 2, -1);
  EXPECT_EQ(seen.changes["g1b2_state"], (list{{at(act), "activating"},
                                              {at(act + std::min(t.RCDRD, t.RCDWR)), "open"},
                                              {at(pre), "precharging"},
                                              {at(pre + t.RP), "closed"}}));
  EXPECT_EQ(seen.changes["g1b2_row"], (list{{at(act), "77"}, {at(pre), "?"}}));
  EXPECT_EQ(seen.changes["data_bus"], (list{{at(first + t.CL), "read"},
                                            {at(first + t.CL + t.BL), "idle"},
                                            {at(second + t.CL), "read"},
                                            {at(second + t.CL + t.BL), "idle"}}));
  EXPECT_EQ(seen.changes["row_command"],
            (list{{at(act), "ACT"}, {at(act + 1), "-"}, {at(pre), "PRE"}, {at(pre + 1), "-"}}));
  EXPECT_EQ(seen.changes.count("g0b0_state"), 0u) << "the other banks are unknown still";
}

// An automatic precharge begins when the row has been open for RAS and the write has been recovered from: CWL + BL + WR
// after WRA.
TEST_F(bank_view_of, an_automatic_precharge_waits_for_the_write) {
  watch("DDR4-3200", {0});
  const auto& t = s.t;
  give(10, command::ACT, 0, 0, 5);
  const std::int64_t write = 10 + t.RCDWR, close = std::max<std::int64_t>(10 + t.RAS, write + t.CWL + t.BL + t.WR);
  give(write, command::WRA, 0, 0, 5);
  EXPECT_EQ(seen.changes["g0b0_state"].at(2), std::pair(at(close), std::string("precharging")));
  EXPECT_EQ(seen.changes["g0b0_state"].at(3), std::pair(at(close + t.RP), std::string("closed")));
  EXPECT_EQ(seen.changes["data_bus"].front(), std::pair(at(write + t.CWL), std::string("write")));
}

TEST_F(bank_view_of, refreshes_take_their_banks) {
  watch("DDR5-4800", {1});
  const auto& t = s.t;
  give(0, command::REFab, -1, -1, -1, 0);
  EXPECT_TRUE(seen.changes.empty()) << "channel 0 is not shown";
  give(50, command::REFab, -1, -1, -1, 1);
  const std::string rank = s.org.ranks > 1 ? "rank0_" : "";
  EXPECT_EQ(seen.changes[rank + "refresh"], (list{{at(50), "1"}, {at(50 + t.RFC), "0"}}));
  EXPECT_EQ(seen.changes[rank + "g0b0_state"], (list{{at(50), "refreshing"}, {at(50 + t.RFC), "closed"}}));
  // A same-bank refresh takes its bank in every group, and no other.
  ASSERT_TRUE(t.same_bank_refresh);
  seen.changes.clear();
  const std::int64_t later = 50 + t.RFC;
  give(later, command::REFpb, -1, 1, -1, 1);
  for (int g = 0; g < s.org.bank_groups; ++g)
    EXPECT_EQ(seen.changes[rank + "g" + std::to_string(g) + "b1_state"],
              (list{{at(later), "refreshing"}, {at(later + t.RFCpb), "closed"}}));
  EXPECT_EQ(seen.changes.count(rank + "g0b0_state"), 0u);
}

TEST_F(bank_view_of, commands_of_all_channels_count_and_what_is_forgotten_is_unknown) {
  watch("DDR4-3200", {0});
  for (int i = 0; i < 99; ++i) give(i, command::PRE, 0, 0, -1, 3);
  EXPECT_FALSE(view->full());
  give(200, command::ACT, 0, 0, 1);
  EXPECT_TRUE(view->full());
  view->forget(at(300));
  EXPECT_EQ(seen.changes["g0b0_row"].back(), std::pair(at(300), std::string("?")));
}

// The same commands as stretches of time: bursts without a gap are one, a gap or a turn of the bus ends it.
TEST(channel_trace, runs_of_data_and_commands) {
  struct told : transfer_observer {
    void span(const transfer_span&) override {}
    void on_wires(const channel_span& x) override {
      EXPECT_STREQ(x.module, "mem");
      spans[x.wires].push_back(
          {x.begin_ps, x.end_ps, std::string(x.what) + " " + std::to_string(x.bursts) + " " + std::to_string(x.row)});
    }
    std::map<std::string, std::vector<std::tuple<ps_t, ps_t, std::string>>> spans;
  } seen;
  const standard s = load_standard("DDR4-3200");
  channel_trace trace("mem", s, {1}, 6, seen);
  const auto& t = s.t;
  const auto at = [&](std::int64_t cycle) { return (cycle * t.tck_fs + 500) / 1000; };
  const auto give = [&](std::int64_t cycle, command kind, std::int64_t row, int channel = 1) {
    command_record r;
    r.cycle = cycle;
    r.kind = kind;
    r.channel = channel;
    r.rank = r.bank_group = r.bank = 0;
    r.row = row;
    trace.on_command(r);
  };
  const std::int64_t read = 100, late = read + 2 * t.BL + 3, write = late + 40;
  give(50, command::ACT, 7);
  give(read, command::RD, 7);
  give(read + t.BL, command::RD, 7);  // meets the first
  give(late, command::RD, 7);         // three clocks after the second
  give(60, command::ACT, 9, 0);       // another channel: counted, not shown
  EXPECT_FALSE(trace.full());
  trace.forget(at(late + t.CL + t.BL));  // a window closes: more may follow
  EXPECT_EQ(trace.spent(), never);
  give(write, command::WR, 7);
  EXPECT_TRUE(trace.full());
  trace.forget(at(write));
  EXPECT_EQ(trace.spent(), at(write));
  trace.forget(at(write + 100));
  EXPECT_EQ(trace.spent(), at(write)) << "it was let go once";
  using rows = std::vector<std::tuple<ps_t, ps_t, std::string>>;
  EXPECT_EQ(seen.spans["data bus"], (rows{{at(read + t.CL), at(read + t.CL + 2 * t.BL), "read 2 -1"},
                                          {at(late + t.CL), at(late + t.CL + t.BL), "read 1 -1"},
                                          {at(write + t.CWL), at(write + t.CWL + t.BL), "write 1 -1"}}));
  EXPECT_EQ(seen.spans["row commands"], (rows{{at(50), at(51), "ACT 0 7"}}));
  EXPECT_EQ(seen.spans["column commands"].size(), 4u);
}

}  // namespace
}  // namespace memwall::dram
