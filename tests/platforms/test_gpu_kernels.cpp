// SPDX-License-Identifier: Apache-2.0
// Kernels of the GPU model against values worked out by hand on a chip of round numbers.
#include <gtest/gtest.h>

#include <cmath>

#include "hw/gpu/gpu_model.h"

using namespace memwall;

namespace {

// An SM computes 1 TFLOP/s, takes 1 TB/s from the L2 and has 1 MB in flight over 1 us: 1 TB/s from memory.
gpu_params round_numbers(std::int64_t sms) {
  const auto n = static_cast<double>(sms);
  gpu_params p;
  p.silicon.sms = sms;
  p.silicon.clock = frequency(1e9);
  p.silicon.tensor_rate = {{"fp16", op_rate(1e12 * n)}, {"fp8", op_rate(2e12 * n)}};
  p.silicon.vector_rate = op_rate(1e12 * n);
  p.silicon.sustained_fraction = 1;
  p.silicon.l2_bandwidth = bandwidth(1e12 * n);
  p.silicon.in_flight_per_sm = byte_size(1e6);
  p.silicon.load_latency = duration(1e-6);
  p.silicon.kernel_ramp = duration(0);
  p.silicon.cluster = 1;
  p.software.kernel_launch = duration(0);
  p.software.tile_overhead = duration(0);
  p.software.split_limit = 1;
  return p;
}

operation product(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t weight_bytes) {
  operation op;
  op.m = m;
  op.n = n;
  op.k = k;
  op.flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  op.operands.push_back({1, traffic::weights, false, false, 0, weight_bytes});
  return op;
}

// `batch` sequences times KV heads, head dimension 128; the cache's bytes are given.
operation attention(std::int64_t queries, std::int64_t positions, std::int64_t batch, std::int64_t bytes) {
  operation op;
  op.kind = work_kind::attention;
  op.m = queries;
  op.n = positions;
  op.k = 128;
  op.batch = batch;
  const auto m = static_cast<double>(queries), n = static_cast<double>(positions);
  op.flops = 4.0 * 128 * static_cast<double>(batch) * m * (n - m / 2);
  if (queries == 1) op.flops = 4.0 * 128 * static_cast<double>(batch) * n;
  op.operands.push_back({1, traffic::kv_cache, false, false, 0, bytes});
  return op;
}

double compute_us(gpu_params p, const operation& op) {
  gpu_model gpu(std::move(p));
  return static_cast<double>(gpu.plan(op).compute.sum()) * 1e-6;
}

// Four SMs take 4 TB/s from the L2: 8 MB that a first operator left there cross it in 2 us. The first one is paced by
// the memory, not by the L2.
TEST(gpu_kernels, operands_that_hit_still_cross_the_l2) {
  gpu_params p = round_numbers(4);
  p.silicon.l2 = byte_size(64e6);
  gpu_model gpu(std::move(p));
  operation op;
  op.kind = work_kind::elementwise;
  op.operands.push_back({1, traffic::activations, false, false, 0, 8'000'000});
  EXPECT_LT(static_cast<double>(gpu.plan(op).compute.sum()) * 1e-6, 0.1);
  EXPECT_NEAR(static_cast<double>(gpu.plan(op).compute.sum()) * 1e-6, 2, 1e-6);
}

// 2 x 4096 x 4096 operations of a GEMV on vector units of 0.25 T a second beside tensor cores of 1 T, and the other way
// round for a type that is slower than they are.
TEST(gpu_kernels, a_gemv_runs_at_the_slower_of_vectors_and_type) {
  gpu_params p = round_numbers(1);
  p.silicon.vector_rate = op_rate(0.25e12);
  operation op = product(1, 4096, 4096, 0);
  EXPECT_NEAR(compute_us(p, op), 33.554432 / 0.25, 1e-4);
  p.silicon.tensor_rate["fp16"] = op_rate(0.125e12);
  EXPECT_NEAR(compute_us(p, op), 33.554432 / 0.125, 1e-4);
}

// 1024 x 1024 x 2 operations at 0.5 pJ; 2 MiB at 4 pJ a byte through the L2, and at 7 pJ from memory to there.
TEST(gpu_kernels, energy_of_arithmetic_and_of_the_way_from_memory) {
  gpu_params p = round_numbers(1);
  p.silicon.energy_per_flop = energy(0.5e-12);
  p.silicon.byte_energy = 0.25;
  p.silicon.energy_per_l2_byte = energy(4e-12);
  p.silicon.energy_per_memory_byte = energy(7e-12);
  gpu_model gpu(p);
  operation op = product(1, 1024, 1024, 2 << 20);
  EXPECT_DOUBLE_EQ(gpu.plan(op).energy_pj, 1048576.0 + 8388608.0 + 14680064.0);
  EXPECT_DOUBLE_EQ(gpu.plan(op).energy_pj, 1048576.0 + 8388608.0) << "the L2 holds it now";
  op.type = "fp8";
  EXPECT_DOUBLE_EQ(gpu.plan(op).energy_pj, 262144.0 + 8388608.0);
  op.type = "fp32";
  EXPECT_DOUBLE_EQ(gpu.plan(op).energy_pj, 2097152.0 + 8388608.0);
  const std::vector<std::pair<std::string, double>> sums{
      {"arithmetic", 2 * 1048576.0 + 262144 + 2097152}, {"l2", 4 * 8388608.0}, {"memory_path", 14680064.0}};
  EXPECT_EQ(gpu.energy_parts(), sums);
}

// 32.768 million operations at 200 pJ in 32.768 us are 200 W; 10 W stand, the board may draw 110. Power falls with the
// cube of the clock: half of it at 1 / cbrt(2).
TEST(gpu_kernels, a_board_at_its_limit_lowers_its_clock) {
  gpu_params p = round_numbers(1);
  p.silicon.energy_per_flop = energy(200e-12);
  p.silicon.energy_per_l2_byte = energy(0);
  p.silicon.energy_per_memory_byte = energy(0);
  p.silicon.idle_power = power(4);
  p.silicon.context_power = power(3);
  p.silicon.active_power = power(3);
  const operation op = product(128, 128, 1000, 0);
  EXPECT_NEAR(compute_us(p, op), 32.768, 1e-5) << "no limit";
  p.silicon.power_limit = power(110);
  const work w = gpu_model(p).plan(op);
  EXPECT_NEAR(static_cast<double>(w.compute.sum()) * 1e-6, 32.768 * std::cbrt(2.0), 1e-4);
  EXPECT_NEAR(w.energy_pj / static_cast<double>(w.compute.sum()), 100, 1e-3) << "watts";
  p.silicon.least_clock = 0.9;  // the clock may not fall so far: 200 x 0.81 W of energy over a time of its own
  EXPECT_NEAR(compute_us(p, op), 32.768 * 2 * 0.81, 1e-4);
  p.software.load = "burst";
  EXPECT_NEAR(compute_us(p, op), 32.768, 1e-5) << "too short for the limit to act";
}

// A million bytes come in 1 us. What the cores take of it falls with the clock, what memory takes does not.
TEST(gpu_kernels, a_board_at_its_limit_still_loads_as_fast_as_its_memory_allows) {
  gpu_params p = round_numbers(1);
  p.silicon.power_limit = power(100);
  p.silicon.energy_per_flop = energy(0);
  p.silicon.energy_per_l2_byte = energy(100e-12);
  p.silicon.energy_per_memory_byte = energy(40e-12);
  const operation op = product(1, 64, 64, 1000000);
  const auto planned = [&](double memory_pj) {
    gpu_model gpu(p);
    gpu.set_memory(1e15, memory_pj);
    return gpu.plan(op);
  };
  EXPECT_NEAR(planned(20).fill_bandwidth, 1e12, 1e6) << "100 x 0.4 + 40 + 20 W at 0.632 of the clock";
  EXPECT_NEAR(planned(20).energy_pj, 80e6, 100) << "the memory has its own";
  p.silicon.energy_per_memory_byte = energy(130e-12);
  EXPECT_NEAR(planned(20).fill_bandwidth, 1e12 / (1.5 + 100e-2 * 0.0625), 1e7) << "150 W, and 100 / 16 at a quarter";
}

TEST(gpu_kernels, a_pass_begins_with_the_runtimes_own_work) {
  gpu_params p = round_numbers(1);
  p.software.step_overhead = duration(1e-3);
  p.software.sequence_overhead = duration(10e-6);
  operation op = product(8, 64, 64, 8192);
  const ps_t plain = gpu_model(p).plan(op).launch;
  op.first_of_pass = true;
  EXPECT_EQ(gpu_model(p).plan(op).launch - plain, 1080000000) << "eight sequences";
  EXPECT_EQ(gpu_model(p).plan(op).host, 1080000000) << "all of it is the runtime's";
  op.first_of_prompt = true;
  EXPECT_EQ(gpu_model(p).plan(op).launch - plain, 1000000000) << "rows of a prompt are no sequences";
}

// 600 positions are three pieces of 256; three sequences make nine blocks, on nine of sixteen SMs: 9 TB/s.
TEST(gpu_kernels, pieces_of_every_sequence_load_at_once) {
  const gpu_params p = round_numbers(16);
  EXPECT_DOUBLE_EQ(gpu_model(p).plan(attention(1, 600, 3, 1 << 20)).fill_bandwidth, 9e12);
  EXPECT_DOUBLE_EQ(gpu_model(p).plan(attention(1, 600, 6, 1 << 20)).fill_bandwidth, 16e12) << "18 blocks: all SMs";
}

// One tile of 16 x 64 outputs and 4096 inputs takes 8.388608 us on one SM, and 1 us beside its sums. Four SMs share it:
// 2.097152 + 1 us each, 4096 bytes of sums written and read at 1 TB/s (8.192 ns), 1 us for the blocks that join them.
TEST(gpu_kernels, a_split_product_pays_for_its_partial_sums_and_for_joining_them) {
  gpu_params p = round_numbers(4);
  p.software.tile_overhead = duration(1e-6);
  EXPECT_NEAR(gpu_model(p).gemm_seconds(16, 64, 4096, 1, "fp16"), 9.388608e-6, 1e-12);
  p.software.split_limit = 4;
  EXPECT_NEAR(gpu_model(p).gemm_seconds(16, 64, 4096, 1, "fp16"), (2.097152 + 1 + 0.008192 + 1) * 1e-6, 1e-12);
  p.software.split_depth = 2048;  // two blocks at most
  EXPECT_NEAR(gpu_model(p).gemm_seconds(16, 64, 4096, 1, "fp16"), (4.194304 + 1 + 0.008192 + 1) * 1e-6, 1e-12);
  p.software.tile_overhead = duration(10e-6);
  EXPECT_NEAR(gpu_model(p).gemm_seconds(16, 64, 4096, 1, "fp16"), 18.388608e-6, 1e-12) << "not worth joining";
}

// A tile of 16 x 64 outputs of 1000 inputs takes 2.048 us. Experts with 1 and 31 rows take one and two of them; with 16
// each, one and one.
TEST(gpu_kernels, every_expert_has_tiles_of_its_own) {
  const gpu_model gpu(round_numbers(1));
  EXPECT_NEAR(gpu.gemm(16, 64, 1000, 2, "fp16", 0, 0, {1, 31}).seconds, 3 * 2.048e-6, 1e-12);
  EXPECT_NEAR(gpu.gemm(16, 64, 1000, 2, "fp16", 0, 0, {16, 16}).seconds, 2 * 2.048e-6, 1e-12);
  EXPECT_NEAR(gpu.gemm_seconds(16, 64, 1000, 2, "fp16"), 2 * 2.048e-6, 1e-12);
}

operation experts(std::vector<std::int64_t> rows, std::int64_t tokens, std::int64_t n, std::int64_t k) {
  std::int64_t sum = 0;
  for (const std::int64_t r : rows) sum += r;
  const auto count = static_cast<std::int64_t>(rows.size());
  operation op = product(sum, n, k, 0);
  op.operands.clear();
  op.m = (sum + count - 1) / count;
  op.batch = count;
  op.rows = std::move(rows);
  op.tokens = tokens;
  op.experts = 128;
  return op;
}

// Tiles of 64 x 64, of which two SMs share six: of 65 and 63 rows two and one, of 128 columns two. Ten steps of 32
// inputs take 0.3 us each however little they compute; where that is less, as long as their 262,144 operations.
TEST(gpu_kernels, an_untuned_kernel_for_experts_takes_its_steps) {
  gpu_params p = round_numbers(2);
  p.software.expert_tiles = "rule";
  p.software.expert_step = duration(0.3e-6);
  p.software.expert_thin_step = duration(0.1e-6);
  EXPECT_NEAR(compute_us(p, experts({65, 63}, 129, 128, 320)), 3 * 10 * 0.3, 1e-6);
  EXPECT_NEAR(compute_us(p, experts({65, 63}, 129, 128, 310)), 3 * 10 * 0.3, 1e-6) << "the last step is not full";
  EXPECT_NEAR(compute_us(p, experts({1}, 129, 64, 320)), 10 * 0.3, 1e-6) << "one tile is one SM's";
  // 64 tokens are no more than 128 experts: eight tiles of 16 x 32, five steps.
  EXPECT_NEAR(compute_us(p, experts({4, 4}, 64, 128, 320)), 4 * 5 * 0.1, 1e-6);
  EXPECT_NEAR(compute_us(p, experts({4, 4}, 128, 128, 320)), 4 * 5 * 0.1, 1e-6);
  p.software.expert_thin_tokens = 0.5;
  EXPECT_NEAR(compute_us(p, experts({4, 4}, 64, 128, 320)), 4 * 5 * 0.1, 1e-6);
  EXPECT_NEAR(compute_us(p, experts({4, 4}, 65, 128, 320)), 2 * 10 * 0.3, 1e-6);
  p.software.expert_step = duration(0.2e-6);
  EXPECT_NEAR(compute_us(p, experts({65, 63}, 129, 128, 320)), 3 * 10 * 0.262144, 1e-6);
  // Other products take the best tile: 128 x 128 outputs of 320 inputs in halves.
  operation one = experts({128}, 129, 128, 320);
  one.rows.clear();
  EXPECT_NEAR(compute_us(p, one), 2.0 * 128 * 128 * 320 / 2e12 * 1e6, 1e-6);
}

// Two tiles on two SMs: a step of 2 x 64 x 64 x 64 operations in 0.524 us; 2 MB come in 1 us. As the two do not hide
// behind each other at all (order 1), loads are stretched over both.
TEST(gpu_kernels, an_untuned_kernel_with_few_rows_hides_its_loads_no_better_than_one_with_many) {
  gpu_params p = round_numbers(2);
  p.software.overlap_order = 1;
  p.software.expert_tiles = "rule";
  p.software.expert_tile["depth"] = 64;
  p.software.expert_thin_tokens = 0;
  operation op = experts({1, 1}, 1, 64, 64);
  op.operands.push_back({1, traffic::weights, false, false, 0, 2000000});
  EXPECT_NEAR(gpu_model(p).plan(op).fill_bandwidth, 2e6 / (1e-6 + 0.524288e-6), 1e6);
}

TEST(gpu_kernels, a_router_is_followed_by_the_sorting_of_rows) {
  gpu_params p = round_numbers(1);
  p.software.route_time = duration(16e-6);
  operation op = product(1, 64, 64, 4096);
  EXPECT_EQ(gpu_model(p).plan(op).launch, 0);
  op.routes = true;
  EXPECT_EQ(gpu_model(p).plan(op).launch, 16'000'000);
}

// A tile of 16 x 64 x 1000 at half the rate; the SMs draw as much a second as with wide weights: twice as much in all.
TEST(gpu_kernels, warps_that_unpack_experts_on_their_own_multiply_slower_where_the_chip_says_so) {
  gpu_params p = round_numbers(1);
  p.silicon.warp_fraction = 0.5;
  p.silicon.dequant_ops = 0;
  p.silicon.energy_per_flop = energy(1e-12);
  p.silicon.energy_per_l2_byte = p.silicon.energy_per_memory_byte = energy(0);
  p.software.expert_thin_tokens = 0;
  const operation wide = experts({16}, 1, 64, 1000);
  operation narrow = wide;
  narrow.weight_bits = 4;
  EXPECT_NEAR(compute_us(p, narrow), 2.048, 1e-6) << "a library's kernel";
  p.software.narrow_experts = "warps";
  EXPECT_NEAR(compute_us(p, narrow), 4.096, 1e-6);
  EXPECT_DOUBLE_EQ(gpu_model(p).plan(narrow).energy_pj, 2 * 2048000.0);
  EXPECT_NEAR(compute_us(p, wide), 2.048, 1e-6);
  EXPECT_DOUBLE_EQ(gpu_model(p).plan(wide).energy_pj, 2048000.0);
  operation plain = narrow;
  plain.rows.clear();
  EXPECT_NEAR(compute_us(p, plain), 2.048, 1e-6) << "no expert";
  // Nobody's tiles but these kernels' own: 20 steps of 5 us are for 16-bit experts.
  p.software.expert_tiles = "rule";
  p.software.expert_tile["depth"] = 50;
  p.software.expert_step = duration(5e-6);
  EXPECT_NEAR(compute_us(p, wide), 100, 1e-6);
  EXPECT_NEAR(compute_us(p, narrow), 4.096, 1e-6);
}

TEST(gpu_kernels, every_wave_of_tiles_has_its_overhead) {
  gpu_params p = round_numbers(1);
  p.software.tile_overhead = duration(1e-6);
  // Two tiles of 16 x 64, or one of 16 x 128: 2 x 16 x 128 x 1000 / 1 TFLOP/s = 4.096 us and one overhead.
  EXPECT_NEAR(gpu_model(p).gemm_seconds(16, 128, 1000, 1, "fp16"), 5.096e-6, 1e-12);
  EXPECT_NEAR(gpu_model(p).gemm_seconds(16, 256, 1000, 1, "fp16"), 2 * 5.096e-6, 1e-12);
}

// 32 x 64 x 1000: 4.096 us of arithmetic. Loads of 3.072 us make sides 4 and 3 of a right triangle, of 5.461 us 3
// and 4.
TEST(gpu_kernels, loads_and_arithmetic_hide_behind_each_other_but_for_the_corner) {
  gpu_params p = round_numbers(1);
  p.software.overlap_order = 2;
  EXPECT_DOUBLE_EQ(gpu_model(p).with_loads(3, 4), 5);
  EXPECT_DOUBLE_EQ(gpu_model(p).with_loads(3, 0), 3);
  EXPECT_DOUBLE_EQ(gpu_model(p).with_loads(0, 0), 0);
  EXPECT_NEAR(compute_us(p, product(32, 64, 1000, 3072000)), 5.12, 1e-6) << "arithmetic is longer, and is stretched";
  gpu_model gpu(p);
  const work w = gpu.plan(product(32, 64, 1000, 5461333));
  EXPECT_NEAR(static_cast<double>(w.compute.sum()) * 1e-6, 4.096, 1e-6);
  EXPECT_NEAR(w.fill_bandwidth, 0.8e12, 1e6) << "loads are longer, and are stretched: 5.461 MB in 6.827 us";
  EXPECT_NEAR(compute_us(p, product(16, 64, 1000, 3072000)), 2.048, 1e-6) << "few rows: the longer of the two";
}

// A GEMV of 16-bit weights keeps 100 kB in flight over 1 us: 0.1 TB/s an SM; one of 4-bit weights 200 kB.
TEST(gpu_kernels, thin_kernels_keep_what_their_loads_hold_in_flight) {
  gpu_params p = round_numbers(2);
  p.software.unpacking = "overlapped";
  operation op = product(1, 1024, 1024, 2 << 20);
  EXPECT_DOUBLE_EQ(gpu_model(p).plan(op).fill_bandwidth, 2e12);
  p.software.kernel_in_flight = byte_size(1e5);
  EXPECT_DOUBLE_EQ(gpu_model(p).plan(op).fill_bandwidth, 2e11);
  op.weight_bits = 4;
  EXPECT_DOUBLE_EQ(gpu_model(p).plan(op).fill_bandwidth, 2e11) << "the same kernels";
  p.software.narrow_in_flight = byte_size(2e5);
  EXPECT_DOUBLE_EQ(gpu_model(p).plan(op).fill_bandwidth, 4e11);
  // Registers wait while 2 operations a weight unpack: 0.5 bytes a weight, 4 operations a byte at 2 TFLOP/s, 2 ps a
  // byte beside the 2.5 ps of the load.
  p.software.unpacking = "serial";
  p.silicon.dequant_ops = 2;
  EXPECT_NEAR(gpu_model(p).plan(op).fill_bandwidth, 1e12 / 4.5, 1);
}

// 2 operations for each of 2^20 weights at 1 TFLOP/s are 2.097 us, once for every 64 rows.
TEST(gpu_kernels, narrow_weights_are_unpacked_again_for_each_tile_of_rows) {
  gpu_params p = round_numbers(1);
  p.silicon.dequant_ops = 2;
  p.software.thin_rows = 1;
  operation op = product(256, 1024, 1024, 512 << 10);
  op.weight_bits = 4;
  p.software.unpack_rows = 256;
  const double once = compute_us(p, op), unpack = 2.0 * 1024 * 1024 / 1e6;
  p.software.unpack_rows = 64;
  EXPECT_NEAR(compute_us(p, op) - once, 3 * unpack, 1e-5);
  p.software.unpack_rows = 100;
  EXPECT_NEAR(compute_us(p, op) - once, 2 * unpack, 1e-5);
  // Five products beside each other have five times the weights.
  op.batch = 5;
  op.flops *= 5;
  op.operands[0].bytes *= 5;
  p.software.unpack_rows = 256;
  const double five = compute_us(p, op);
  p.software.unpack_rows = 64;
  EXPECT_NEAR(compute_us(p, op) - five, 5 * 3 * unpack, 1e-5);
}

// 11008 outputs are 86 tiles of 128. Without a split of k, 86 of 132 SMs load.
TEST(gpu_kernels, few_tiles_keep_few_bytes_in_flight) {
  gpu_params p = round_numbers(132);
  p.silicon.tensor_rate = {{"fp16", op_rate(1e18)}};
  p.silicon.l2_bandwidth = bandwidth(1e15);
  p.software.tile_columns = 128;
  p.software.overlap_order = 1000;
  p.software.thin_rows = 1;
  gpu_model gpu(p);
  operation op = product(8, 11008, 4096, 64 << 20);
  EXPECT_NEAR(gpu.plan(op).fill_bandwidth / 86e12, 1, 0.01);
  p.software.split_limit = 2;
  EXPECT_NEAR(gpu_model(p).plan(op).fill_bandwidth / 132e12, 1, 0.01) << "172 blocks: all SMs";
  p.software.split_limit = 1;
  p.software.thin_rows = 64;
  EXPECT_NEAR(gpu_model(p).plan(op).fill_bandwidth / 86e12, 1, 0.01) << "few rows: the same";
}

TEST(gpu_kernels, bytes_multiply_at_a_rate_of_their_own) {
  gpu_params p = round_numbers(1);
  p.silicon.byte_fraction = 0.5;
  operation op = product(128, 128, 1000, 4096);
  const double wide = compute_us(p, op);
  op.type = "fp8";
  op.weight_bits = 8;
  EXPECT_NEAR(wide, 32.768, 1e-5);
  EXPECT_NEAR(compute_us(p, op), 32.768 / 2 / 0.5, 1e-5) << "twice the peak, half of it sustained";
  p.software.fp8_fraction = 0.5;
  EXPECT_NEAR(compute_us(p, op), 32.768 / 2 / 0.5 / 0.5, 1e-5);
}

TEST(gpu_kernels, a_prompts_first_operator_carries_the_runtimes_overhead) {
  gpu_params p = round_numbers(1);
  p.software.prompt_overhead = duration(2.5e-3);
  operation op = product(8, 64, 64, 8192);
  const ps_t plain = gpu_model(p).plan(op).launch;
  op.first_of_prompt = true;
  EXPECT_EQ(gpu_model(p).plan(op).launch - plain, 2500000000);
}

// 1024 queries see 512 positions on average. Blocks of queries compute 64 more each: the masked half of their diagonal.
TEST(gpu_kernels, attention_over_a_prompt_runs_at_its_generations_rate) {
  gpu_params p = round_numbers(1);
  p.silicon.attention_efficiency = {{"flash2", 0.5}, {"flash3", 0.8}};
  p.software.attention_edge = 64;
  const double exact = 4.0 * 128 * 1024 * 512 / 1e12 * 1e6;  // us at the full rate
  const operation op = attention(1024, 1024, 1, 512 << 10);
  p.software.attention = "flash2";
  EXPECT_NEAR(compute_us(p, op), exact * 1.125 / 0.5, 1e-5);
  p.software.attention = "flash3";
  EXPECT_NEAR(compute_us(p, op), exact * 1.125 / 0.8, 1e-5);
  // The second half of a prompt of 2048: 1536 positions on average.
  EXPECT_NEAR(compute_us(p, attention(1024, 2048, 1, 1 << 20)), 3 * exact * (1 + 64.0 / 1536) / 0.8, 1e-5);
}

// Blocks of 128 queries, four of a head: they see 1, 2, 3 and 4 blocks of keys. Over four SMs each has one, and the
// last takes 4 where an equal share would be 10 / 4. Two heads, each block to whom is free first: 1 2 3 4, then 1, 2, 3
// and 4 behind 1, 2, 2 and 3, which ends at 7 of 20 / 4. Eight SMs have four without a block.
TEST(gpu_kernels, blocks_of_a_prompt_end_apart) {
  const auto factor = [](std::int64_t sms, std::int64_t heads, std::int64_t queries, std::int64_t positions) {
    gpu_params p = round_numbers(sms), even = p;
    p.silicon.attention_efficiency = even.silicon.attention_efficiency = {{"flash2", 0.5}, {"flash3", 0.5}};
    p.software.attention = "flash2";
    even.software.attention = "flash3";
    const operation op = attention(queries, positions, heads, 1 << 16);
    return compute_us(p, op) / compute_us(even, op);
  };
  EXPECT_NEAR(factor(4, 1, 512, 512), 4 / 2.5, 1e-6);
  EXPECT_NEAR(factor(4, 2, 512, 512), 7 / 5.0, 1e-6);
  EXPECT_NEAR(factor(8, 1, 512, 512), 4 / 1.25, 1e-6);
  EXPECT_NEAR(factor(1, 3, 512, 512), 1, 1e-6);
  // 1024 positions before: blocks of 9 to 12 of 42 / 4.
  EXPECT_NEAR(factor(4, 1, 512, 1536), 12 / 10.5, 1e-6);
  // A hundred heads of a long prompt: the ends no longer matter.
  EXPECT_NEAR(factor(4, 100, 16384, 16384), 1, 0.01);
  EXPECT_GT(factor(4, 100, 16384, 16384), 1);
}

// Behind a window of 128 positions all blocks are alike: four of them on four SMs.
TEST(gpu_kernels, blocks_behind_a_window_end_together) {
  gpu_params p = round_numbers(4);
  p.silicon.attention_efficiency = {{"flash2", 0.5}, {"flash3", 0.5}};
  operation op = attention(512, 512, 1, 1 << 16);
  op.flops = 4.0 * 128 * 512 * 128;
  p.software.attention = "flash2";
  const double second = compute_us(p, op);
  p.software.attention = "flash3";
  EXPECT_NEAR(second, compute_us(p, op), 1e-6);
}

// What a query attends to does not depend on how many heads and sequences there are, so that neither does the part that
// its block computes more: four sequences of two heads a group take eight times as long as one head.
TEST(gpu_kernels, attention_over_a_prompt_takes_so_long_for_each_head) {
  gpu_params p = round_numbers(1);
  p.silicon.attention_efficiency = {{"flash2", 0.5}, {"flash3", 0.8}};
  p.software.attention = "flash2";
  p.software.attention_edge = 64;
  operation many = attention(1024, 1024, 4, 512 << 10);
  many.group = 2;
  many.flops *= 2;
  EXPECT_NEAR(compute_us(p, many), 8 * compute_us(p, attention(1024, 1024, 1, 512 << 10)), 1e-4);
}

// Of 4 SMs, whose loads bring 1 TB/s each, one has a block. By copies it has 2 MB under way for 1 us.
TEST(gpu_kernels, copies_of_attention_keep_more_in_flight_where_few_blocks_run) {
  gpu_params p = round_numbers(4);
  p.silicon.l2_bandwidth = bandwidth(1e15);
  p.software.attention = "flash2";
  p.software.decode_piece = 1 << 20;
  p.software.attention_in_flight = byte_size(2e6);
  const operation one = attention(1, 4096, 1, 64 << 20), many = attention(1, 4096, 64, 64 << 20);
  EXPECT_NEAR(gpu_model(p).plan(one).fill_bandwidth, 2e12, 1e6);
  EXPECT_EQ(gpu_model(p).plan(one).window, 2'000'000);
  EXPECT_NEAR(gpu_model(p).plan(many).fill_bandwidth, 4e12, 1e6) << "all blocks together: what the SMs load";
  p.software.attention = "flash3";
  EXPECT_NEAR(gpu_model(p).plan(one).fill_bandwidth, 1e12, 1e6);
  p.silicon.attention_efficiency["flash3"] = 0;
  EXPECT_NEAR(gpu_model(p).plan(one).fill_bandwidth, 2e12, 1e6) << "the chip runs the second generation";
}

// 100 kB a block: 2 blocks are read at 2 TB/s in 0.1 us, of 100 blocks 12 are on the chip, read at 4 TB/s in 0.3 us.
TEST(gpu_kernels, blocks_of_the_second_generation_fill_before_they_overlap) {
  gpu_params p = round_numbers(4);
  p.software.attention = "flash2";
  p.software.decode_piece = 1 << 20;
  p.software.attention_start = duration(9e-6);
  p.software.attention_fill = byte_size(1e5);
  EXPECT_EQ(gpu_model(p).plan(attention(1, 4096, 2, 64 << 20)).launch, 9'100'000);
  EXPECT_EQ(gpu_model(p).plan(attention(1, 4096, 100, 64 << 20)).launch, 9'300'000);
  EXPECT_EQ(gpu_model(p).plan(attention(64, 4096, 100, 64 << 20)).launch, 0) << "a prompt";
  p.software.attention = "flash3";
  EXPECT_EQ(gpu_model(p).plan(attention(1, 4096, 2, 64 << 20)).launch, 0);
  p.silicon.attention_efficiency["flash3"] = 0;
  EXPECT_EQ(gpu_model(p).plan(attention(1, 4096, 2, 64 << 20)).launch, 9'100'000) << "the chip runs the second";
}

// Beside a prompt a query fills one row of a tile of 64, which the matrix units compute at half their rate.
TEST(gpu_kernels, a_decode_in_a_prompts_kernel_computes_a_tile_of_queries) {
  gpu_params p = round_numbers(1);
  p.silicon.attention_efficiency = {{"flash2", 0.5}, {"flash3", 0.8}};
  p.silicon.attention_tile = 64;
  p.software.attention = "flash2";
  p.software.attention_start = duration(9e-6);
  operation op = attention(1, 1000, 8, 512 << 10);
  const double alone = op.flops / 1e12 * 1e6;
  EXPECT_NEAR(compute_us(p, op), alone, 1e-5);
  op.beside_prompt = true;
  EXPECT_NEAR(compute_us(p, op), alone * 64 / 0.5, 1e-5);
  EXPECT_EQ(gpu_model(p).plan(op).launch, 0) << "no kernel of its own";
  p.software.attention = "flash3";
  EXPECT_NEAR(compute_us(p, op), alone, 1e-5);
}

// 100 W at 100 pJ an operation: 1 TFLOP/s, a quarter of what the SMs compute. 120 of a tile's 128 rows draw power.
TEST(gpu_kernels, the_power_limit_holds_for_a_whole_product) {
  gpu_params p = round_numbers(4);
  p.silicon.power_limit = power(100);
  p.silicon.gemm_energy = energy(100e-12);
  p.silicon.energy_per_flop = energy(0);
  p.silicon.energy_per_l2_byte = energy(0);
  p.silicon.energy_per_memory_byte = energy(0);
  p.software.overlap_order = 1000;
  p.software.tile_columns = 128;
  const operation op = product(120, 512, 1000, 4096);
  p.software.load = "run";
  EXPECT_NEAR(compute_us(p, op), 32.768, 1e-3) << "four tiles of 128 x 128";
  p.software.load = "sustained";
  EXPECT_NEAR(compute_us(p, op), 122.88, 1e-3) << "122.88 million operations";
  const operation bound = product(120, 512, 1000, 800'000'000);
  EXPECT_NEAR(gpu_model(p).plan(bound).fill_bandwidth, 4e12, 1e6) << "200 us of loads leave the power for it";
  EXPECT_LT(compute_us(p, bound), 122.88);
}

// A window far smaller than the prompt: 1024 queries that see 64 positions each compute 64 more, twice as many.
TEST(gpu_kernels, attention_over_a_window_computes_what_it_sees_and_the_edge) {
  gpu_params p = round_numbers(1);
  p.silicon.attention_efficiency = {{"flash2", 0.5}, {"flash3", 0.8}};
  p.software.attention = "flash2";
  p.software.attention_edge = 64;
  operation op = attention(1024, 64, 1, 64 << 10);
  op.flops = 4.0 * 128 * 1024 * 64;
  EXPECT_NEAR(compute_us(p, op), op.flops / 1e12 * 1e6 * 2 / 0.5, 1e-5);
}

// A kernel of 2 us; attention needs three of them, loads 1 MiB in 1.048576 us after a latency of 1 us.
TEST(gpu_kernels, attention_waits_for_a_host_that_issues_its_kernels) {
  gpu_params p = round_numbers(1);
  p.software.kernel_launch = duration(2e-6);
  p.software.attention_kernels = 3;
  operation op = attention(1, 256, 1, 1 << 20);
  EXPECT_EQ(gpu_model(p).plan(op).launch, 6000000);
  p.software.attention_floor = duration(22e-6);
  EXPECT_EQ(gpu_model(p).plan(op).launch, 22000000 - 1000000 - 1048576) << "all of it ends after 22 us";
  op.operands.front().bytes = 20 << 20;
  EXPECT_EQ(gpu_model(p).plan(op).launch, 6000000) << "longer than the host takes";
  p.software.attention = "separate";
  EXPECT_EQ(gpu_model(p).plan(op).launch, 2000000) << "its kernels are in the arithmetic";
}

// Without flash attention each of 8 query heads reads the one KV head's 100 positions: 800 x 50 cycles at 1 GHz.
TEST(gpu_kernels, unfused_attention_pays_for_each_query_head_and_position) {
  gpu_params p = round_numbers(1);
  p.software.attention = "separate";
  operation op = attention(1, 100, 1, 51200);
  op.flops *= 8;
  op.group = 8;
  const double before = compute_us(p, op);
  p.software.score_cycles = 50;
  EXPECT_NEAR(compute_us(p, op) - before, 40, 1e-5);
  op.m = 2;
  EXPECT_NEAR(compute_us(p, op),
              compute_us(
                  [&] {
                    auto q = p;
                    q.software.score_cycles = 0;
                    return q;
                  }(),
                  op),
              1e-9)
      << "prompts run on the matrix units";
}

// Scores in single precision pass four times: written, read and written by the softmax, read: 16 bytes each, at 4 TB/s
// of the L2; two kernels more are started. One query is a vector's product (1 TFLOP/s), several are matrices' (4
// TFLOP/s), and all their scores are computed and pass, the masked ones too.
TEST(gpu_kernels, unfused_attention_takes_its_products_its_scores_and_two_kernels) {
  gpu_params p = round_numbers(4);
  p.silicon.vector_rate = op_rate(1e12);
  p.silicon.l2 = byte_size(64e6);
  p.silicon.kernel_ramp = duration(0.5e-6);
  p.software.kernel_launch = duration(1e-6);
  p.software.attention = "separate";
  p.software.score_cycles = 0;
  EXPECT_NEAR(compute_us(p, attention(1, 1000, 4, 1 << 20)), 4 * 128 * 4000 / 1e6 + 16 * 4000 / 4e6 + 2 * 1.5, 1e-5);
  const operation prompt = attention(2, 1000, 4, 1 << 20);
  EXPECT_NEAR(compute_us(p, prompt), 4 * 128 * 8000 / 4e6 + 16 * 8000 / 4e6 + 2 * 1.5, 1e-5);
  // Half of 8000 scores in and out, of 4 bytes each, fits into 128,000 bytes; the other half comes at 4 x 10 kB / 1 us.
  p.silicon.l2 = byte_size(128e3);
  p.silicon.in_flight_per_sm = byte_size(1e4);
  EXPECT_NEAR(compute_us(p, prompt), 4 * 128 * 8000 / 4e6 + 16 * 4000 / 4e6 + 16 * 4000 / 4e4 + 2 * 1.5, 1e-5);
  p.software.score_bytes = byte_size(24);
  p.software.score_efficiency = 0.5;
  EXPECT_NEAR(compute_us(p, prompt), 4 * 128 * 8000 / 2e6 + 24 * 4000 / 4e6 + 24 * 4000 / 4e4 + 2 * 1.5, 1e-5);
  // What a runtime's products of few rows keep in flight does not bound these kernels.
  p.software.kernel_in_flight = byte_size(1e3);
  EXPECT_NEAR(compute_us(p, prompt), 4 * 128 * 8000 / 2e6 + 24 * 4000 / 4e6 + 24 * 4000 / 4e4 + 2 * 1.5, 1e-5);
}

// A chunk of a prompt behind others attends to all of them: few of its scores are masked, and each is computed once.
TEST(gpu_kernels, unfused_attention_of_a_late_chunk_computes_what_it_attends_to) {
  gpu_params p = round_numbers(4);
  p.silicon.l2 = byte_size(0);
  p.software.attention = "separate";
  p.software.kernel_launch = duration(0);
  operation op = attention(100, 10000, 1, 1 << 20);
  op.group = 2;
  EXPECT_NEAR(compute_us(p, op), (4 * 128 + 16) * 2e6 / 4e6, 1e-5);
}

TEST(gpu_kernels, a_host_is_told_how_far_ahead_it_may_launch) {
  gpu_params p = round_numbers(1);
  EXPECT_EQ(gpu_model(p).launches_ahead().room, 0);
  p.software.launch_queue = 980;
  p.software.passes_in_flight = 4;
  p.software.kernels["rope"] = 7;
  EXPECT_EQ(gpu_model(p).launches_ahead().room, 980);
  EXPECT_EQ(gpu_model(p).launches_ahead().passes, 4);
  EXPECT_EQ(gpu_model(p).kernels_of("rope"), 7);
  EXPECT_EQ(gpu_model(p).kernels_of("norm"), 1);
}

}  // namespace
