// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "hw/common/config.h"
#include "hw/common/error.h"
#include "hw/dram/address_map.h"
#include "hw/dram/energy.h"
#include "hw/dram/rescale.h"
#include "hw/dram/standard.h"

using namespace memwall;
using namespace memwall::dram;
using testing::HasSubstr;

namespace {

/// A file that lives as long as the test.
class temporary_file {
 public:
  explicit temporary_file(const std::string& text) {
    m_path = testing::TempDir() + "memwall_standard_" + std::to_string(::getpid()) + "_" + std::to_string(m_count++) +
             ".yaml";
    std::ofstream(m_path) << text;
  }
  ~temporary_file() { std::remove(m_path.c_str()); }
  const std::string& path() const { return m_path; }

 private:
  static inline int m_count = 0;
  std::string m_path;
};

std::string message_of(const std::string& text) {
  const temporary_file file(text);
  try {
    load_standard(file.path());
  } catch (const input_error& e) {
    return e.what();
  }
  return "no error";
}

TEST(standard, every_name_of_the_contract_is_there) {
  const auto names = standard_names();
  const std::set<std::string> have(names.begin(), names.end());
  for (const char* name : {"DDR4-2400", "DDR4-3200", "DDR5-4800", "DDR5-5600", "DDR5-6400", "LPDDR5-6400",
                           "LPDDR5X-8533", "GDDR6-16", "GDDR6X-21", "HBM2", "HBM2E", "HBM3", "HBM3E", "HBM4"})
    EXPECT_TRUE(have.count(name)) << name;
  for (const char* name : {"LPDDR4X", "GDDR5", "GDDR7", "LPDDR6", "gddr6x", "hbm3"})
    EXPECT_NO_THROW(load_standard(name)) << name;
}

TEST(standard, every_file_is_consistent_and_says_where_each_value_comes_from) {
  for (const auto& name : standard_names()) {
    const standard s = load_standard(name);
    SCOPED_TRACE(name);
    EXPECT_EQ(s.name, name);
    EXPECT_FALSE(s.description.empty());
    EXPECT_GE(s.t.RC, s.t.RAS);
    EXPECT_GE(s.t.RAS, s.t.RCDRD);
    EXPECT_GE(s.t.CCD_L, s.t.CCD_S);
    EXPECT_GE(s.t.RFC, s.t.RFCpb);
    EXPECT_GT(s.energy.act_pj, 0);
    EXPECT_GT(s.energy.read_pj, 0);
    EXPECT_GT(s.energy.io_read_pj, 0);
    EXPECT_GT(s.energy.refresh_pj, 0);
    EXPECT_GT(s.energy.background_mw, 0);
    // The bus time of a burst is its beats at the data rate (1 % for clock periods that the standards round).
    const double burst_ns = s.t.BL * static_cast<double>(s.t.tck_fs) * 1e-6;
    EXPECT_NEAR(burst_ns / (s.org.burst_beats / s.data_rate_mbps * 1000), 1, 0.01);
    for (const auto& key : {"CL", "CWL", "RAS", "RP", "RFC", "REFI", "CCD_S", "WR", "RTP"}) {
      const auto found = s.sources.find(std::string("timing.") + key);
      ASSERT_NE(found, s.sources.end()) << key;
      EXPECT_FALSE(found->second.source.empty());
      EXPECT_THAT(found->second.confidence, testing::AnyOf("standard", "datasheet", "paper", "simulator", "scaled"));
    }
    EXPECT_NO_THROW(address_map({s.default_map, s.channels_per_device, 256}, s.org));
  }
}

// Bandwidths that the products' data sheets state: channels x peak.
TEST(standard, peak_bandwidth_is_that_of_the_products) {
  struct product {
    const char* standard;
    int devices;
    double gbps;
  };
  for (const auto& p : {product{"DDR4-3200", 1, 25.6},
                        {"DDR5-4800", 1, 38.4},
                        {"HBM2E-3186", 5, 2039},
                        {"HBM2-2430", 5, 1555},
                        {"HBM3", 5, 3350},
                        {"HBM3E", 6, 4800},
                        {"GDDR6X-21", 12, 1008},
                        {"GDDR6-14", 12, 672},
                        {"LPDDR5-6400", 2, 51.2},
                        {"HBM4", 1, 2048},
                        {"GDDR7-28", 8, 896}}) {
    const standard s = load_standard(p.standard);
    EXPECT_NEAR(s.peak_bytes_per_s() * s.channels_per_device * p.devices / 1e9, p.gbps, 0.003 * p.gbps) << p.standard;
  }
}

// The clocks of dram_traffic's equalised sets, which the comparison with other simulators stands on.
TEST(standard, clocks_of_ddr4_3200) {
  const timing t = load_standard("DDR4-3200").t;
  EXPECT_EQ(t.tck_fs, 625'000);
  EXPECT_EQ((std::vector<int>{t.CL, t.CWL, t.RCDRD, t.RCDWR, t.RP, t.RAS, t.RC, t.CCD_S, t.CCD_L, t.RRD_S, t.RRD_L,
                              t.FAW, t.WTR_S, t.WTR_L, t.RTP, t.WR, t.RFC, t.REFI, t.BL}),
            (std::vector<int>{22, 16, 22, 22, 22, 52, 74, 4, 8, 4, 8, 34, 4, 12, 12, 24, 560, 12480, 4}));
  const timing u = load_standard("DDR4-2400").t;
  EXPECT_EQ(u.tck_fs, 833'000);
  EXPECT_EQ((std::vector<int>{u.CL, u.CWL, u.RCDRD, u.RCDWR, u.RP, u.RAS, u.RC, u.CCD_S, u.CCD_L, u.RRD_S, u.RRD_L,
                              u.FAW, u.WTR_S, u.WTR_L, u.RTP, u.WR, u.RFC, u.REFI, u.BL}),
            (std::vector<int>{16, 12, 16, 16, 16, 39, 55, 4, 6, 4, 6, 26, 3, 9, 9, 18, 312, 9360, 4}));
}

constexpr const char* small =
    "data_rate: 2000 Mbps\n"
    "organisation: {data_bits: 64, burst_beats: 4, beats_per_clock: 2, bank_groups: 4, banks_per_group: 4, "
    "rows: 1024, columns: 32}\n";

TEST(standard, values_are_clocks_or_times) {
  const temporary_file file(std::string(small) +
                            "timing: {CL: 14, CWL: 5 nCK, RCD: 13.2 ns, RP: 13.01 ns, RAS: \"max(8 nCK, 32.5 "
                            "ns)\", CCD_S: \"max(2 nCK, 1 ns)\",\n"
                            "  RRD_S: 4, WTR_S: 6, RTP: 5, WR: 16, RFC: 0.26 us, REFI: 3900 ns}\n");
  const standard s = load_standard(file.path());  // tCK = 2 beats / 2 Gb/s = 1 ns
  EXPECT_EQ(s.t.tck_fs, 1'000'000);
  EXPECT_EQ(s.t.CL, 14);
  EXPECT_EQ(s.t.RCDRD, 14);
  EXPECT_EQ(s.t.RCDWR, 14);
  EXPECT_EQ(s.t.RP, 13);  // within the rounding allowance
  EXPECT_EQ(s.t.RAS, 33);
  EXPECT_EQ(s.t.CCD_S, 2);
  EXPECT_EQ(s.t.RC, 33 + 13);
  EXPECT_EQ(s.t.RFC, 260);
  EXPECT_EQ(s.t.BL, 2);
  EXPECT_EQ(s.sources.at("timing.CL").confidence, "user");
}

TEST(standard, a_derived_file_keeps_the_nanoseconds_and_says_so) {
  const temporary_file file("base: DDR4-3200\ndata_rate: 2666 Mbps\ntiming: {CWL: 14}\n");
  const standard s = load_standard(file.path());
  EXPECT_NEAR(static_cast<double>(s.t.tck_fs), 2 / 2.666 * 1e6, 1);
  EXPECT_EQ(s.t.RCDRD, 19);  // 13.75 ns / 0.7502 ns = 18.33
  EXPECT_EQ(s.t.RFC, 467);   // 350 ns: 466.55
  EXPECT_EQ(s.t.CWL, 14);
  EXPECT_EQ(s.t.CCD_S, 4);
  EXPECT_EQ(s.sources.at("timing.RFC").confidence, "scaled");
  EXPECT_EQ(s.sources.at("timing.CWL").confidence, "user");
}

// GDDR6-14's clock is 570 ps: 24 of them are 13.68 ns, 3333 are 1.9 us. At half the rate a clock is 8 / 7 Gb/s,
// 1142.857 ps: 11.97, so 12, and 1662.3, so 1663 (a refresh may not come later, but that is a count of whole clocks).
// Bursts keep their clocks.
TEST(standard, delays_in_clocks_of_a_base_keep_their_nanoseconds_too) {
  const temporary_file file("base: GDDR6-14\ndata_rate: 7 Gbps\n");
  const standard s = load_standard(file.path());
  EXPECT_EQ(s.t.CL, 12);
  EXPECT_EQ(s.t.RC, 45);  // 90 x 570 ps = 51.3 ns: 44.89
  EXPECT_EQ(s.t.REFI, 1663);
  EXPECT_EQ(s.t.CCD_S, 2);
  // What a base's base says keeps its time as well: two steps are as good as one.
  const temporary_file again("base: " + file.path() + "\ndata_rate: 14 Gbps\n");
  EXPECT_EQ(load_standard(again.path()).t.CL, 24);
  const standard slow = load_standard("GDDR6-12.5"), base = load_standard("GDDR6-14");
  const auto refresh_ns = [](const standard& x) { return x.t.REFI * static_cast<double>(x.t.tck_fs) * 1e-6; };
  EXPECT_NEAR(refresh_ns(slow), refresh_ns(base), 1);
}

TEST(standard, changes_in_memory_are_a_derived_file) {
  const standard s = load_standard("DDR5-4800", config::node::parse_text("timing: {FAW: 32}", "--set"));
  EXPECT_EQ(s.t.FAW, 32);
  EXPECT_EQ(s.t.RRD_L, 12);
}

TEST(standard, errors_name_the_line_and_all_come_at_once) {
  const std::string m =
      message_of(std::string(small) +
                 "timing:\n  CL: 14\n  CLW: 5\n  RCD: fast\n  RP: 14\n  RAS: 34\n  CCD_S: 2.5\n  RRD_S: 4\n  WTR_S: 6\n"
                 "  RTP: 5\n  WR: 16\n  RFC: 260\n  REFI: 250\nrefresh: allbank\n");
  EXPECT_THAT(m, HasSubstr(".yaml:5: timing.CLW: unknown key"));
  EXPECT_THAT(m, HasSubstr("did you mean 'CL"));
  EXPECT_THAT(m, HasSubstr(".yaml:6: timing.RCD: got 'fast'"));
  EXPECT_THAT(m, HasSubstr("timing.CCD_S"));
  EXPECT_THAT(m, HasSubstr("timing.CWL: is missing"));
  EXPECT_THAT(m, HasSubstr("at least RFC plus RCDRD plus RP, which is 274 clocks"));
  EXPECT_THAT(message_of("base: DDR4-3200\nrefresh: allbank\n"), HasSubstr("did you mean 'all_bank'"));
  EXPECT_THAT(message_of("base: DDR4-3201\n"), HasSubstr("did you mean 'DDR4-3200'"));
  EXPECT_THAT(message_of("base: DDR4-3200\ndefault_map: row bank column\n"), HasSubstr("lacks bankgroup"));
  EXPECT_THAT(message_of("base: DDR4-3200\norganisation: {rows: 0}\n"), HasSubstr("1 to"));
  EXPECT_THAT(message_of("base: DDR4-3200\ntiming: {tCK: 0.75 ns}\n"), HasSubstr("does not go with 3200 Mb/s"));
  EXPECT_THAT(message_of("base: DDR4-3200\nsources: {x: {text: y}}\ntiming: {CL: [20, z]}\n"),
              HasSubstr("unknown source 'z'"));
  EXPECT_THAT(message_of("base: DDR4-3200\nsources: {x: {text: y}}\ntiming: {CL: [20, x]}\n"), HasSubstr("confidence"));
  EXPECT_THAT(message_of("base: DDR4-3200\nidd: {IDD0: 50 A}\n"), HasSubstr("in mA"));
  EXPECT_THAT(message_of("- a\n"), HasSubstr("is not a map"));
}

TEST(standard, numbers_are_taken_up_to_their_limits) {
  const auto with = [](const std::string& line) { return message_of("base: DDR4-3200\n" + line + "\n"); };
  for (const char* good : {"queue: 1", "queue: 4096", "channels_per_device: 1", "channels_per_device: 1024",
                           "organisation: {ranks: 4, pseudo_channels: 2}"}) {
    const temporary_file file(std::string("base: DDR4-3200\n") + good + "\n");
    EXPECT_NO_THROW(load_standard(file.path())) << good;
  }
  for (const char* bad : {"queue: 0", "queue: 4097", "queue: 1.5", "queue: 8 x", "queue: many"})
    EXPECT_THAT(with(bad), HasSubstr("an integer, 1 to 4096")) << bad;
  EXPECT_THAT(with("channels_per_device: 1025"), HasSubstr("an integer, 1 to 1024"));
  EXPECT_THAT(with("organisation: {ranks: 3, pseudo_channels: 2}"), HasSubstr("got 3 over 2 pseudo-channels"));
  EXPECT_THAT(with("organisation: {payload_bytes: 65}"), HasSubstr("at most 64"));
  EXPECT_THAT(with("organisation: {data_bits: 1, burst_beats: 4}"), HasSubstr("a burst has 4 bits"));
  EXPECT_THAT(with("refresh: per_bank"), HasSubstr("timing.RFCpb"));
}

// Micron TN-40-07's arithmetic by hand for round numbers: tCK 1 ns, 1 V, 2 devices.
TEST(energy, from_data_sheet_currents) {
  timing t;
  t.tck_fs = 1'000'000;
  t.RC = 50, t.RAS = 35, t.BL = 4, t.RFC = 200;
  const idd_currents idd{1.0, 2.0, 60, 40, 50, 150, 140, 240, 3, 2};
  const energy_table e = energy_from_idd(idd, t, organisation{});
  EXPECT_DOUBLE_EQ(e.act_pj, 2 * (60 * 50 - 50 * 35 - 40 * 15 + 2.0 * 3 * 50));
  EXPECT_DOUBLE_EQ(e.read_pj, 2 * (150 - 50) * 4);
  EXPECT_DOUBLE_EQ(e.write_pj, 2 * (140 - 50) * 4);
  EXPECT_DOUBLE_EQ(e.refresh_pj, 2 * (240 - 40) * 200);
  EXPECT_DOUBLE_EQ(e.background_mw, 80);
  EXPECT_DOUBLE_EQ(e.active_mw, 20);
}

TEST(energy, is_counts_times_table) {
  standard s;
  s.energy = {100, 10, 20, 1, 2, 1000, 50, 30, 5};
  statistics n;
  n.channels = 2;
  n.tck_fs = 500'000;
  n.time = 1'000'000;  // 1 us
  n.active_clocks = 600;
  const auto set = [&](command c, std::int64_t count) { n.commands[static_cast<std::size_t>(c)] = count; };
  set(command::ACT, 7), set(command::RD, 30), set(command::RDA, 3), set(command::WR, 10), set(command::WRA, 1);
  set(command::REFab, 2), set(command::REFpb, 4), set(command::PRE, 6);
  const energy_breakdown e = energy_of(n, s);
  EXPECT_DOUBLE_EQ(e.activate, 700);
  EXPECT_DOUBLE_EQ(e.read, 330);
  EXPECT_DOUBLE_EQ(e.write, 220);
  EXPECT_DOUBLE_EQ(e.io, 33 + 22);
  EXPECT_DOUBLE_EQ(e.refresh, 2200);
  // 30 mW x 2 channels x 1 us = 60 nJ; 5 mW x 600 x 0.5 ns = 1.5 nJ
  EXPECT_DOUBLE_EQ(e.background, 60'000 + 1500);
  EXPECT_DOUBLE_EQ(e.total(), 700 + 330 + 220 + 55 + 2200 + 61'500);
}

// Published totals: all energy of a sequential stream that opens each row once, over its bits.
TEST(energy, a_streamed_bit_costs_what_was_published) {
  const auto per_bit = [](const std::string& name) {
    const standard s = load_standard(name);
    return (s.energy.act_pj / s.org.columns + s.energy.read_pj + s.energy.io_read_pj) / (8.0 * s.org.access_bytes());
  };
  EXPECT_NEAR(per_bit("HBM3"), 0.11 + 0.44 + 1.01 + 1.23 + 0.5 + 0.3, 1e-9);  // AttAcc
  // O'Connor et al. give 3.92 pJ/bit for HBM2 on GPU workloads, which open rows more often than a stream
  // does.
  EXPECT_LT(per_bit("HBM2"), 3.92);
  EXPECT_GT(per_bit("HBM2"), 3.4);
}

// DDR4-3200 with pins twice as fast: a clock of 312.5 ps, of which cells need twice as many and bursts as many as
// before; the same interval of refreshes; twice the queue. Half as fast: half the clocks, the queue stays.
TEST(rescale, faster_pins_leave_cells_their_nanoseconds) {
  const standard s = load_standard("DDR4-3200"), fast = rescale(s, 6400e6, 1), slow = rescale(s, 1600e6, 1);
  ASSERT_EQ(s.t.tck_fs, 625'000);
  EXPECT_EQ(fast.t.tck_fs, 312'500);
  EXPECT_EQ(slow.t.tck_fs, 1'250'000);
  EXPECT_NEAR(fast.data_rate_mbps, 6400, 1e-9);
  EXPECT_NEAR(fast.peak_bytes_per_s(), 2 * s.peak_bytes_per_s(), 1);
  for (const auto& x : {&timing::CL, &timing::CWL, &timing::RCDRD, &timing::RCDWR, &timing::RP, &timing::RAS,
                        &timing::RC, &timing::CCD_L, &timing::RRD_L, &timing::FAW, &timing::WTR_L, &timing::RTP,
                        &timing::WR, &timing::RFC, &timing::REFI}) {
    EXPECT_EQ(fast.t.*x, 2 * s.t.*x);
    EXPECT_EQ(slow.t.*x, (s.t.*x + 1) / 2) << "not shorter than it was";
  }
  for (const auto& x : {&timing::BL, &timing::CCD_S, &timing::CCD_S_WR}) {
    EXPECT_EQ(fast.t.*x, s.t.*x);
    EXPECT_EQ(slow.t.*x, s.t.*x);
  }
  EXPECT_EQ(fast.t.RFCpb, 0) << "there is none";
  EXPECT_EQ(fast.queue, 2 * s.queue);
  EXPECT_EQ(slow.queue, s.queue);
  EXPECT_EQ(rescale(s, 3200e6 * 10'000, 1).queue, 4096) << "as large as a queue may be";
}

// Cells twice as fast: half of 22, 52 and 560 clocks; refreshes as often. No two bursts of a bank group follow each
// other faster than any two do. Up to 3 % of a clock is rounding: 22 x 0.501 = 11.02 are 11 clocks, 11.04 are 12.
TEST(rescale, faster_cells_leave_the_pins) {
  const standard s = load_standard("DDR4-3200"), fast = rescale(s, 0, 0.5), faster = rescale(s, 0, 0.01);
  EXPECT_EQ(fast.t.tck_fs, s.t.tck_fs);
  EXPECT_EQ(fast.data_rate_mbps, s.data_rate_mbps);
  EXPECT_EQ(fast.queue, s.queue);
  EXPECT_EQ(fast.t.CL, 11);
  EXPECT_EQ(fast.t.RAS, 26);
  EXPECT_EQ(fast.t.RFC, 280);
  EXPECT_EQ(fast.t.REFI, s.t.REFI);
  EXPECT_EQ(fast.t.BL, s.t.BL);
  EXPECT_EQ(fast.t.CCD_L, 4);
  EXPECT_EQ(faster.t.CL, 1);
  EXPECT_EQ(faster.t.CCD_L, s.t.CCD_S);
  EXPECT_EQ(faster.t.CCD_L_WR, s.t.CCD_S_WR);
  EXPECT_EQ(rescale(s, 0, 11.02 / 22).t.CL, 11);
  EXPECT_EQ(rescale(s, 0, 11.04 / 22).t.CL, 12);
  const standard same = rescale(s, 0, 1);
  EXPECT_EQ(same.t.CL, s.t.CL);
  EXPECT_EQ(same.t.REFI, s.t.REFI);
}

// Makers' figures are of everything that a device takes at full rate: standby, open rows and refresh are in them.
TEST(energy, figures_of_everything_a_device_takes_are_met_with_its_standby) {
  const auto all_in = [](const std::string& name) {
    const standard s = load_standard(name);
    const double bits_per_s = 8 * s.peak_bytes_per_s(), interval_s = s.t.REFI * static_cast<double>(s.t.tck_fs) * 1e-15;
    const double standing_pj_per_s =
        (s.energy.background_mw + s.energy.active_mw) * 1e9 + s.energy.refresh_pj / interval_s;
    return (s.energy.act_pj / s.org.columns + s.energy.read_pj + s.energy.io_read_pj) / (8.0 * s.org.access_bytes()) +
           standing_pj_per_s / bits_per_s;
  };
  EXPECT_NEAR(all_in("GDDR6-14"), 7.5, 0.1);
  EXPECT_NEAR(all_in("GDDR6X-21"), 7.25, 0.1);
  EXPECT_NEAR(all_in("GDDR7-28"), 4.5, 0.1);
  EXPECT_NEAR(all_in("LPDDR5-6400"), 5, 0.1) << "the middle of the 4 to 6 that are reported";
}

TEST(energy, what_no_primary_source_says_is_marked) {
  for (const char* name : {"LPDDR5-6400", "HBM3", "GDDR7-28", "GDDR6-14", "GDDR6X-21", "GDDR5-8"})
    EXPECT_EQ(load_standard(name).sources.at("energy.read").confidence, "unverified") << name;
  EXPECT_EQ(load_standard("HBM2").sources.at("energy.read").confidence, "paper");
}

}  // namespace
