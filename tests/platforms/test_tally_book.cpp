// SPDX-License-Identifier: Apache-2.0
// What a memory would have counted: learned from orders that were simulated, by kind, for each byte.
#include <gtest/gtest.h>

#include <vector>

#include "platforms/execute/tally_book.h"

namespace memwall::platforms {
namespace {

/// Counts one figure, when it is told to.
class counter final : public hardware {
 public:
  counter() : hardware(module_description{}) {}
  json config() const override { return {}; }
  json report(ps_t) const override { return {}; }
  double energy_pj(ps_t) const override { return 0; }
  bool count(tally_figures& out) const override {
    out = {n};
    return true;
  }
  double n = 0;
  double estimate() const { return m_estimated ? m_estimated->front() : -1; }
};

class tally_books : public testing::Test {
 protected:
  void order(std::size_t kind, bool simulated, std::int64_t bytes, double counts) {
    book.begin(kind, simulated, bytes);
    memory.n += counts;
    book.end();
  }
  counter memory;
  tally_book book{memory};
};

// Kind 1 counts 24 for 200 bytes (2 of them in the pause behind its first order), kind 2 40 for 50. Kind 3 was never
// simulated alone: as all that was, 64 for 250. What is counted while reused orders go on is what others left behind.
TEST_F(tally_books, reused_orders_count_as_those_of_their_kind_for_each_byte) {
  memory.n = 1000;  // before the first order
  order(1, true, 100, 10);
  memory.n += 2;
  order(1, true, 100, 12);
  order(1, false, 300, 5);
  order(2, true, 50, 40);
  order(2, false, 100, 7);
  order(3, false, 200, 0);
  book.finish();
  EXPECT_DOUBLE_EQ(memory.estimate(), 24 + 40 + 300 * 24.0 / 200 + 100 * 40.0 / 50 + 200 * 64.0 / 250);
}

// Beside a reused order, what a simulated one counts is its own, but is not how its kind counts alone.
TEST_F(tally_books, nothing_is_learnt_beside_reused_orders) {
  order(1, true, 100, 10);
  book.begin(1, true, 100);
  book.begin(2, false, 60);
  memory.n += 90;
  book.end();
  memory.n += 5;
  book.end();
  order(1, false, 100, 0);
  book.finish();
  EXPECT_DOUBLE_EQ(memory.estimate(), 10 + 95 + 100 * 10.0 / 100 + 60 * 105.0 / 200);
}

// A small order waits for more than it moves: one of another size counts as the next known size does. Here 2 a byte at
// 100 bytes, 1 a byte at 1,000; 300 and 320 lie on either side of the middle, by their ratio.
TEST_F(tally_books, the_next_known_size_tells) {
  order(1, true, 100, 200);
  order(1, true, 1000, 1000);
  const double seen = 1200;
  order(1, false, 50, 0);
  order(1, false, 300, 0);
  order(1, false, 320, 0);
  order(1, false, 5000, 0);
  book.finish();
  EXPECT_DOUBLE_EQ(memory.estimate(), seen + 2 * 50 + 2 * 300 + 320 + 5000);
}

// 1,000 bytes are as many times 100 as 10,000 are times them. In the middle the smaller size tells, 2 a byte.
TEST_F(tally_books, in_the_middle_of_two_known_sizes_the_smaller_tells) {
  order(1, true, 100, 200);
  order(1, true, 10'000, 10'000);
  order(1, false, 1000, 0);
  book.finish();
  EXPECT_DOUBLE_EQ(memory.estimate(), 200 + 10'000 + 2 * 1000);
}

// Orders that overlap share what is counted by their bytes.
TEST_F(tally_books, orders_side_by_side_share_by_bytes) {
  book.begin(1, true, 100);
  book.begin(2, true, 300);
  memory.n += 80;
  book.end();
  book.end();
  order(1, false, 50, 0);
  book.finish();
  EXPECT_DOUBLE_EQ(memory.estimate(), 80 + 50 * 20.0 / 100);
}

TEST_F(tally_books, where_all_is_simulated_nothing_is_estimated) {
  order(1, true, 100, 10);
  book.finish();
  EXPECT_EQ(memory.estimate(), -1);
}

}  // namespace
}  // namespace memwall::platforms
