// SPDX-License-Identifier: Apache-2.0
#include "hw/paging/page_table.h"

#include <gtest/gtest.h>

namespace memwall {
namespace {

const auto anyone = [](std::int64_t) { return true; };
constexpr std::uint64_t bit(int i) {
  return std::uint64_t{1} << i;
}

// A block of 32 pages touched in order. A subtree fills when more than 51 % of it is there: page 2 makes 3 of 4 (brings
// 3), page 4 makes 5 of 8 (brings 5 to 7), page 8 9 of 16, page 16 17 of 32. So six faults: 0, 1, 2, 4, 8, 16.
TEST(page_table, a_sequential_walk_faults_six_times_a_block) {
  page_table t(1, 1, 32, 0.51);
  std::vector<int> faults;
  std::vector<int> brought;
  for (int page = 0; page < 32; ++page) {
    if ((t.resident(0) & bit(page)) != 0) continue;
    faults.push_back(page);
    EXPECT_EQ(t.make_room(0, anyone).frame, 0);
    const auto pages = t.to_bring(0, bit(page));
    brought.push_back(__builtin_popcountll(pages));
    t.arrived(0, pages);
  }
  EXPECT_EQ(faults, (std::vector<int>{0, 1, 2, 4, 8, 16}));
  EXPECT_EQ(brought, (std::vector<int>{1, 1, 2, 4, 8, 16}));
}

TEST(page_table, without_prefetching_every_page_faults) {
  page_table t(1, 1, 64, 1.0);
  for (int page = 0; page < 64; ++page) {
    EXPECT_EQ(t.to_bring(0, bit(page)), bit(page));
    t.make_room(0, anyone);
    t.arrived(0, bit(page));
  }
  EXPECT_EQ(t.resident(0), ~std::uint64_t{0});
}

TEST(page_table, the_block_that_got_pages_longest_ago_leaves_unless_it_is_in_use) {
  page_table t(4, 2, 1, 0.51);
  for (const int b : {0, 1}) {
    EXPECT_EQ(t.make_room(b, anyone).evicted, -1);
    t.arrived(b, 1);
  }
  // Block 0 gets pages again: 1 is the oldest now.
  t.make_room(0, anyone);
  const auto first = t.make_room(2, anyone);
  EXPECT_EQ(first.evicted, 1);
  EXPECT_EQ(first.pages, 1u);
  EXPECT_EQ(t.resident(1), 0u);
  // 0 is the oldest but in use; 2 leaves.
  t.arrived(2, 1);
  const auto second = t.make_room(3, [](std::int64_t b) { return b != 0; });
  EXPECT_EQ(second.evicted, 2);
  EXPECT_EQ(t.make_room(1, [](std::int64_t) { return false; }).frame, -1);
}

}  // namespace
}  // namespace memwall
