// SPDX-License-Identifier: Apache-2.0
// What a memory tells of traffic that it did not simulate.
#include <gtest/gtest.h>

#include "platforms/build/unseen.h"

namespace memwall::platforms {
namespace {

// As many bytes again as were simulated: twice the commands, the refreshes that there were. Rows were open for 600 of
// 1,000 clocks, and would be for 1,200: more than one rank has, less than two have.
TEST(unseen, grows_with_its_bytes_and_no_further_than_the_time) {
  dram_report seen;
  seen.read_bytes[traffic::weights] = 4096;
  seen.memory.time = 1'000'000;
  seen.memory.tck_fs = 1'000'000;
  seen.memory.active_clocks = 600;
  seen.memory.commands[static_cast<std::size_t>(dram::command::RD)] = 64;
  seen.memory.commands[static_cast<std::size_t>(dram::command::REFab)] = 3;
  unseen_traffic more;
  more["core"].add(false, traffic::weights, 4096);
  const dram_report one = with_unseen(seen, more, 1);
  EXPECT_EQ(one.read_bytes.sum(), 8192);
  EXPECT_EQ(one.memory.count(dram::command::RD), 128);
  EXPECT_EQ(one.memory.count(dram::command::REFab), 3);
  EXPECT_EQ(one.memory.active_clocks, 1000);
  EXPECT_EQ(with_unseen(seen, more, 2).memory.active_clocks, 1200);
}

// Estimated figures are taken as they are, within the time; what they leave of it is idle. Columns go with bytes.
TEST(unseen, estimated_figures_are_told) {
  dram_tally counted;
  counted.transfers = 3;
  counted.busy_ps = 400;
  counted.memory.commands[static_cast<std::size_t>(dram::command::ACT)] = 10;
  counted.memory.active_clocks = 70;
  counted.memory.by_cause[stall::dram_data] = 100;
  tally_figures all = figures_of(counted);
  for (double& n : all) n *= 3;
  dram_report seen;
  seen.elapsed_ps = 1000;
  seen.transfers = 3;
  seen.busy_ps = 400;
  seen.read_bytes[traffic::weights] = 4096;
  seen.memory = {};
  static_cast<dram::tally&>(seen.memory) = counted.memory;
  seen.memory.time = 1000;
  seen.memory.tck_fs = 1000;
  seen.memory.commands[static_cast<std::size_t>(dram::command::RD)] = 64;
  seen.memory.by_cause[stall::idle] = 900;
  unseen_traffic more;
  more["core"].add(false, traffic::weights, 4096);
  const dram_report r = with_unseen(seen, more, 1, &all);
  EXPECT_EQ(r.transfers, 9);
  EXPECT_EQ(r.busy_ps, 1000) << "not 1200: no longer than the time";
  EXPECT_EQ(r.memory.count(dram::command::ACT), 30);
  EXPECT_EQ(r.memory.count(dram::command::RD), 128);
  EXPECT_EQ(r.memory.active_clocks, 210);
  EXPECT_EQ(r.memory.by_cause[stall::dram_data], 300);
  EXPECT_EQ(r.memory.by_cause[stall::idle], 700);
  for (double& n : all) n *= 10;
  const dram_report full = with_unseen(seen, more, 1, &all);
  EXPECT_EQ(full.memory.by_cause[stall::dram_data], 1000);
  EXPECT_EQ(full.memory.by_cause.sum(), 1000);
}

}  // namespace
}  // namespace memwall::platforms
