// SPDX-License-Identifier: Apache-2.0
// What an NPU asks for an operator, against formulas.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "hw/common/error.h"
#include "hw/npu/npu_model.h"

using namespace memwall;

namespace {

operation gemm(std::int64_t m, std::int64_t n, std::int64_t k, double weight_bits = 8) {
  operation op;
  op.name = "product";
  op.m = m;
  op.n = n;
  op.k = k;
  op.type = "int8";
  op.weight_bits = weight_bits;
  op.flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  op.operands = {
      {1, traffic::weights, false, false, 0, static_cast<std::int64_t>(weight_bits / 8 * static_cast<double>(n * k))},
      {2, traffic::activations, false, false, 1 << 30, m * k},
      {3, traffic::activations, true, false, std::int64_t{1} << 31, m * n}};
  return op;
}

npu_params small() {
  npu_params p;
  p.silicon.rows = p.silicon.columns = 32;
  p.silicon.arrays = 1;
  p.silicon.clock = frequency(1e9);
  p.silicon.type_rate = {{"int8", 1}};
  p.silicon.scratchpad = byte_size(1 << 20);
  p.silicon.scratchpad_banks = 64;
  p.silicon.bank_width = byte_size(4);
  p.silicon.vector_rate = op_rate(1e12);
  return p;
}

std::int64_t bytes(const work& w, traffic kind, bool write) {
  std::int64_t sum = 0;
  for (const operand& a : w.accesses)
    if (a.kind == kind && a.write == write) sum += a.bytes;
  return sum;
}

// Two arrays take half of the 1,024 vectors each: without multicast the 1 KiB of weights cross the network of 10 GB/s
// twice beside 32 KiB of inputs that cross once, 34 bytes for 33. What the engines take for a byte is the same.
TEST(npu_model, what_two_arrays_need_crosses_twice_without_multicast) {
  npu_params p = small();
  p.silicon.arrays = 2;
  p.silicon.network_bandwidth = bandwidth(10e9);
  const auto seconds_a_byte = [&](bool multicast) {
    p.silicon.multicast = multicast;
    return 1 / npu_model(p).plan(gemm(1024, 32, 32)).fill_bandwidth;
  };
  EXPECT_NEAR(seconds_a_byte(false) - seconds_a_byte(true), (34.0 / 33 - 1) / 10e9, 1e-15);
}

TEST(npu_model, peak_is_two_operations_an_element_and_cycle) {
  npu_params p = small();
  p.silicon.arrays = 4;
  p.silicon.type_rate = {{"int8", 2}, {"fp16", 1}, {"fp32", 0.25}};
  const npu_model npu(p);
  EXPECT_DOUBLE_EQ(npu.peak_rate("int8"), 2 * 2.0 * 32 * 32 * 4 * 1e9);
  EXPECT_DOUBLE_EQ(npu.peak_rate("int4"), npu.peak_rate("int8")) << "the next wider type";
  EXPECT_DOUBLE_EQ(npu.peak_rate("bf16"), 2.0 * 32 * 32 * 4 * 1e9);
  EXPECT_DOUBLE_EQ(npu.peak_rate("fp32"), 0.25 * 2.0 * 32 * 32 * 4 * 1e9);
}

TEST(npu_model, a_product_takes_the_closed_form) {
  npu_params p = small();
  p.silicon.folds = "serial";
  for (const char* flow : {"output", "weight", "input"}) {
    p.silicon.dataflow = flow;
    npu_model npu(p);
    // 256 x 128 x 256 on 32 x 32 lies in 1 MiB as one tile: SCALE-Sim's 10175, 11199 and 14207 cycles of 1 ns.
    const double ns = p.silicon.dataflow == "output" ? 10175 : p.silicon.dataflow == "weight" ? 11199 : 14207;
    EXPECT_DOUBLE_EQ(static_cast<double>(npu.plan(gemm(256, 128, 256)).compute.sum()), ns * 1000) << flow;
  }
  p.silicon.dataflow = "any";
  npu_model npu(p);
  EXPECT_EQ(npu.plan(gemm(256, 128, 256)).compute.sum(), 10175 * 1000) << "the one that ends first";
}

TEST(npu_model, every_operand_crosses_once_where_the_scratchpad_holds_a_tile) {
  npu_model npu(small());
  const work w = npu.plan(gemm(1, 4096, 4096));
  EXPECT_EQ(bytes(w, traffic::weights, false), 4096 * 4096);
  EXPECT_EQ(bytes(w, traffic::activations, false), 4096);
  EXPECT_EQ(bytes(w, traffic::activations, true), 4096);
}

// In 64 KiB a product of 1024 x 1024 x 1024 cannot hold an operand: what crosses is what the mapper says.
TEST(npu_model, a_small_scratchpad_moves_operands_again) {
  npu_params p = small();
  p.silicon.scratchpad = byte_size(64 * 1024);
  npu_model npu(p);
  const work w = npu.plan(gemm(1024, 1024, 1024));
  npu::tiling_problem q;
  q.shape = {1024, 1024, 1024};
  q.input_bytes = q.weight_bytes = q.output_bytes = 1;
  q.scratchpad = 64 * 1024;
  q.step_k = q.step_n = 32;
  const npu::tiling t = npu::best_tiling(q);
  std::int64_t all = 0;
  for (const auto& a : w.accesses) all += a.bytes;
  EXPECT_DOUBLE_EQ(static_cast<double>(all), t.traffic.total());
  EXPECT_GT(all, 3 * 1024 * 1024);
}

TEST(npu_model, retained_activations_do_not_cross) {
  npu_params p = small();
  p.silicon.retained = byte_size(1 << 20);
  npu_model npu(p);
  const work first = npu.plan(gemm(16, 1024, 1024));
  EXPECT_EQ(bytes(first, traffic::activations, true), 0) << "the results stay";
  operation next = gemm(16, 256, 1024);
  next.operands[1] = {3, traffic::activations, false, false, std::uint64_t{1} << 31, 16 * 1024};
  next.operands[2].tensor = 4;
  EXPECT_EQ(bytes(npu.plan(next), traffic::activations, false), 0) << "and are there";
}

// Row-major tiles of 1024 one-byte values: rows 256 words apart, all of them in one of 64 banks: 32 cycles for 32
// lanes.
TEST(npu_model, a_stride_that_hits_one_bank_stalls_the_array_and_is_not_called_compute) {
  npu_params p = small();
  npu_model blocked(p);
  p.silicon.scratchpad_layout = "row_major";
  npu_model strided(p);
  const operation op = gemm(64, 128, 1024);
  const work a = blocked.plan(op), b = strided.plan(op);
  EXPECT_EQ(a.compute[stall::core_requests], 0);
  EXPECT_NEAR(static_cast<double>(b.compute[stall::compute]), static_cast<double>(a.compute[stall::compute]), 2);
  EXPECT_NEAR(static_cast<double>(b.compute.sum()), 32.0 * static_cast<double>(a.compute.sum()), 100);
  EXPECT_GT(strided.figures(0)["bank_conflict_ns"].get<double>(), 0);
}

TEST(npu_model, descriptors_bound_what_is_under_way) {
  npu_params p = small();
  p.silicon.dma_engines = 2;
  p.silicon.dma_descriptors = 4;
  p.silicon.descriptor_bytes = byte_size(512);
  p.silicon.dma_bandwidth = bandwidth(10e9);
  npu_model npu(p);
  work w = npu.plan(gemm(1, 4096, 4096));
  EXPECT_EQ(w.window, 2 * 4 * 512);
  // A tile's room of B bytes is held for B / 20 GB/s and the latency.
  EXPECT_LT(w.fill_bandwidth, 20e9);
  EXPECT_GT(w.fill_bandwidth, 15e9);
  // A descriptor of one dimension takes one row of a tile: 128 columns of one byte.
  p.silicon.descriptor_dimensions = 1;
  p.silicon.weight_layout = "row_major";
  p.silicon.scratchpad = byte_size(300 * 1024);
  npu_model strided(p);
  w = strided.plan(gemm(1, 4096, 1024));
  EXPECT_LT(w.window, 2 * 4 * 512);
  EXPECT_GT(w.window, 2 * 4 * 32 - 1);
  // And each descriptor takes the engine's time: 100 ns for 512 bytes that would take 51.2.
  p = small();
  p.silicon.dma_engines = 1;
  p.silicon.descriptor_bytes = byte_size(512);
  p.silicon.dma_bandwidth = bandwidth(10e9);
  p.silicon.descriptor_time = duration(100e-9);
  p.silicon.load_latency = duration(1e-9);
  npu_model slow(p);
  EXPECT_NEAR(slow.plan(gemm(1, 4096, 4096)).fill_bandwidth, 512 / 151.2e-9, 1e6);
}

// One buffer: what a tile brings is the room that the core waits for; two buffers do not wait. 64 x 4096 x 4096 in 1
// MiB.
TEST(npu_model, without_a_second_buffer_the_next_tile_waits_for_the_array) {
  npu_params p = small();
  p.silicon.dma_engines = 1;
  p.silicon.dma_bandwidth = bandwidth(32e9);
  p.silicon.load_latency = duration(1e-9);
  const operation op = gemm(64, 4096, 4096);
  npu_model two(p);
  p.silicon.double_buffer = false;
  npu_model one(p);
  const work a = two.plan(op), b = one.plan(op);
  EXPECT_NEAR(a.fill_bandwidth, 32e9, 0.1e9);
  EXPECT_EQ(a.tile_bytes, 0);
  EXPECT_DOUBLE_EQ(b.fill_bandwidth, 32e9);
  const auto tile = one.figures(0)["mappings"][0]["tile"];
  npu::tiling_problem q;  // and a tile may take all of the room
  q.shape = {64, 4096, 4096};
  q.input_bytes = q.weight_bytes = q.output_bytes = 1;
  q.scratchpad = 1 << 20;
  q.step_k = q.step_n = 32;
  q.buffers = 1;
  const npu::tiling t = npu::best_tiling(q);
  EXPECT_EQ(tile, nlohmann::ordered_json({t.tile_m, t.tile_n, t.tile_k}));
  const auto m = tile[0].get<double>(), n = tile[1].get<double>(), k = tile[2].get<double>();
  const double moved = static_cast<double>(bytes(b, traffic::weights, false) + bytes(b, traffic::activations, false)),
               tiles = std::ceil(64 / m) * std::ceil(4096 / n) * std::ceil(4096 / k);
  EXPECT_DOUBLE_EQ(static_cast<double>(b.tile_bytes), std::ceil(moved / tiles));
  // Attention: a block of 128 keys and values of 128 x 2 bytes.
  operation attention;
  attention.kind = work_kind::attention;
  attention.n = 4096;
  attention.k = 128;
  attention.type = "fp16";
  attention.flops = 4.0 * 4096 * 128;
  attention.operands = {{1, traffic::kv_cache, false, false, 0, 4096 * 128 * 2 * 2}};
  EXPECT_EQ(one.plan(attention).tile_bytes, 2 * 128 * 128 * 2);
}

TEST(npu_model, attention_reads_the_cache_once_a_block_of_queries) {
  npu_params p = small();
  operation op;
  op.kind = work_kind::attention;
  op.m = 1;
  op.n = 4096;
  op.k = 128;
  op.group = 4;
  op.batch = 8;
  op.type = "fp16";
  op.flops = 4.0 * 4 * 4096 * 128 * 8;
  op.operands = {{1, traffic::kv_cache, false, false, 0, 8 * 4096 * 128 * 2 * 2}};
  npu_model npu(p);
  EXPECT_EQ(bytes(npu.plan(op), traffic::kv_cache, false), 8 * 4096 * 128 * 2 * 2);
  // A prompt of 4096: blocks of (1 MiB - tiles) / (128 (2 + 4) + 128 * 4) queries; each reads what its last query sees.
  op.m = 4096;
  op.flops *= 4096.0 / 2;
  const double tiles = 2 * 2 * 128 * 128 * 2, each = 128 * 6 + 128 * 4;
  const auto block = static_cast<std::int64_t>((1048576 - tiles) / each);
  const std::int64_t queries = 4096 * 4, blocks = (queries + block - 1) / block;
  double seen = 0;
  for (std::int64_t i = 1; i <= blocks; ++i)
    seen += std::ceil(static_cast<double>(std::min(queries, i * block)) / 4) / 4096;
  EXPECT_NEAR(static_cast<double>(bytes(npu.plan(op), traffic::kv_cache, false)), seen * 8 * 4096 * 128 * 4,
              100.0 * static_cast<double>(blocks));
}

/// A token of 4 query heads for each of 8 KV heads of 128 values of 2 bytes, over `positions`: 64 positions are 256
/// KiB.
operation cached_attention(std::int64_t positions) {
  operation op;
  op.kind = work_kind::attention;
  op.n = positions;
  op.k = 128;
  op.group = 4;
  op.batch = 8;
  op.type = "fp16";
  op.flops = 4.0 * 4 * 8 * 128 * static_cast<double>(positions);
  op.operands = {{1, traffic::kv_cache, false, false, 0, positions * 8 * 128 * 2 * 2}};
  return op;
}

// Products of many rows use half of the cycles; a single row is a stream of weights, and loses none.
TEST(npu_model, what_products_sustain_is_not_asked_of_a_single_row) {
  npu_params p = small();
  npu_model whole(p);
  p.silicon.sustained_fraction = 0.5;
  npu_model half(p);
  EXPECT_EQ(half.plan(gemm(64, 1024, 512)).compute.sum(), 2 * whole.plan(gemm(64, 1024, 512)).compute.sum());
  EXPECT_EQ(half.plan(gemm(1, 1024, 512)).compute.sum(), whole.plan(gemm(1, 1024, 512)).compute.sum());
}

// A graph for 4096 positions reads and computes 4096 whatever is cached, and more where more is cached.
TEST(npu_model, a_padded_context_is_read_and_computed_whole) {
  npu_params p = small();
  npu_model plain(p);
  p.software.padded_context = 4096;
  npu_model padded(p);
  const std::int64_t all = 4096 * 8 * 128 * 2 * 2;
  const work full = plain.plan(cached_attention(4096));
  for (const std::int64_t cached : {1, 1000, 1024, 4096}) {
    const work w = padded.plan(cached_attention(cached));
    EXPECT_EQ(bytes(w, traffic::kv_cache, false), all) << cached;
    EXPECT_EQ(w.compute.sum(), full.compute.sum()) << cached;
  }
  EXPECT_EQ(bytes(padded.plan(cached_attention(8192)), traffic::kv_cache, false), 2 * all);
  EXPECT_EQ(bytes(plain.plan(cached_attention(1024)), traffic::kv_cache, false), all / 4);
}

// 3 ns for each of 16 x 1024 results are 49.152 us of the host; a single row costs none.
TEST(npu_model, the_host_takes_its_time_for_each_result_of_many_rows) {
  npu_params p = small();
  p.software.result_time = duration(3e-9);
  p.software.launch = duration(0);
  npu_model npu(p);
  const work w = npu.plan(gemm(16, 1024, 512));
  EXPECT_EQ(w.host, 49'152'000);
  EXPECT_EQ(w.launch, w.host);
  operation twice = gemm(16, 1024, 512);
  twice.batch = 2;
  EXPECT_EQ(npu.plan(twice).host, 2 * 49'152'000);
  EXPECT_EQ(npu.plan(gemm(1, 1024, 512)).host, 0);
}

// 4096 positions x 32 query heads at 100 cycles of 1 ns are 13.1072 ms, and 8 operations each of 1e12 a second 1.048576
// us. Two queries are no single row: the operations alone, and the arrays' cycles.
TEST(npu_model, scores_of_a_single_row_take_the_cycles_of_a_lane) {
  npu_params p = small();
  p.software.score_cycles = 100;
  npu_model npu(p);
  EXPECT_EQ(npu.plan(cached_attention(4096)).compute.sum(), 13'107'200'000 + 1'048'576);
  operation two = cached_attention(4096);
  two.m = 2;
  two.flops *= 2;
  EXPECT_LT(npu.plan(two).compute.sum(), 2'000'000'000);
}

// 0.5 ms for each of 16 sequences x 8 KV heads of a prompt; a token's attention is not launched one by one.
TEST(npu_model, attention_of_a_prompt_is_launched_for_each_sequence_and_kv_head) {
  npu_params p = small();
  p.software.launch = duration(2e-6);
  p.software.attention_launch = duration(0.5e-3);
  npu_model npu(p);
  operation op = cached_attention(128);
  op.batch = 16 * 8;
  EXPECT_EQ(npu.plan(op).launch, 2'000'000);
  op.m = 128;
  EXPECT_EQ(npu.plan(op).launch, 2'000'000 + 64'000'000'000);
}

// The runtime's part of a pass: 100 us, 40 us more for each of 16 sequences of a step, 1 ms more before a prompt.
TEST(npu_model, a_pass_has_overheads_of_its_own) {
  npu_params p = small();
  p.software.launch = duration(0);
  p.software.step_overhead = duration(100e-6);
  p.software.sequence_overhead = duration(40e-6);
  p.software.prompt_overhead = duration(1e-3);
  npu_model npu(p);
  operation op = gemm(16, 1024, 512);
  EXPECT_EQ(npu.plan(op).host, 0);
  op.first_of_pass = true;
  EXPECT_EQ(npu.plan(op).host, 740'000'000);
  op.first_of_prompt = true;
  EXPECT_EQ(npu.plan(op).host, 1'100'000'000);
}

TEST(npu_model, narrow_weights_cost_the_vector_unit) {
  npu_params p = small();
  p.silicon.unpack_ops = 1000;
  operation op = gemm(1, 1024, 1024, 4);
  npu_model npu(p);
  EXPECT_EQ(npu.plan(op).compute.sum(), static_cast<ps_t>(1000.0 * 1024 * 1024 / 1e12 * 1e12));
}

TEST(npu_model, launches_overheads_and_the_host_s_part) {
  npu_params p = small();
  p.software.launch = duration(5e-6);
  p.software.synchronisation = duration(2e-6);
  p.software.layer_overhead = duration(20e-6);
  npu_model npu(p);
  operation op = gemm(1, 1024, 1024);
  op.first_of_layer = true;
  work w = npu.plan(op);
  EXPECT_EQ(w.launch, 25000000);
  EXPECT_EQ(w.host, 20000000);
  EXPECT_EQ(w.drain, 2000000);
  op.kind = work_kind::elementwise;
  op.first_of_layer = false;
  w = npu.plan(op);
  EXPECT_EQ(w.launch + w.drain, 0) << "in its neighbour";
}

TEST(npu_model, energy_is_the_sum_of_its_parts) {
  npu_model npu(small());
  double sum = 0, parts = 0;
  for (const std::int64_t m : {1, 16, 200}) sum += npu.plan(gemm(m, 512, 777)).energy_pj;
  for (const auto& [unused, pj] : npu.energy_parts()) parts += pj;
  EXPECT_GT(sum, 0);
  EXPECT_NEAR(parts, sum, 1e-6 * sum);
}

TEST(npu_model, says_what_it_chose) {
  npu_model npu(small());
  npu.plan(gemm(1, 4096, 4096));
  const auto f = npu.figures(1);
  ASSERT_EQ(f["mappings"].size(), 1u);
  EXPECT_NE(f["mappings"][0]["why"].get<std::string>().find("weights once"), std::string::npos);
  EXPECT_DOUBLE_EQ(f["product_bytes_over_bound"].get<double>(), 1.0);
}

TEST(npu_model, a_scratchpad_smaller_than_a_tile_is_an_error) {
  npu_params p = small();
  p.silicon.scratchpad = byte_size(1024);
  npu_model npu(p);
  EXPECT_THROW(npu.plan(gemm(64, 64, 64)), input_error);
}

}  // namespace
