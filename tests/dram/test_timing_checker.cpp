// SPDX-License-Identifier: Apache-2.0
// The checker itself: for every rule, the earliest legal cycle passes and one cycle earlier is caught, and
// named.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/dram_timing_checker.h"

using namespace memwall;
using namespace memwall::dram;
using test::dram_timing_checker;

namespace {

constexpr auto ACT = command::ACT, RD = command::RD, RDA = command::RDA, WR = command::WR, WRA = command::WRA,
               PRE = command::PRE, PREA = command::PREA, REFab = command::REFab, REFpb = command::REFpb;

/// Every value different, so that no rule hides another. Two ranks, two groups of two banks.
standard device() {
  standard s;
  s.org.ranks = 2, s.org.bank_groups = 2, s.org.banks_per_group = 4, s.org.rows = 100, s.org.columns = 10;
  timing& t = s.t;
  t.BL = 4, t.CL = 11, t.CWL = 9, t.RCDRD = 13, t.RCDWR = 12, t.RP = 14, t.RPab = 17, t.RAS = 33, t.RC = 50;
  t.CCD_S = 5, t.CCD_L = 7, t.CCD_S_WR = 6, t.CCD_L_WR = 8, t.CCD_R = 0, t.RRD_S = 3, t.RRD_L = 6, t.FAW = 40;
  t.WTR_S = 5, t.WTR_L = 10, t.RTP = 25, t.WR = 15, t.RTW = 16, t.CS = 3, t.PPD = 2;
  t.RFC = 100, t.REFI = 2000, t.RFCpb = 60, t.REFIpb = 200, t.RREFD = 9, t.ACT_CK = 1;
  return s;
}

command_record at(std::int64_t cycle, command k, int rank = 0, int group = 0, int bank = 0, int row = 1) {
  command_record c;
  c.cycle = cycle, c.kind = k, c.channel = 0, c.rank = rank, c.bank_group = group, c.bank = bank, c.row = row,
  c.column = 0;
  return c;
}

struct scenario {
  const char* rule;
  standard device;
  std::vector<command_record> legal;
  command_record last;  ///< at the first legal cycle, worked out by hand
};

std::vector<scenario> scenarios() {
  const standard d = device();
  standard dual = d, wide_act = d, wide_cas = d, stacked = d, wide_burst = d, same_bank = d, pairs = d, two_bus = d;
  dual.t.dual_command_bus = true;
  wide_act.t.ACT_CK = 2;
  wide_cas.t.CAS_CK = 2;
  wide_act.t.RRD_S = 1;
  stacked.t.CCD_R = 9;
  wide_burst.t.BL = 8;
  same_bank.t.same_bank_refresh = true;
  pairs.t.refresh_banks = 2;
  two_bus.org.pseudo_channels = 2;
  return {
      {"tRCDRD", d, {at(0, ACT)}, at(13, RD)},
      {"tRCDWR", d, {at(0, ACT)}, at(12, WR)},
      {"tRAS", d, {at(0, ACT)}, at(33, PRE)},
      {"tRAS", d, {at(0, ACT)}, at(33, PREA)},
      {"tRTP", d, {at(0, ACT), at(20, RD)}, at(45, PRE)},
      {"tWR", d, {at(0, ACT), at(20, WR)}, at(20 + 9 + 4 + 15, PRE)},
      {"tRP", d, {at(0, ACT), at(40, PRE)}, at(54, ACT)},
      {"tRP", d, {at(0, ACT), at(40, PREA)}, at(57, ACT)},  // RPab
      {"tRC", d, {at(0, ACT), at(33, PRE)}, at(50, ACT)},   // beats RAS + RP = 47
      {"tRP", d, {at(0, ACT), at(20, RDA)}, at(45 + 14, ACT)},
      {"tRP", d, {at(0, ACT), at(12, WRA)}, at(12 + 9 + 4 + 15 + 14, ACT)},
      {"tRRD_L", d, {at(0, ACT)}, at(6, ACT, 0, 0, 1)},
      {"tRRD_S", d, {at(0, ACT)}, at(3, ACT, 0, 1, 0)},
      {"tFAW", d, {at(0, ACT), at(6, ACT, 0, 1), at(12, ACT, 0, 0, 1), at(18, ACT, 0, 1, 1)}, at(40, ACT, 0, 0, 2)},
      {"tCCD_L", d, {at(0, ACT), at(6, ACT, 0, 0, 1), at(30, RD)}, at(37, RD, 0, 0, 1)},
      {"tCCD_S", d, {at(0, ACT), at(6, ACT, 0, 1), at(30, RD)}, at(35, RD, 0, 1)},
      {"tCCD_L_WR", d, {at(0, ACT), at(6, ACT, 0, 0, 1), at(30, WR)}, at(38, WR, 0, 0, 1)},
      {"tCCD_S_WR", d, {at(0, ACT), at(6, ACT, 0, 1), at(30, WR)}, at(36, WR, 0, 1)},
      {"tWTR_L", d, {at(0, ACT), at(30, WR)}, at(30 + 9 + 4 + 10, RD)},
      {"tWTR_S", d, {at(0, ACT), at(6, ACT, 0, 1), at(30, WR)}, at(30 + 9 + 4 + 5, RD, 0, 1)},
      {"tRTW", d, {at(0, ACT), at(30, RD)}, at(46, WR)},
      {"tCS", d, {at(0, ACT), at(1, ACT, 1), at(30, RD)}, at(30 + 4 + 3, RD, 1)},
      {"tCS", d, {at(0, ACT), at(1, ACT, 1), at(30, WR)}, at(30 + 4 + 3, WR, 1)},
      {"tCS", d, {at(0, ACT), at(1, ACT, 1), at(30, WR)}, at(30 + 9 + 4 + 3 - 11, RD, 1)},
      {"tCS", d, {at(0, ACT), at(1, ACT, 1), at(30, RD)}, at(30 + 11 + 4 + 3 - 9, WR, 1)},
      {"tCCD_R", stacked, {at(0, ACT), at(1, ACT, 1), at(30, RD)}, at(39, RD, 1)},
      {"data bus", wide_burst, {at(0, ACT), at(6, ACT, 0, 1), at(30, RD)}, at(38, RD, 0, 1)},
      {"tPPD", d, {at(0, ACT), at(6, ACT, 0, 1), at(50, PRE)}, at(52, PRE, 0, 1)},
      {"tRFC", d, {at(0, REFab)}, at(100, ACT)},
      {"tRFC", d, {at(0, REFab)}, at(100, REFab)},
      {"tRFC", d, {at(0, REFab)}, at(100, REFpb)},
      {"tRP", d, {at(0, ACT), at(33, PRE)}, at(47, REFab)},
      {"tRP", d, {at(0, ACT), at(33, PRE)}, at(47, REFpb)},
      {"tRFCpb", d, {at(0, REFpb)}, at(60, ACT)},
      {"tRFCpb", d, {at(0, REFpb)}, at(60, REFab)},
      {"tRREFD", d, {at(0, REFpb)}, at(9, ACT, 0, 1)},
      {"tRREFD", d, {at(0, REFpb)}, at(9, REFpb, 0, 1)},
      {"tRFCpb", same_bank, {at(0, REFpb)}, at(60, ACT, 0, 1, 0)},  // the other group's bank 0 too
      {"tRFCpb", pairs, {at(0, REFpb)}, at(60, ACT, 0, 1, 0)},      // half of the banks further on
      {"command bus", d, {at(0, ACT)}, at(1, ACT, 1)},
      {"command bus", d, {at(0, ACT), at(1, ACT, 1), at(20, RD)}, at(21, PRE, 0, 0, 3)},
      {"command bus", wide_act, {at(0, ACT)}, at(2, ACT, 1)},
      {"command bus", wide_cas, {at(0, ACT), at(50, PRE, 1)}, at(52, RD)},
      {"command bus", dual, {at(0, ACT)}, at(1, ACT, 1)},
      {"command bus",
       two_bus,
       {at(0, ACT), at(1, ACT, 1), at(30, RD)},
       at(31, RD, 1)},  // two data buses, one command bus
  };
}

TEST(timing_checker, the_first_legal_cycle_passes_and_the_one_before_is_caught) {
  std::set<std::string> rules;
  for (const auto& s : scenarios()) {
    SCOPED_TRACE(std::string(s.rule) + " before " + command_name(s.last.kind) + " at " + std::to_string(s.last.cycle));
    dram_timing_checker good(s.device), bad(s.device);
    for (const auto& c : s.legal) good.on_command(c), bad.on_command(c);
    ASSERT_TRUE(good.violations().empty()) << good.report();
    EXPECT_EQ(good.earliest(s.last).first, s.last.cycle);
    EXPECT_EQ(good.earliest(s.last).second, s.rule);
    good.on_command(s.last);
    EXPECT_TRUE(good.violations().empty()) << good.report();
    command_record early = s.last;
    --early.cycle;
    bad.on_command(early);
    ASSERT_FALSE(bad.violations().empty());
    bool named = false;
    for (const auto& v : bad.violations()) named = named || (v.rule == s.rule && v.earliest == s.last.cycle);
    EXPECT_TRUE(named) << bad.report();
    rules.insert(s.rule);
  }
  EXPECT_EQ(rules.size(), 25u);  // every timing rule of the checker has a scenario
}

TEST(timing_checker, the_state_of_a_bank) {
  const auto rule_of = [](std::vector<command_record> trace) {
    dram_timing_checker c(device());
    for (const auto& r : trace) c.on_command(r);
    return c.violations().size() == 1 ? c.violations()[0].rule : c.report();
  };
  EXPECT_EQ(rule_of({at(0, RD)}), "bank state: column access with no row open");
  EXPECT_EQ(rule_of({at(0, ACT), at(20, RD, 0, 0, 0, 2)}), "bank state: column access to another row");
  EXPECT_EQ(rule_of({at(0, ACT), at(200, ACT)}), "bank state: activation with a row open");
  EXPECT_EQ(rule_of({at(0, ACT), at(200, REFab)}), "bank state: refresh with a row open");
  EXPECT_EQ(rule_of({at(0, ACT), at(200, REFpb)}), "bank state: refresh with a row open");
  EXPECT_EQ(rule_of({at(0, ACT), at(20, RDA), at(200, RD)}), "bank state: column access with no row open");
  EXPECT_EQ(rule_of({at(0, ACT), at(200, PRE), at(300, RD)}), "bank state: column access with no row open");
  EXPECT_EQ(rule_of({at(0, ACT, 0, 2)}), "address out of range");
  EXPECT_EQ(rule_of({at(0, ACT, 0, 0, 0, 100)}), "address out of range");
  EXPECT_EQ(rule_of({at(0, ACT, 2)}), "address out of range");
  EXPECT_EQ(rule_of({at(50, ACT), at(1, PRE, 1)}).substr(0, 12),
            "2 violations");  // out of order, and on a busy bus
}

TEST(timing_checker, channels_and_ranks_are_independent) {
  dram_timing_checker c(device());
  c.on_command(at(0, ACT));
  command_record other = at(0, ACT);
  other.channel = 1;
  c.on_command(other);
  c.on_command(at(1, ACT, 1));  // no tRRD between ranks
  EXPECT_TRUE(c.violations().empty()) << c.report();
}

TEST(timing_checker, a_missing_refresh_is_noticed) {
  dram_timing_checker lazy(device()), diligent(device());
  for (int i = 1; i <= 10; ++i)
    for (int rank = 0; rank < 2; ++rank) diligent.on_command(at(i * 2000 + rank, REFab, rank));
  diligent.check_refresh(10 * 2000 + 1500, false, 0);
  EXPECT_TRUE(diligent.violations().empty()) << diligent.report();
  lazy.on_command(at(2000, REFab));
  lazy.check_refresh(10 * 2000, false, 4);
  EXPECT_EQ(lazy.violations().size(), 2u);  // rank 1 never
  lazy.check_refresh(10 * 2000, false, 8);
  EXPECT_EQ(lazy.violations().size(), 2u);
}

TEST(timing_checker, slack_is_what_an_engine_left_unused) {
  dram_timing_checker c(device());
  c.keep_slack();
  c.on_command(at(0, ACT));
  c.on_command(at(13, RD));
  c.on_command(at(25, RD));  // tCCD_L would have allowed 20
  ASSERT_EQ(c.slack().size(), 3u);
  EXPECT_EQ(c.slack()[1].second, 0);
  EXPECT_EQ(c.slack()[2].second, 5);
}

}  // namespace
