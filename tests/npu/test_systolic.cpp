// SPDX-License-Identifier: Apache-2.0
// Cycles on a systolic array: against SCALE-Sim's stored runs and against a walk over elements and cycles.
#include <gtest/gtest.h>

#include <algorithm>

#include "hw/npu/systolic.h"

using namespace memwall::npu;

namespace {

struct stored_run {
  std::int64_t size;
  dataflow flow;
  product_shape shape;
  std::int64_t cycles;
};

// Compute cycles (no stalls) of SCALE-Sim v3's stored runs, square arrays: AlexNet's first layer as a product, its
// GEMM test in all dataflows, GPT-2's linear and feed-forward layers, Llama-3-8B's gate and up of a 128-token prompt.
const stored_run stored[] = {
    {32, dataflow::weight, {3025, 96, 363}, 112283},     {32, dataflow::output, {256, 128, 256}, 10175},
    {32, dataflow::weight, {256, 128, 256}, 11199},      {32, dataflow::input, {256, 128, 256}, 14207},
    {256, dataflow::output, {1024, 4800, 1600}, 160359}, {256, dataflow::weight, {1024, 4800, 1600}, 238069},
    {256, dataflow::input, {1024, 4800, 1600}, 155847},  {256, dataflow::output, {1024, 3072, 1600}, 101279},
    {256, dataflow::weight, {1024, 3072, 1600}, 150359}, {256, dataflow::input, {1024, 3072, 1600}, 107463},
    {256, dataflow::output, {128, 28672, 4096}, 515871}, {256, dataflow::weight, {128, 28672, 4096}, 1602047},
    {256, dataflow::input, {128, 28672, 4096}, 471007},
};

TEST(systolic, cycles_are_those_of_the_stored_runs) {
  for (const stored_run& r : stored)
    EXPECT_EQ(product_cycles(r.flow, {r.size, r.size, 1}, r.shape, false), r.cycles)
        << name_of(r.flow) << " " << r.shape.m << " x " << r.shape.n << " x " << r.shape.k;
}

/// Cycle after the last thing an element does, walking over every element, step by step: the operand of row r enters r
/// cycles late, moves one column a cycle, and a stationary block is loaded row by row before.
std::int64_t walk_fold(dataflow flow, std::int64_t rows, std::int64_t columns, std::int64_t stream) {
  std::int64_t last = 0;
  const std::int64_t load = flow == dataflow::output ? 0 : rows;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t s = 0; s < stream; ++s) last = std::max(last, load + s + r + c + 1);
  return last;
}

// Partial blocks take as long as full ones: idle elements are passed through.
std::int64_t walk(dataflow flow, std::int64_t rows, std::int64_t columns, const product_shape& p) {
  std::int64_t cycles = 0;
  const std::int64_t down = flow == dataflow::output ? p.m : p.k;
  const std::int64_t across = flow == dataflow::input ? p.m : p.n;
  const std::int64_t stream = flow == dataflow::output ? p.k : flow == dataflow::weight ? p.m : p.n;
  for (std::int64_t r = 0; r < down; r += rows)
    for (std::int64_t c = 0; c < across; c += columns) cycles += walk_fold(flow, rows, columns, stream);
  return cycles - 1;  // the first cycle is number 0
}

TEST(systolic, cycles_are_those_of_a_walk_over_the_elements) {
  for (const dataflow flow : dataflows)
    for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{4, 4}, {2, 8}, {8, 3}, {1, 1}, {5, 7}})
      for (const product_shape& p :
           {product_shape{1, 1, 1}, {4, 4, 4}, {5, 9, 11}, {1, 16, 16}, {16, 1, 3}, {17, 13, 1}, {8, 24, 10}})
        EXPECT_EQ(product_cycles(flow, {rows, columns, 1}, p, false), walk(flow, rows, columns, p))
            << name_of(flow) << " on " << rows << " x " << columns << ": " << p.m << " x " << p.n << " x " << p.k;
}

TEST(systolic, one_more_row_or_column_than_the_array_is_another_fold) {
  const array_shape a{16, 16, 1};
  const auto folds = [&](dataflow f, std::int64_t m, std::int64_t n, std::int64_t k) {
    return folds_of(f, a, {m, n, k}).folds;
  };
  EXPECT_EQ(folds(dataflow::output, 16, 16, 99), 1);
  EXPECT_EQ(folds(dataflow::output, 17, 16, 99), 2);
  EXPECT_EQ(folds(dataflow::output, 17, 17, 99), 4);
  EXPECT_EQ(folds(dataflow::weight, 99, 16, 17), 2);
  EXPECT_EQ(folds(dataflow::input, 17, 99, 17), 4);
}

// Pipelined: the first fold whole, each later one only its stream, or the R rows through which its block is loaded.
TEST(systolic, pipelined_folds_pay_fill_and_drain_once) {
  // Weight-stationary 8 x 4, M 100, K 16, N 4: two folds of 2 * 8 + 4 + 100 - 2 = 118; the second adds 100.
  EXPECT_EQ(product_cycles(dataflow::weight, {8, 4, 1}, {100, 4, 16}, true), 118 + 100 - 1);
  EXPECT_EQ(product_cycles(dataflow::weight, {8, 4, 1}, {100, 4, 16}, false), 2 * 118 - 1);
  // One row: each block is used for a single cycle, but takes eight to load.
  EXPECT_EQ(product_cycles(dataflow::weight, {8, 4, 1}, {1, 4, 16}, true), 19 + 8 - 1);
  // A single fold has nothing to hide behind.
  for (const dataflow f : dataflows)
    EXPECT_EQ(product_cycles(f, {8, 4, 1}, {4, 4, 4}, true), product_cycles(f, {8, 4, 1}, {4, 4, 4}, false));
}

TEST(systolic, elements_that_take_several_values_of_k_shorten_k) {
  for (const dataflow f : dataflows)
    EXPECT_EQ(product_cycles(f, {8, 8, 4}, {32, 32, 64}, false), product_cycles(f, {8, 8, 1}, {32, 32, 16}, false));
  // Half a product a cycle: everything takes twice as long.
  EXPECT_EQ(product_cycles(dataflow::output, {8, 8, 0.5}, {8, 8, 64}, false), 2 * (8 + 8 + 64 - 2 - 1));
}

TEST(systolic, arrays_share_folds_or_the_stream) {
  const array_shape a{8, 8, 1};
  // Eight folds of 64 rows over four arrays: two each. 2 * 8 + 8 + 64 - 2 = 86, the second 64 more.
  EXPECT_EQ(split_over(dataflow::weight, a, {64, 64, 8}, 1, 4, true).cycles, 86 + 64 - 1);
  // One fold only: the 64 rows are split in four, 2 * 8 + 8 + 16 - 2 = 38.
  const array_split s = split_over(dataflow::weight, a, {64, 8, 8}, 1, 4, true);
  EXPECT_EQ(s.by_stream, 4);
  EXPECT_EQ(s.cycles, 38 - 1);
  // Sums are never split over arrays: one fold of an output-stationary product stays on one.
  EXPECT_EQ(split_over(dataflow::output, a, {8, 8, 64}, 1, 4, true).cycles, 8 + 8 + 64 - 2 - 1);
  // Independent products are further folds.
  EXPECT_EQ(split_over(dataflow::output, a, {8, 8, 64}, 4, 4, true).cycles, 8 + 8 + 64 - 2 - 1);
}

TEST(systolic, more_arrays_are_never_slower) {
  for (const dataflow f : dataflows)
    for (const product_shape& p : {product_shape{1, 4096, 4096}, {100, 1000, 333}, {2048, 64, 64}}) {
      std::int64_t before = INT64_MAX;
      for (const std::int64_t arrays : {1, 2, 4, 8, 64}) {
        const std::int64_t now = split_over(f, {16, 16, 1}, p, 1, arrays, true).cycles;
        EXPECT_LE(now, before) << name_of(f) << " on " << arrays;
        before = now;
      }
    }
}

TEST(systolic, strides_that_share_a_factor_with_the_banks_conflict) {
  // 64 lanes of one byte, 64 banks of 4 bytes.
  EXPECT_EQ(feed_cycles(64, 1, 0, 64, 4), 1) << "side by side: 16 words";
  EXPECT_EQ(feed_cycles(64, 1, 4, 64, 4), 1) << "a word apart: each in a bank of its own";
  EXPECT_EQ(feed_cycles(64, 1, 8, 64, 4), 2) << "two words apart: every other bank";
  EXPECT_EQ(feed_cycles(64, 1, 64 * 4, 64, 4), 64) << "all in one bank";
  EXPECT_EQ(feed_cycles(64, 1, 65 * 4, 64, 4), 1) << "padded by a word";
  EXPECT_EQ(feed_cycles(128, 2, 0, 16, 4), 4) << "256 bytes through 64 a cycle";
  EXPECT_EQ(feed_cycles(64, 1, 1, 64, 4), 1) << "four lanes share a word";
}

}  // namespace
