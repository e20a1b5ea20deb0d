// SPDX-License-Identifier: Apache-2.0
// What is reused, against machines that are known: outcomes are made by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <random>

#include "platforms/execute/reuse_book.h"

namespace memwall::platforms {
namespace {

/// An order that reads for `read` picoseconds and computes for `compute`, whichever is longer.
order_shape shape(double compute, double read, std::int64_t kind = 0) {
  order_shape s;
  s.kind = {kind};
  s.sizes = {compute, read};
  s.expected = std::max(compute, read);
  s.fixed = 1000;
  return s;
}

order_outcome took(double time) {
  order_outcome o;
  o.time = std::llround(time);
  o.parts[stall::dram_data] = o.time / 4;
  o.parts[stall::dram_refresh] = o.time - o.time / 4;
  o.transfers = 64;
  return o;
}

struct tally {
  double reused = 0, truth = 0;
  int simulated = 0, known = 0;
  double worst = 0;
};

/// Asks for an order; where it is not known the machine simulates it.
void give(reuse_book& book, tally& t, const order_shape& s, double truth) {
  t.truth += truth;
  const auto known = book.ask(s);
  if (known) {
    ++t.known;
    EXPECT_EQ(known->parts.sum(), known->time);
    t.reused += static_cast<double>(known->time);
    t.worst = std::max(t.worst, std::abs(static_cast<double>(known->time) / truth - 1));
    return;
  }
  ++t.simulated;
  t.reused += truth;
  book.tell(s, took(truth));
}

TEST(reuse_book, three_alike_stand_for_the_others) {
  reuse_book book(0.01);
  tally t;
  for (int i = 0; i < 100; ++i) give(book, t, shape(10e6, 50e6), 60e6);
  // The first three, and audits of the 8th, 20th and 50th of the others: each at 2.5 times as many as the one before.
  EXPECT_EQ(t.simulated, 3 + 3);
  EXPECT_EQ(t.worst, 0);
  EXPECT_EQ(book.report().operators, 100);
  EXPECT_EQ(book.report().simulated, 6);
  EXPECT_EQ(book.report().audits.size(), 3u);
  EXPECT_EQ(book.report().mean_error(), 0);
  const auto known = book.ask(shape(10e6, 50e6));
  ASSERT_TRUE(known);
  EXPECT_EQ(known->parts[stall::dram_data], 15'000'000);
  EXPECT_EQ(known->transfers, 64u);
}

// 1, 1.005 and 0.995 have a standard error of 0.29 %, less than the 0.4 % allowed, but with Student's t of two degrees
// of freedom (4.30 / 1.96) 0.63 %: not enough. Half of that scatter is.
TEST(reuse_book, three_samples_may_scatter_too_little) {
  for (const double scatter : {0.005, 0.0025}) {
    reuse_book book(0.01);
    tally t;
    for (const double ratio : {1.0, 1 + scatter, 1 - scatter}) give(book, t, shape(10e6, 50e6), 60e6 * ratio);
    EXPECT_EQ(t.simulated, 3);
    EXPECT_EQ(book.ask(shape(10e6, 50e6)).has_value(), scatter < 0.003) << scatter;
  }
}

// Of a tenth up and down the mean of 48 is known to 0.1 / sqrt(47) = 1.5 %, far from the bound of 0.1 %. A prediction
// takes no more samples than that, so that simulating further ones would not make it better: it has to do.
TEST(reuse_book, as_many_samples_as_a_prediction_takes_have_to_do) {
  reuse_book book(0.001);
  tally t;
  for (int i = 0; i < 48; ++i) give(book, t, shape(10e6, 50e6), 60e6 * (i % 2 == 0 ? 0.9 : 1.1));
  EXPECT_EQ(t.simulated, 48);
  const auto known = book.ask(shape(10e6, 50e6));
  ASSERT_TRUE(known);
  EXPECT_NEAR(static_cast<double>(known->time), 60e6, 10);
}

TEST(reuse_book, kinds_have_nothing_to_do_with_each_other) {
  reuse_book book(0.01);
  tally t;
  for (int i = 0; i < 5; ++i) give(book, t, shape(10e6, 50e6, 1), 60e6);
  EXPECT_FALSE(book.ask(shape(10e6, 50e6, 2)));
  EXPECT_TRUE(book.ask(shape(10e6, 50e6, 1)));
}

/// Refreshes: two of five instances take 2 % longer. Mean of the whole, not of the first ones.
TEST(reuse_book, instances_that_differ_are_taken_at_their_mean) {
  reuse_book book(0.01);
  tally t;
  std::mt19937 random(7);
  for (int i = 0; i < 4000; ++i) give(book, t, shape(10e6, 50e6), random() % 5 < 2 ? 61.2e6 : 60e6);
  EXPECT_LT(t.simulated, 60);
  EXPECT_NEAR(t.reused, t.truth, 0.005 * t.truth);
  const auto& r = book.report();
  EXPECT_GT(r.mean_error(), 0.002);  // of single ones
  EXPECT_LT(std::abs(r.bias()), 0.01);
  EXPECT_GT(r.confidence(), 0);
}

/// They lock to the refreshes: no mean tells what they meet.
TEST(reuse_book, brief_ones_are_simulated) {
  reuse_book book(0.01);
  tally t;
  order_shape s = shape(10e3, 500e3);
  s.brief = true;
  for (int i = 0; i < 50; ++i) give(book, t, s, i % 10 < 5 ? 1e6 : 0.5e6);
  EXPECT_EQ(t.simulated, 50);
  EXPECT_EQ(t.reused, t.truth);
}

/// Between long ones, of which they are a fiftieth, they do not.
TEST(reuse_book, brief_ones_among_long_ones_are_reused) {
  reuse_book book(0.01);
  tally t;
  order_shape brief = shape(10e3, 500e3, 1);
  brief.brief = true;
  for (int i = 0; i < 100; ++i) {
    give(book, t, shape(10e6, 50e6, 0), 50e6);
    give(book, t, brief, 1e6);
  }
  EXPECT_LT(t.simulated, 2 * 10);
  EXPECT_EQ(t.worst, 0);
}

/// A cache that grows: a fixed part, and one in proportion. Nothing further away than it has proved to be alike.
TEST(reuse_book, sizes_in_between_follow_those_that_were_simulated) {
  reuse_book book(0.01);
  tally t;
  for (int context = 1000; context < 4000; ++context) {
    const double read = 1e4 * context;
    for (int layer = 0; layer < 8; ++layer) give(book, t, shape(read / 8, read), 3e6 + 1.08 * read);
  }
  EXPECT_LT(t.simulated, 600);  // of 24,000
  EXPECT_LT(t.worst, 0.01);
  EXPECT_NEAR(t.reused, t.truth, 0.002 * t.truth);
}

/// One on each side tells what lies between, in proportion to the distances, where the two differ little: here their
/// ratios are 1.20 and 1.21, a fifth and four fifths of the way apart.
TEST(reuse_book, one_on_each_side_tells_what_lies_between) {
  reuse_book book(0.01);
  for (const auto& [read, ratio] : {std::pair{50e6, 1.20}, {60e6, 1.21}}) {
    EXPECT_FALSE(book.ask(shape(1e6, read)));
    book.tell(shape(1e6, read), took(ratio * read));
  }
  const auto known = book.ask(shape(1e6, 52e6));
  ASSERT_TRUE(known);
  // Distances count relative to the larger one: 2/52 and 8/60.
  const double below = 2.0 / 52, above = 8.0 / 60, ratio = (above * 1.20 + below * 1.21) / (below + above);
  EXPECT_NEAR(static_cast<double>(known->time), ratio * 52e6, 1);
  EXPECT_EQ(known->transfers, 64u);
  EXPECT_EQ(known->parts.sum(), known->time);
  EXPECT_FALSE(book.ask(shape(1e6, 66e6))) << "beyond both";
  EXPECT_FALSE(book.ask(shape(30e6, 52e6))) << "another share of arithmetic";
}

TEST(reuse_book, two_sides_that_differ_tell_nothing) {
  reuse_book book(0.01);
  for (const auto& [read, ratio] : {std::pair{50e6, 1.20}, {60e6, 1.30}}) {
    EXPECT_FALSE(book.ask(shape(1e6, read)));
    book.tell(shape(1e6, read), took(ratio * read));
  }
  EXPECT_FALSE(book.ask(shape(1e6, 54e6)));
}

TEST(reuse_book, a_jump_from_one_size_to_the_next_is_noticed) {
  reuse_book book(0.01);
  tally t;
  // Straight for long, so that the neighbourhood is as wide as it gets; then 20 % more from one size to the next.
  const auto machine = [](double read) { return read < 40e6 ? read : 1.2 * read; };
  for (double read = 10e6; read < 80e6; read *= 1.0005)
    for (int i = 0; i < 4; ++i) give(book, t, shape(1e6, read), machine(read));
  EXPECT_NEAR(t.reused, t.truth, 0.01 * t.truth);
  EXPECT_LT(t.simulated, 2000);  // of some 16,600
}

TEST(reuse_book, who_wants_it_exact_gets_it_simulated) {
  reuse_book book(0.01);
  tally t;
  for (int i = 0; i < 6; ++i) give(book, t, shape(10e6, 50e6), 60e6);
  EXPECT_TRUE(book.ask(shape(10e6, 50e6)));
  EXPECT_FALSE(book.ask(shape(10e6, 50e6), true));
  book.want(book.number_of({0}));
  EXPECT_FALSE(book.ask(shape(10e6, 50e6)));
  EXPECT_TRUE(book.ask(shape(10e6, 50e6)));
}

/// What was simulated under other conditions teaches nothing.
TEST(reuse_book, what_does_not_count_is_forgotten) {
  reuse_book book(0.01);
  for (int i = 0; i < 9; ++i) {
    EXPECT_FALSE(book.ask(shape(10e6, 50e6)));
    book.tell(shape(10e6, 50e6), took(99e6), false);
  }
  EXPECT_EQ(book.report().simulated, 9);
}

/// A smaller bound simulates more.
TEST(reuse_book, the_bound_decides_how_many_are_simulated) {
  int simulated[2];
  for (const bool strict : {false, true}) {
    reuse_book book(strict ? 0.002 : 0.02);
    tally t;
    std::mt19937 random(3);
    std::normal_distribution<double> scatter(1, 0.02);
    for (int i = 0; i < 2000; ++i) give(book, t, shape(10e6, 50e6), 60e6 * scatter(random));
    simulated[strict ? 1 : 0] = t.simulated;
  }
  EXPECT_GT(simulated[1], 2 * simulated[0]);
}

}  // namespace
}  // namespace memwall::platforms
