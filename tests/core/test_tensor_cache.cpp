// SPDX-License-Identifier: Apache-2.0
// On-chip memory by tensors, and what of an operator's operands reaches the memory behind it. What hits and what
// streams past: tests/platforms/test_cores.cpp.
#include "hw/core/tensor_cache.h"

#include <gtest/gtest.h>

#include "hw/core/plan_accesses.h"

namespace memwall {
namespace {

TEST(tensor_cache, pushes_out_what_was_used_longest_ago_and_no_more_of_it_than_it_must) {
  tensor_cache c(1000);
  for (const std::uint64_t t : {1u, 2u, 3u, 4u}) c.read(t, 250);
  EXPECT_EQ(c.used(), 1000);
  c.read(1, 250);  // now 2 is the one
  c.read(5, 300);  // all of 2, and 50 of 3
  EXPECT_EQ(c.used(), 1000);
  EXPECT_EQ(c.read(1, 250).miss_bytes, 0);
  EXPECT_EQ(c.read(4, 250).miss_bytes, 0);
  EXPECT_EQ(c.read(5, 300).miss_bytes, 0);
  EXPECT_EQ(c.read(3, 250).miss_bytes, 50);
  EXPECT_EQ(c.read(2, 250).miss_bytes, 250);
}

TEST(tensor_cache, dirty_bytes_are_written_back_once) {
  tensor_cache c(1000);
  c.write(1, 600);
  EXPECT_EQ(c.read(2, 700).writeback_bytes, 300);  // 300 of 600 have to go
  EXPECT_EQ(c.read(3, 100).writeback_bytes, 100);
  EXPECT_EQ(c.read(4, 1000).writeback_bytes, 200);  // what was left of it
  EXPECT_EQ(c.read(5, 1000).writeback_bytes, 0);
}

// Of 600 bytes 100 are dirty: they are the first to go.
TEST(tensor_cache, a_tensor_written_in_part_has_that_part_to_write_back) {
  tensor_cache c(1000);
  c.read(1, 600);
  c.write(1, 100);
  EXPECT_EQ(c.used(), 600);
  EXPECT_EQ(c.read(2, 700).writeback_bytes, 100);
  EXPECT_EQ(c.read(3, 1000).writeback_bytes, 0);
}

// 1000 bytes of others leave nothing but the tensor that was used last; 999 may have been there before.
TEST(tensor_cache, others_that_passed_push_out_all_but_what_was_used_last) {
  tensor_cache c(1000);
  c.others_passed(5000);
  EXPECT_EQ(c.used(), 0);
  c.read(1, 300);
  c.write(2, 300);
  c.read(3, 200);
  c.others_passed(999);
  EXPECT_EQ(c.used(), 800);
  c.others_passed(1000);
  EXPECT_EQ(c.used(), 200);
  EXPECT_EQ(c.read(3, 200).miss_bytes, 0);
  EXPECT_EQ(c.read(1, 300).miss_bytes, 300);
  EXPECT_EQ(c.read(2, 300).miss_bytes, 300);
  EXPECT_EQ(c.read(4, 1000).writeback_bytes, 0) << "those who passed wrote it back";
}

TEST(tensor_cache, a_tensor_grows_with_its_longest_access) {
  tensor_cache c(1000);
  EXPECT_EQ(c.read(1, 400).miss_bytes, 400);
  EXPECT_EQ(c.read(1, 600).miss_bytes, 200);
  EXPECT_EQ(c.used(), 600);
  EXPECT_EQ(c.read(1, 300).miss_bytes, 0);
  EXPECT_EQ(c.used(), 600);
  c.drop(1);
  EXPECT_EQ(c.used(), 0);
  c.drop(1);  // gone already
  EXPECT_EQ(c.used(), 0);
  EXPECT_EQ(c.read(2, 0).miss_bytes, 0);
  EXPECT_EQ(c.used(), 0);
}

// A tensor of exactly the capacity fits.
TEST(tensor_cache, what_streams_past_leaves_nothing) {
  tensor_cache c(1000);
  c.write(1, 400);
  const auto longer = c.read(1, 1001);  // grown beyond the cache: what was dirty of it leaves
  EXPECT_EQ(longer.miss_bytes, 601);
  EXPECT_EQ(longer.writeback_bytes, 400);
  EXPECT_EQ(c.used(), 0);
  c.write(1, 400);
  const auto written = c.write(1, 1001);  // all of it goes to memory
  EXPECT_EQ(written.miss_bytes, 1001);
  EXPECT_EQ(written.writeback_bytes, 0);
  EXPECT_EQ(c.used(), 0);
  EXPECT_EQ(c.write(2, 1000).miss_bytes, 0);
  EXPECT_EQ(c.used(), 1000);
}

std::vector<operand> through(tensor_cache& cache, const std::vector<operand>& operands,
                             work_kind kind = work_kind::gemm) {
  operation op;
  op.kind = kind;
  op.operands = operands;
  std::int64_t touched = 0, all = 0;
  auto out = through_cache(op, cache, touched);
  for (const auto& o : operands) all += o.bytes;
  EXPECT_EQ(touched, all);
  return out;
}

TEST(plan_accesses, reads_that_hit_and_activations_that_stay_are_no_accesses) {
  tensor_cache c(1000);
  const operand weights{1, traffic::weights, false, false, 0x1000, 300},
      out{2, traffic::activations, true, false, 0x8000, 200};
  const auto first = through(c, {weights, out});
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].address, 0x1000u);
  EXPECT_EQ(first[0].bytes, 300);
  EXPECT_TRUE(through(c, {weights, {2, traffic::activations, false, false, 0x8000, 200}}).empty());
  // The same tensor's next part lies elsewhere: other data.
  const auto part = through(c, {{1, traffic::weights, false, false, 0x2000, 300}});
  ASSERT_EQ(part.size(), 1u);
  EXPECT_EQ(part[0].bytes, 300);
  // Half of it more: only what is new is read.
  const auto grown = through(c, {{1, traffic::weights, false, false, 0x1000, 450}});
  ASSERT_EQ(grown.size(), 1u);
  EXPECT_EQ(grown[0].bytes, 150);
}

// Keys and values are kept for good, a collective's bytes go to somebody else.
TEST(plan_accesses, what_is_written_for_good_goes_to_memory) {
  tensor_cache c(1000);
  const auto kv = through(c, {{1, traffic::kv_cache, true, false, 0, 100}});
  ASSERT_EQ(kv.size(), 1u);
  EXPECT_TRUE(kv[0].write);
  EXPECT_EQ(kv[0].bytes, 100);
  const auto sent = through(c, {{2, traffic::activations, true, false, 0, 100}}, work_kind::collective);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].kind, traffic::activations);
  EXPECT_EQ(c.used(), 0);
}

TEST(plan_accesses, what_is_pushed_out_is_written_where_it_was_pushed_from) {
  tensor_cache c(1000);
  through(c, {{1, traffic::activations, true, false, 0x100, 800}});
  const auto out = through(c, {{2, traffic::weights, false, false, 0x9000, 700}});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].bytes, 700);
  EXPECT_FALSE(out[0].write);
  EXPECT_EQ(out[0].kind, traffic::weights);
  EXPECT_EQ(out[1].bytes, 500);  // 800 + 700 - 1000
  EXPECT_TRUE(out[1].write);
  EXPECT_EQ(out[1].kind, traffic::activations);
  EXPECT_EQ(out[1].address, 0x9000u);
}

}  // namespace
}  // namespace memwall
