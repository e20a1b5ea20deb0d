// SPDX-License-Identifier: Apache-2.0
// Numbers and bars as the screens show them.
#include <gtest/gtest.h>

#include "tools/terminal.h"

namespace memwall::tools {
namespace {

TEST(terminal, numbers_have_three_digits_and_the_largest_unit_below_them) {
  EXPECT_EQ(human_time(0.25), "0.25 ns");
  EXPECT_EQ(human_time(1), "1.00 ns");
  EXPECT_EQ(human_time(12.34), "12.3 ns");
  EXPECT_EQ(human_time(999), "999 ns");
  EXPECT_EQ(human_time(1000), "1.00 us");
  EXPECT_EQ(human_time(56'780), "56.8 us");
  EXPECT_EQ(human_time(1e6), "1.00 ms");
  EXPECT_EQ(human_time(1e9), "1.00 s");
  EXPECT_EQ(human_time(123e9), "123 s");
  EXPECT_EQ(human_time(-2e6), "-2.00 ms");
  EXPECT_EQ(human_energy(1), "1.00 pJ");
  EXPECT_EQ(human_energy(1e3), "1.00 nJ");
  EXPECT_EQ(human_energy(1e6), "1.00 uJ");
  EXPECT_EQ(human_energy(1e9), "1.00 mJ");
  EXPECT_EQ(human_energy(1e12), "1.00 J");
  EXPECT_EQ(human_energy(1e15), "1.00 kJ");
  EXPECT_EQ(human_bytes(100), "100 B");
  EXPECT_EQ(human_bytes(34.2e9), "34.2 GB");
  EXPECT_EQ(human_bytes(1e12), "1.00 TB");
  EXPECT_EQ(human_flops(1e15), "1.00 PFLOP");
  EXPECT_EQ(human_flops(1e18), "1.00 EFLOP");
}

TEST(terminal, bars_are_filled_to_the_nearest_cell_or_eighth) {
  const terminal_style plain, full{false, true};
  EXPECT_EQ(bar(0, 4, plain), "....");
  EXPECT_EQ(bar(0.5, 4, plain), "##..");
  EXPECT_EQ(bar(0.6, 4, plain), "##..");
  EXPECT_EQ(bar(0.65, 4, plain), "###.");
  EXPECT_EQ(bar(7, 4, plain), "####") << "not more than all of it";
  EXPECT_EQ(bar(-1, 4, plain), "....");
  EXPECT_EQ(bar(1, 2, full), "\u2588\u2588");
  EXPECT_EQ(bar(0.5, 2, full), "\u2588 ");
  EXPECT_EQ(bar(0.75, 2, full), "\u2588\u258c");    // one and a half
  EXPECT_EQ(bar(0.0625, 2, full), "\u258f ");       // an eighth
  EXPECT_EQ(bar(0.9375, 2, full), "\u2588\u2589");  // one and seven eighths
  EXPECT_EQ(bar(0, 2, full), "  ");
}

}  // namespace
}  // namespace memwall::tools
