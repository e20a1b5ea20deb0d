// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "hw/common/error.h"
#include "hw/dram/driver.h"

using namespace memwall;
using namespace memwall::dram;
using testing::HasSubstr;

namespace {

driver_params params(const std::string& standard, const std::string& pattern, std::int64_t requests) {
  driver_params p;
  p.standard = standard;
  p.pattern.pattern = pattern;
  p.pattern.requests = requests;
  return p;
}

std::vector<std::string> keys(const nlohmann::ordered_json& j) {
  std::vector<std::string> out;
  for (const auto& [k, v] : j.items()) out.push_back(k);
  return out;
}

TEST(driver, json_starts_with_the_stable_keys) {
  const auto j = to_json(run_driver(params("DDR4-3200", "c", 3000)));
  const auto top = keys(j);
  ASSERT_GE(top.size(), 9u);
  EXPECT_THAT(std::vector<std::string>(top.begin(), top.begin() + 9),
              testing::ElementsAre("time_ns", "bandwidth_gbps", "pct_peak", "read_latency_ns", "write_latency_ns",
                                   "row", "commands", "energy_pj", "host"));
  EXPECT_THAT(keys(j["read_latency_ns"]), testing::ElementsAre("mean", "p50", "p95", "p99", "max"));
  EXPECT_THAT(keys(j["row"]), testing::ElementsAre("hit", "miss", "conflict"));
  EXPECT_THAT(keys(j["host"]), testing::ElementsAre("wall_s", "requests_per_s", "peak_rss_mb"));
  EXPECT_EQ(j["commands"]["RD"], 2000);
  EXPECT_EQ(j["commands"]["WR"], 1000);
  EXPECT_EQ(j["row"]["hit"].get<int>() + j["row"]["miss"].get<int>() + j["row"]["conflict"].get<int>(), 3000);
}

// 3000 accesses of 64 bytes over the time that they took, in percent of 3200 MT/s on eight bytes: 25.6 GB/s.
TEST(driver, percent_of_the_peak_are_bytes_over_time) {
  const auto j = to_json(run_driver(params("DDR4-3200", "seq", 3000)));
  const double bytes_per_ns = 3000 * 64 / j["time_ns"].get<double>();
  EXPECT_NEAR(j["bandwidth_gbps"].get<double>(), bytes_per_ns, 1e-6);
  EXPECT_NEAR(j["pct_peak"].get<double>(), 100 * bytes_per_ns / 25.6, 1e-6);
}

// Under the closed policy the last access to a row that is queued carries the precharge. At a hundredth of the peak no
// other one is queued: 64 bytes come every 250 ns, and each is an ACT and a RDA, though all lie in one row.
TEST(driver, an_access_alone_closes_its_row_under_the_closed_policy) {
  driver_params p = params("DDR4-3200", "seq", 20);
  p.pattern.load = 0.01;
  p.controller.refresh = "none";
  p.controller.page_policy = "closed";
  const statistics s = run_driver(p).stats;
  const auto issued = [&](command c) { return s.commands[static_cast<std::size_t>(c)]; };
  EXPECT_EQ(issued(command::ACT), 20u);
  EXPECT_EQ(issued(command::RDA), 20u);
  EXPECT_EQ(issued(command::RD), 0u);
  EXPECT_EQ(issued(command::PRE), 0u);
}

// One read of an idle, closed bank: the input register, ACT to RD, CL and the burst.
TEST(driver, unloaded_latency_is_its_closed_form_for_every_standard) {
  for (const auto& name : standard_names()) {
    const driver_result r = run_driver(params(name, "seq", 1));
    const timing& t = r.spec.t;
    const std::int64_t clocks = controller_params{}.input_clocks + t.ACT_CK - 1 + t.RCDRD + t.CAS_CK - 1 + t.CL + t.BL;
    EXPECT_NEAR(static_cast<double>(r.time) * 1000, static_cast<double>(clocks * t.tck_fs), 1000) << name;
  }
}

// Without refresh a long stream runs at peak; what it loses is the first access and, where stack IDs take turns, a
// clock at each change (0.4 % in HBM3). With refresh: REFab takes RFC of every REFI, and the rows have to be opened
// again.
TEST(driver, the_default_map_reaches_the_peak_that_refresh_leaves) {
  for (const auto& name : standard_names()) {
    driver_params p = params(name, "seq", 150'000);
    p.controller.refresh = "none";
    const driver_result bare = run_driver(p);
    EXPECT_GT(bare.bandwidth / bare.peak, 0.995) << name << ": " << bare.bound_by;
    EXPECT_LE(bare.bandwidth / bare.peak, 1.0) << name;
    const driver_result r = run_driver(params(name, "seq", 150'000));
    const timing& t = r.spec.t;
    // From the last burst before a refresh to the first after it: close all banks, refresh, open a row.
    const double lost = t.RFC + t.RTP + t.RP + t.RCDRD + t.CL + t.BL + 12;
    const double limit = 1.0 - static_cast<double>(t.RFC) / t.REFI, reached = 1.0 - lost / t.REFI;
    EXPECT_LE(r.bandwidth / r.peak, limit + 0.012) << name;
    EXPECT_GT(r.bandwidth / r.peak, reached - 0.015) << name << ": " << r.bound_by;
  }
}

TEST(driver, one_transfer_and_single_requests_give_the_same) {
  // stride:64 is the same addresses, but goes in request by request.
  const driver_result whole = run_driver(params("DDR4-3200", "a", 20'000)),
                      single = run_driver(params("DDR4-3200", "stride:64", 20'000));
  EXPECT_EQ(whole.time, single.time);
  EXPECT_EQ(whole.stats.commands, single.stats.commands);
  EXPECT_TRUE(whole.stats.read_latency == single.stats.read_latency);
  // 2 MiB of memory, streamed one and a half times
  driver_params wrapped = params("DDR4-3200", "a", 50'000), singles = params("DDR4-3200", "stride:64", 50'000);
  wrapped.changes = singles.changes = config::node::parse_text("organisation: {rows: 16}", "--set");
  const driver_result w = run_driver(wrapped), x = run_driver(singles);
  EXPECT_EQ(w.time, x.time);
  EXPECT_EQ(w.stats.commands, x.stats.commands);
  EXPECT_EQ(w.requests, 50'000);
}

/// All requests of a pattern handed to the memory before time begins: what the driver does piece by piece.
statistics all_there(const driver_params& p, ps_t& end) {
  const standard s = load_standard(p.standard, p.changes);
  const address_map map({p.map.empty() ? s.default_map : p.map, p.channels, p.interleave}, s.org);
  const auto source = make_pattern(p.pattern, s, map);
  memory m(s, map, p.controller);
  request r;
  while (source->next(r)) {
    transfer t;
    t.address = r.address, t.bytes = r.bytes, t.write = r.write, t.arrival = r.not_before;
    m.submit(t);
  }
  std::vector<completion> done;
  ps_t next = m.advance(0);
  for (m.take_completions(done); m.in_flight() > 0; m.take_completions(done)) next = m.advance(next);
  end = 0;
  for (const auto& c : done) end = std::max(end, c.done);
  return m.stats(end);
}

// Few requests at a time or many, one event at a time or blocks of them: the driver adds nothing. (Queues of a bank
// hold more requests than a window may have; small queues run dry first.)
TEST(driver, how_requests_are_brought_changes_nothing) {
  for (const char* queues : {"direction", "joint", "bank"})
    for (const char* pattern : {"seq", "stride:320", "random", "mix:2:1"})
      for (const int channels : {1, 3})
        for (const double load : {0.0, 0.5}) {
          driver_params p = params("LPDDR5-6400", pattern, 4'000);
          p.channels = channels;
          p.pattern.load = load;
          p.controller.queues = queues;
          p.controller.read_queue = p.controller.write_queue = 4;
          p.controller.page_policy = "closed";
          p.controller.refresh = "per_bank";
          SCOPED_TRACE(std::string(queues) + ' ' + pattern + ' ' + std::to_string(channels) + ' ' +
                       std::to_string(load));
          ps_t end = 0;
          const statistics expected = all_there(p, end);
          for (const bool replay : {true, false}) {
            p.controller.replay = replay;
            const driver_result r = run_driver(p);
            EXPECT_EQ(r.time, end);
            EXPECT_EQ(r.stats.time, expected.time);
            EXPECT_EQ(r.stats.commands, expected.commands);
            EXPECT_EQ(r.stats.by_cause.part, expected.by_cause.part);
            EXPECT_TRUE(same_results(r.stats, expected));
          }
        }
}

// With a limit the next request comes when one is done: with room for one, each takes its latency alone.
TEST(driver, a_limit_of_transfers_is_kept) {
  driver_params p = params("DDR4-3200", "random", 500);
  p.controller.refresh = "none";
  p.controller.page_policy = "closed";
  p.controller.max_transfers = 1;
  const driver_result r = run_driver(p);
  const timing& t = r.spec.t;
  const std::int64_t alone = 1 + t.RCDRD + t.CL + t.BL;
  EXPECT_EQ(r.stats.read_latency.min(), alone);
  EXPECT_GE(r.time, 500 * alone * t.tck_fs / 1000);
  EXPECT_LE(r.stats.read_latency.max(), alone + t.RC);  // the same bank again
  p.controller.replay = false;
  EXPECT_TRUE(same_results(run_driver(p).stats, r.stats));
}

TEST(driver, stops_when_asked) {
  driver_params p = params("DDR4-3200", "seq", std::int64_t{1} << 40);
  p.stop = [] { return true; };
  EXPECT_TRUE(run_driver(p).interrupted);
  p.pattern.pattern = "random";
  const driver_result r = run_driver(p);
  EXPECT_TRUE(r.interrupted);
  EXPECT_TRUE(to_json(r)["interrupted"]);
  p.stop = nullptr;
  p.pattern.requests = 10;
  EXPECT_FALSE(to_json(run_driver(p)).contains("interrupted"));
}

TEST(driver, energy_and_bytes_are_conserved) {
  for (const char* pattern : {"seq", "random", "c", "mix:1:3", "stride:8KiB"}) {
    const driver_result r = run_driver(params("DDR5-4800", pattern, 6000));
    EXPECT_EQ(r.stats.bytes_read + r.stats.bytes_written, 6000 * 64) << pattern;
    EXPECT_EQ(r.stats.reads + r.stats.writes, 6000);
    EXPECT_EQ(r.stats.data_clocks, 6000 * 8) << "a burst of 16 at two a clock";
    EXPECT_EQ(r.stats.read_latency.count() + r.stats.write_latency.count(), 6000);
    const energy_table& e = r.spec.energy;
    EXPECT_DOUBLE_EQ(r.energy.activate, static_cast<double>(r.stats.count(command::ACT)) * e.act_pj);
    EXPECT_DOUBLE_EQ(r.energy.read, static_cast<double>(r.stats.reads) * e.read_pj);
    EXPECT_EQ(r.stats.by_cause.sum(), r.stats.time * r.stats.channels);
  }
}

TEST(driver, replay_changes_nothing_but_the_host_part) {
  for (const char* pattern : {"seq", "c", "d"}) {
    driver_params p = params("HBM3", pattern, 60'000);
    p.channels = 4;
    p.controller.replay = true;
    auto on = to_json(run_driver(p));
    p.controller.replay = false;
    auto off = to_json(run_driver(p));
    on.erase("host");
    off.erase("host");
    EXPECT_EQ(on.dump(), off.dump()) << pattern;
  }
}

// Every paced request finds the memory idle when the load is small: latency does not depend on the pauses.
TEST(driver, load_is_a_share_of_peak) {
  driver_params p = params("DDR4-3200", "seq", 10'000);
  p.pattern.load = 0.25;
  const driver_result r = run_driver(p);
  EXPECT_NEAR(r.bandwidth / r.peak, 0.25, 0.001);
}

TEST(driver, a_trace_file_is_the_pattern_it_was_written_from) {
  const std::string path = testing::TempDir() + "memwall_driver_" + std::to_string(::getpid()) + ".trace";
  {
    std::ofstream out(path);
    for (int i = 0; i < 3000; ++i) {
      const int g = i / 3, k = i % 3;
      if (k < 2)
        out << "0x" << std::hex << (2 * g + k) * 64 << " R\n";
      else
        out << "0x" << std::hex << (512 << 20) + g * 64 << " W\n";
    }
  }
  driver_params p = params("DDR4-3200", "c", 3000);
  const driver_result pattern = run_driver(p);
  p.trace = path;
  p.pattern.requests = 0;
  const driver_result trace = run_driver(p);
  std::remove(path.c_str());
  EXPECT_EQ(pattern.time, trace.time);
  EXPECT_EQ(pattern.stats.commands, trace.stats.commands);
}

TEST(driver, the_command_file_lists_every_command) {
  const std::string path = testing::TempDir() + "memwall_commands_" + std::to_string(::getpid()) + ".csv";
  command_file file(path);
  const driver_result r = run_driver(params("DDR4-3200", "random", 2000), &file);
  EXPECT_FALSE(std::ifstream(path).good());  // nothing under the final name before it is complete
  file.finish();
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, "cycle,command,channel,rank,bank_group,bank,row,column");
  std::int64_t lines = 0, acts = 0, total = 0;
  while (std::getline(in, line)) {
    ++lines;
    acts += line.find(",ACT,") != std::string::npos;
  }
  std::remove(path.c_str());
  for (const auto n : r.stats.commands) total += n;
  EXPECT_EQ(lines, total);
  EXPECT_EQ(acts, r.stats.count(command::ACT));
  EXPECT_THROW(command_file("/nonexistent/dir/file.csv"), input_error);
}

TEST(driver, the_table_says_what_bounds_the_run) {
  const std::string text = to_text(run_driver(params("DDR4-3200", "seq", 50'000)));
  EXPECT_THAT(text, HasSubstr("bound by"));
  EXPECT_THAT(text, HasSubstr("refresh"));
  EXPECT_THAT(text, HasSubstr("% of 25.600 GB/s"));
}

// 1, 2 and 5 of 8 accesses; nothing of nothing.
TEST(driver, the_table_says_what_share_of_accesses_found_their_row) {
  driver_result r;
  r.peak = 1;
  EXPECT_THAT(to_text(r), HasSubstr("0 hits (0.0 %), 0 misses (0.0 %), 0 conflicts (0.0 %)\n"));
  r.stats.row_misses = 1;
  EXPECT_THAT(to_text(r), HasSubstr("0 hits (0.0 %), 1 misses (100.0 %), 0 conflicts (0.0 %)\n"));
  r.stats.row_hits = 1, r.stats.row_misses = 2, r.stats.row_conflicts = 5;
  EXPECT_THAT(to_text(r), HasSubstr("1 hits (12.5 %), 2 misses (25.0 %), 5 conflicts (62.5 %)\n"));
}

// 16 MB read and 9 written in 4 ms with 500 uJ, of which 300 for activations and 200 for reads: 200 million bits, 2.5
// pJ each, and 500 uJ / 4 ms = 0.125 W. What took nothing has no line.
TEST(driver, the_table_says_what_energy_was_spent_on) {
  driver_result r;
  r.peak = 12.5e9;
  r.bandwidth = 6.25e9;
  r.time = 4'000'000'000;
  r.stats.bytes_read = 16'000'000, r.stats.bytes_written = 9'000'000;
  r.energy.activate = 300e6, r.energy.read = 200e6;
  const std::string text = to_text(r);
  EXPECT_THAT(text, HasSubstr("500.000 uJ, 2.50 pJ/bit, 0.125 W\n"));
  EXPECT_THAT(text, HasSubstr("  activate           300.000 uJ   60.0 %\n"));
  EXPECT_THAT(text, HasSubstr("  read               200.000 uJ   40.0 %\n"));
  EXPECT_THAT(text, HasSubstr("6.250 GB/s, 50.00 % of 12.500 GB/s\n"));
  EXPECT_THAT(text, HasSubstr("4000.000 us\n"));
  for (const char* none : {"  write ", "  io ", "  refresh ", "  background "})
    EXPECT_EQ(text.find(none), std::string::npos) << none;
}

// Of 100 latencies of 1 to 100 clocks of 2 ns.
TEST(driver, latencies_are_told_in_nanoseconds) {
  driver_result r;
  r.peak = 1;
  r.stats.tck_fs = 2'000'000;
  EXPECT_EQ(to_text(r).find("  read"), std::string::npos) << "nobody read";
  for (int i = 1; i <= 100; ++i) r.stats.read_latency.add(i);
  const auto j = to_json(r);
  EXPECT_EQ(j["read_latency_ns"].dump(), R"({"mean":101.0,"p50":100.0,"p95":190.0,"p99":198.0,"max":200.0})");
  EXPECT_THAT(to_text(r),
              HasSubstr("  read                101.00    100.00    190.00    198.00    200.00           100"));
}

}  // namespace
