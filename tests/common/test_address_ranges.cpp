// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "hw/common/address_ranges.h"

namespace memwall {
namespace {

TEST(address_ranges, no_two_share_an_address) {
  address_ranges a;
  EXPECT_EQ(a.claim(0x1000, 0x1fff, 0), std::nullopt) << "owner 0 is an owner like others";
  EXPECT_EQ(a.claim(0x2000, 0x2fff, 7), std::nullopt) << "they touch";
  EXPECT_EQ(a.claim(0x2fff, 0x3fff, 2), 7u) << "one address in common";
  EXPECT_EQ(a.claim(0x0, 0x1000, 3), 0u);
  EXPECT_EQ(a.claim(0x1800, 0x1801, 4), 0u) << "inside";
  EXPECT_EQ(a.claim(0x0, 0xffff, 5), 0u) << "around both: the first";
  EXPECT_EQ(a.owner_of(0xfff), std::nullopt);
  EXPECT_EQ(a.owner_of(0x1000), 0u);
  EXPECT_EQ(a.owner_of(0x1fff), 0u);
  EXPECT_EQ(a.owner_of(0x2000), 7u);
  EXPECT_EQ(a.owner_of(0x3000), std::nullopt) << "what was refused owns nothing";
}

TEST(address_ranges, reach_to_the_end_of_the_address_space) {
  address_ranges a;
  EXPECT_EQ(a.claim(UINT64_MAX - 63, UINT64_MAX, 1), std::nullopt);
  EXPECT_EQ(a.owner_of(UINT64_MAX), 1u);
  EXPECT_EQ(a.claim(UINT64_MAX, UINT64_MAX, 2), 1u);
}

}  // namespace
}  // namespace memwall
