// SPDX-License-Identifier: Apache-2.0
// The plain cores: what an operator needs, against formulas.
#include <gtest/gtest.h>

#include "hw/core/tensor_cache.h"
#include "hw/cpu/cpu_model.h"
#include "hw/gpu/gpu_model.h"

using namespace memwall;

namespace {

TEST(tensor_cache, keeps_what_fits_and_streams_what_does_not) {
  tensor_cache c(1000);
  EXPECT_EQ(c.read(1, 400).miss_bytes, 400);
  EXPECT_EQ(c.read(1, 400).miss_bytes, 0);
  EXPECT_EQ(c.read(2, 2000).miss_bytes, 2000) << "larger than the cache: streams past";
  EXPECT_EQ(c.read(1, 400).miss_bytes, 0) << "and pushes nothing out";
  EXPECT_EQ(c.write(3, 500).miss_bytes, 0) << "a written tensor stays on chip";
  EXPECT_EQ(c.read(3, 500).miss_bytes, 0);
  // 1000 - 500 (tensor 3) - 300 leaves 200 of tensor 1's 400 bytes: 200 miss.
  EXPECT_EQ(c.read(4, 300).miss_bytes, 300);
  EXPECT_EQ(c.read(1, 400).miss_bytes, 200);
}

TEST(tensor_cache, writes_back_dirty_bytes_it_pushes_out) {
  tensor_cache c(1000);
  c.write(1, 600);
  EXPECT_EQ(c.read(2, 1000).writeback_bytes, 600);
  c.write(3, 100);
  c.drop(3);
  EXPECT_EQ(c.read(4, 1000).writeback_bytes, 0) << "a dead tensor is not written back";
}

operation gemm(std::int64_t m, std::int64_t n, std::int64_t k) {
  operation op;
  op.m = m;
  op.n = n;
  op.k = k;
  op.flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  op.operands.push_back({1, traffic::weights, false, false, 0, 2 * n * k});
  return op;
}

TEST(gpu_model, large_gemm_runs_at_the_sustained_rate_and_never_above) {
  gpu_model gpu{gpu_params{}};
  const double peak = gpu.peak_rate("fp16") * gpu.params().silicon.sustained_fraction;
  // 132 SMs: 128 x 128 tiles in whole waves when both dimensions are multiples of 12 x 128 and 11 x 128.
  const double whole = gpu.gemm_seconds(11 * 128 * 8, 12 * 128 * 8, 8192, 1, "fp16");
  const double flops = 2.0 * (11 * 128 * 8) * (12 * 128 * 8) * 8192;
  EXPECT_GE(whole, flops / peak * 0.9999);
  EXPECT_LE(whole, flops / peak * 1.1);
  for (const std::int64_t m : {16, 17, 100, 128, 129, 1000, 4096})
    for (const std::int64_t n : {64, 1000, 4096, 11008})
      EXPECT_GE(gpu.gemm_seconds(m, n, 4096, 1, "fp16"), 2.0 * static_cast<double>(m * n) * 4096 / peak * 0.9999)
          << m << " x " << n;
}

TEST(gpu_model, wave_quantisation_one_tile_too_many_costs_a_wave) {
  gpu_params p;
  p.silicon.sms = 4;
  const gpu_model gpu(p);
  // 2 x 2 tiles of the largest shape fill the four SMs; a little more needs a second wave of some tile shape.
  EXPECT_GT(gpu.gemm_seconds(256 * 2 + 1, 128 * 2, 1 << 16, 1, "fp16"),
            1.05 * gpu.gemm_seconds(256 * 2, 128 * 2, 1 << 16, 1, "fp16"));
}

TEST(gpu_model, more_of_anything_is_never_slower) {
  const gpu_model base{gpu_params{}};
  gpu_params more;
  more.silicon.l2_bandwidth = bandwidth(more.silicon.l2_bandwidth.value * 2);
  const gpu_model faster(more);
  for (const std::int64_t m : {1, 8, 64, 512})
    EXPECT_LE(faster.gemm_seconds(m, 5120, 5120, 1, "fp16"), base.gemm_seconds(m, 5120, 5120, 1, "fp16"));
}

TEST(gpu_model, weights_that_fit_the_cache_are_read_once) {
  gpu_model gpu{gpu_params{}};
  const operation op = gemm(1, 1024, 1024);  // 2 MiB of weights, 50 MiB of L2
  EXPECT_EQ(gpu.plan(op).accesses.size(), 1u);
  EXPECT_EQ(gpu.plan(op).accesses.size(), 0u);
}

TEST(gpu_model, narrow_weights_cost_their_expansion) {
  gpu_model gpu{gpu_params{}};
  operation wide = gemm(1, 8192, 8192), narrow = wide;
  narrow.weight_bits = 4.5;
  const ps_t difference = gpu.plan(narrow).compute.sum() - gpu.plan(wide).compute.sum();
  EXPECT_NEAR(static_cast<double>(difference),
              gpu.params().silicon.dequant_ops * 8192 * 8192 / gpu.params().silicon.vector_rate.value * 1e12, 2);
}

// Two experts of a stack are different data, though they are parts of one tensor: both miss, and both stay.
TEST(gpu_model, parts_of_a_tensor_are_cached_apart) {
  gpu_model gpu{gpu_params{}};
  operation op = gemm(1, 1024, 1024);
  op.operands = {{1, traffic::weights, false, false, 0, 1 << 20},
                 {1, traffic::weights, false, false, 8 << 20, 1 << 20}};
  const auto bytes = [](const work& w) {
    std::int64_t sum = 0;
    for (const auto& a : w.accesses) sum += a.bytes;
    return sum;
  };
  EXPECT_EQ(bytes(gpu.plan(op)), 2 << 20);
  EXPECT_EQ(bytes(gpu.plan(op)), 0);
}

// 1e9 multiply-accumulates a row at 6.5 vector operations each on 66.9e12 a second.
TEST(gpu_model, thin_narrow_products_cost_by_the_row_on_integer_units) {
  gpu_params p;
  p.software.dot_rows = 8;
  const auto seconds = [&](std::int64_t m) {
    gpu_model gpu{p};
    operation op = gemm(m, 31250, 32000);
    op.weight_bits = 4.5;
    op.operands.clear();
    return static_cast<double>(gpu.plan(op).compute.sum()) * 1e-12;
  };
  EXPECT_NEAR(seconds(4), 4 * 6.5e9 / 66.9e12, 1e-9);
  EXPECT_NEAR(seconds(8), 8 * 6.5e9 / 66.9e12, 1e-9);
  EXPECT_LT(seconds(9), seconds(8)) << "beyond them the matrix units multiply";
  p.software.dot_rows = 1;
  p.software.dot_tile_ops = 2;
  EXPECT_NEAR(seconds(512), 512 * 2e9 / 66.9e12, 1e-9);
}

// Expanding: narrow weights read (4.5 bits), 16-bit ones written, at nine tenths of a memory of 1 TB/s; then the
// product.
TEST(gpu_model, expanded_weights_pass_through_memory) {
  gpu_params p;
  p.software.expand_rows = 64;
  gpu_model gpu{p}, plain{gpu_params{}};
  gpu.set_memory(1e12, 0);
  operation op = gemm(8192, 31250, 32000);
  op.operands.clear();
  const double whole = static_cast<double>(plain.plan(op).compute.sum()) * 1e-12;
  op.weight_bits = 4.5;
  const double expanded = static_cast<double>(gpu.plan(op).compute.sum()) * 1e-12;
  EXPECT_NEAR(expanded - whole, 1e9 * (16 + 4.5) / 8 / 0.9e12 + p.software.kernel_launch.value, 1e-9);
}

// Four devices: 6 steps; each sends 2 x 3/4 of the tensor. The protocol that ends first is taken:
//   flags in words: 8 us + 6 x 1 us + bytes / 20 GB/s;   buffers: 48 us + 6 x 1 us + bytes / 200 GB/s.
// They meet where bytes / 20 - bytes / 200 = 40 us GB/s, at 888,889 bytes sent.
TEST(gpu_model, an_all_reduce_takes_the_protocol_that_ends_first) {
  gpu_params p;
  p.software.collective_launch = duration(8e-6);
  p.software.collective_step = duration(1e-6);
  p.software.collective_rate = bandwidth(20e9);
  p.software.bulk_collective_launch = duration(48e-6);
  p.software.bulk_collective_rate = bandwidth(200e9);
  const auto plan = [&](std::int64_t sent) {
    operation op;
    op.kind = work_kind::collective;
    op.n = 6;
    op.operands.assign(2, {1, traffic::activations, true, false, 0, sent / 2});
    return gpu_model(p).plan(op);
  };
  EXPECT_EQ(plan(888'000).launch, 14'000'000);
  EXPECT_EQ(plan(888'000).result_bandwidth, 20e9);
  EXPECT_EQ(plan(890'000).launch, 54'000'000);
  EXPECT_EQ(plan(890'000).result_bandwidth, 200e9);
  p.software.collective_rate =
      bandwidth(0);  // what the links take: there is no other protocol then that could end first
  EXPECT_EQ(plan(1 << 30).launch, 14'000'000);
  EXPECT_EQ(plan(1 << 30).result_bandwidth, 0);
}

// Devices that read each other with loads at 100 GB/s, four of them: up to 2 MB of all together (0.5 MB each) each
// reads the other three's, 3 x 0.4 MB in 12 us behind 5 us of start. What is sent, 2 x 3/4 x 0.4 MB, is paced to that.
// More goes in two stages: 2 x 3/4 x 0.8 MB, 12 us too, behind 5 + 7 us. Two devices have nothing to gain from a second
// stage.
TEST(gpu_model, devices_that_read_each_other_reduce_in_one_stage_or_two) {
  gpu_params p;
  p.silicon.peer_rate = bandwidth(100e9);
  p.software.collective_launch = duration(100e-6);
  p.software.collective_step = duration(0);
  p.software.bulk_collective_rate = bandwidth(0);
  p.software.direct_launch = duration(5e-6);
  p.software.direct_stage = duration(7e-6);
  p.software.direct_inputs = byte_size(2e6);
  const auto seconds = [&](std::int64_t devices, std::int64_t bytes) {
    operation op;
    op.kind = work_kind::collective;
    op.n = 2 * (devices - 1);
    const std::int64_t sent = (devices - 1) * bytes / devices;
    op.operands.assign(2, {1, traffic::activations, true, false, 0, sent});
    const work w = gpu_model(p).plan(op);
    return static_cast<double>(w.launch) * 1e-12 + 2.0 * static_cast<double>(sent) / w.result_bandwidth;
  };
  EXPECT_NEAR(seconds(4, 400'000), 17e-6, 1e-11);
  EXPECT_NEAR(seconds(4, 500'000), 20e-6, 1e-11) << "just one stage";
  EXPECT_NEAR(seconds(4, 800'000), 24e-6, 1e-11);
  EXPECT_NEAR(seconds(2, 4'000'000), 45e-6, 1e-11);
  // Eight devices: 2 x 7/8 x 0.8 MB in two stages, 14 us; or 0.8 MB that the switch adds at 200 GB/s, 4 us, behind 9
  // us.
  EXPECT_NEAR(seconds(8, 800'000), 26e-6, 1e-11);
  p.silicon.multicast_rate = bandwidth(200e9);
  EXPECT_NEAR(seconds(8, 800'000), 26e-6, 1e-11) << "no kernel for it";
  p.software.multicast_launch = duration(9e-6);
  EXPECT_NEAR(seconds(8, 800'000), 13e-6, 1e-11);
  EXPECT_NEAR(seconds(8, 160'000), 16.2e-6, 1e-11) << "one stage: 7 x 0.16 MB";
  EXPECT_NEAR(seconds(4, 800'000), 24e-6, 1e-11) << "four devices read each other";
  // The library's own protocol where it ends first: 1 us and 400 kB x 1.5 at 100 GB/s.
  p.software.collective_launch = duration(1e-6);
  p.software.collective_rate = bandwidth(100e9);
  EXPECT_NEAR(seconds(4, 400'000), 7e-6, 1e-11);
  // Without NVLink there is nothing to read; and a runtime may have no such kernel.
  p.software.collective_launch = duration(100e-6);
  p.silicon.peer_rate = bandwidth(0);
  EXPECT_NEAR(seconds(4, 400'000), 106e-6, 1e-11);
  p.silicon.peer_rate = bandwidth(100e9);
  p.software.direct_launch = duration(0);
  EXPECT_NEAR(seconds(4, 400'000), 106e-6, 1e-11);
}

// 8 MB that an operator left in a cache of 64 MB cross it at 1 TB/s in 8 us. The first one is paced by the memory.
TEST(cpu_model, operands_that_hit_still_cross_the_cache) {
  cpu_params p;
  p.silicon.cache = byte_size(64e6);
  p.silicon.cache_bandwidth = bandwidth(1e12);
  cpu_model cpu(p);
  operation op;
  op.kind = work_kind::elementwise;
  op.operands.push_back({1, traffic::activations, false, false, 0, 8'000'000});
  EXPECT_EQ(cpu.plan(op).compute.sum(), 0);
  EXPECT_EQ(cpu.plan(op).compute.sum(), 8'000'000);
}

// What the cores of two clusters may take in: one port each.
TEST(cpu_model, clusters_bring_their_ports) {
  cpu_params p;
  p.silicon.cores = 16;
  p.silicon.cluster_cores = 8;
  p.silicon.cluster_bandwidth = bandwidth(64e9);
  for (const auto& [threads, ports] : {std::pair{1, 1}, std::pair{8, 1}, std::pair{9, 2}, std::pair{16, 2}}) {
    p.software.threads = threads;
    EXPECT_DOUBLE_EQ(cpu_model{p}.plan(gemm(1, 4096, 4096)).fill_bandwidth, ports * 64e9) << threads;
  }
}

// 2e9 operations at 27 a cycle on 8 cores of 5 GHz; overheads: 4 us and 8 x 0.5 us, 100 us more where a GPU made the
// input.
TEST(cpu_model, integer_kernels_and_barriers) {
  cpu_params p;
  p.silicon.cores = 8;
  p.silicon.clock = frequency(5e9);
  p.software.dot_per_cycle = 27;
  p.software.operator_overhead = duration(4e-6);
  p.software.barrier_per_thread = duration(0.5e-6);
  p.software.handoff = duration(100e-6);
  operation op = gemm(64, 31250, 500);
  op.weight_bits = 4.5;
  op.operands.clear();
  const work w = cpu_model{p}.plan(op);
  EXPECT_NEAR(static_cast<double>(w.compute.sum()) * 1e-12, 2e9 / (27 * 5e9 * 8), 1e-9);
  EXPECT_EQ(w.launch, 8'000'000);
  op.handed_over = true;
  EXPECT_EQ(cpu_model{p}.plan(op).launch, 108'000'000);
}

// 16 rows fill the tiles: half of 8 cores x 1,000 a cycle x 2 GHz; 15 go to the vector units, of two times the 32
// lanes' 100 a cycle.
TEST(cpu_model, matrix_tiles_need_their_rows) {
  cpu_params p;
  p.silicon.cores = 8;
  p.silicon.clock = frequency(2e9);
  p.silicon.flops_per_cycle = {{"fp32", 100}, {"bf16", 1000}};
  p.silicon.tile_rows = 16;
  p.silicon.half_lanes = 2;
  p.silicon.sustained_fraction = 0.5;
  p.software.gemm_fraction = 0.5;
  p.software.gemm_type = "operator";
  const auto seconds = [&](std::int64_t m) {
    operation op = gemm(m, 10'000, 5'000);
    op.type = "bf16";
    op.weight_bits = 16;
    op.operands.clear();
    return static_cast<double>(cpu_model{p}.plan(op).compute.sum()) * 1e-12;
  };
  EXPECT_NEAR(seconds(16), 16 * 1e8 / (0.5 * 0.5 * 8 * 1000 * 2e9), 1e-9);
  EXPECT_NEAR(seconds(15), 15 * 1e8 / (0.5 * 2 * 8 * 100 * 2e9), 1e-9);
}

TEST(cpu_model, outstanding_lines_grow_with_threads_up_to_the_cores) {
  cpu_params p;
  p.silicon.cores = 8;
  for (const std::int64_t threads : {1, 4, 8, 16}) {
    p.software.threads = threads;
    cpu_model cpu(p);
    EXPECT_EQ(cpu.plan(gemm(1, 4096, 4096)).window,
              std::min<std::int64_t>(threads, 8) * p.silicon.line_fill_buffers * 64);
  }
}

}  // namespace
