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

}  // namespace
}  // namespace memwall::platforms
