// SPDX-License-Identifier: Apache-2.0
// The memory wall must show, and move when the hardware changes.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using json = nlohmann::ordered_json;

namespace {

json run(const std::string& arguments) {
  const auto r = test::memwall("run --quiet --json " + arguments);
  EXPECT_EQ(r.exit_code, 0) << r.err;
  return r.exit_code == 0 ? r.json() : json();
}

double time_of(const json& r) {
  return r["summary"]["time_ns"];
}
double share(const json& r, const char* cause) {
  return r["stall_stack_ns"].contains(cause) ? r["stall_stack_ns"][cause].get<double>() / time_of(r) : 0.0;
}

const std::string decode_65b =
    "--platform von_neumann_h100 --model llama-65b --phase decode --batch 1 --context 2048 --dtype int4g32/fp16/fp16 ";

TEST(wall, decode_waits_for_memory_and_prefill_for_arithmetic) {
  const json decode = run(decode_65b);
  EXPECT_EQ(decode["summary"]["booked_most"], "memory");
  EXPECT_TRUE(decode["summary"]["bound_by"].is_null());  // nobody has looked
  const double bytes = decode["summary"]["dram_bytes"];
  const double datasheet = bytes / 3350e9 * 1e9;  // H100 SXM5: 3350 GB/s
  EXPECT_GE(time_of(decode), 1.00 * datasheet);
  EXPECT_LE(time_of(decode), 1.35 * datasheet);
  EXPECT_NEAR(decode["summary"]["dram_bandwidth_gbps"], bytes / time_of(decode), 1e-6 * bytes / time_of(decode));
  EXPECT_LT(decode["summary"]["flops"].get<double>() / (time_of(decode) * 1e-9) / 989.4e12, 0.05)
      << "arithmetic units nearly idle";
  for (const auto& m : decode["memories"])
    if (m["name"] == "hbm") {
      // Channels that move data, refresh, open rows or turn around are busy.
      const double idle = m["time_by_cause_ns"]["idle"].get<double>() / m["channels"].get<double>();
      EXPECT_LT(idle / time_of(decode), 0.2);
    }
  // Everything but the last of the KV cache and the norms is weights: about 34.2 GiB.
  EXPECT_NEAR(decode["summary"]["weight_bytes"].get<double>() / 1073741824.0, 34.2, 0.2);
  // One of its 80 equal layers is enough to see that.
  const json prefill =
      run("--platform von_neumann_h100 --model " + std::string(MEMWALL_SOURCE_DIR) +
          "/tests/platforms/data/one_layer_65b --phase prefill --batch 1 --prompt 2048 --dtype int4g32/fp16/fp16 ");
  EXPECT_EQ(prefill["summary"]["booked_most"], "compute");
}

TEST(wall, half_the_channels_take_twice_as_long_where_memory_binds) {
  // Without the limit of the socket's own port to memory, the channels bind.
  const std::string base =
      "--platform von_neumann_cpu --model gpt-2-xl --context 128 --dtype fp16 --set cpu.cache='1 MB' --set "
      "cpu.cluster_bandwidth='0 GB/s' ";
  const json all = run(base), half = run(base + "--set mem.channels=8");
  const double memory =
      share(all, "dram_data") + share(all, "dram_refresh") + share(all, "dram_row_miss") + share(all, "dram_queue");
  EXPECT_GT(memory, 0.5);
  EXPECT_GT(time_of(half) / time_of(all), 1.6);
  EXPECT_LT(time_of(half) / time_of(all), 2.1);
}

TEST(wall, a_narrow_bus_becomes_the_bottleneck) {
  const std::string base =
      "--platform von_neumann_cpu --model gpt-2-xl --context 128 --dtype fp16 --set cpu.cache='1 MB' ";
  // 64 B x 2 GHz = 128 GB/s, and half of it: both under the 307 GB/s of the memory.
  const json wide = run(base + "--set mesh.slices=1"),
             narrow = run(base + "--set mesh.slices=1 --set mesh.width='32 B'");
  EXPECT_EQ(narrow["summary"]["booked_most"], "bus");
  EXPECT_GT(time_of(narrow) / time_of(wide), 1.7);
  EXPECT_LT(time_of(narrow) / time_of(wide), 2.1);
  EXPECT_GT(narrow["summary"]["bus_utilization"].get<double>(), 0.9);
}

TEST(wall, a_second_initiator_raises_the_first_ones_waiting_time) {
  const test::temp_dir dir;
  std::ofstream(dir / "two.yaml") << R"(base: von_neumann_cpu
modules:
  mesh: {slices: 1}
  dma: {type: traffic_generator, memory: mem, rate: 100 GB/s, transfer_size: 4 KiB, outstanding: 64}
connect:
  - [cpu, mesh]
  - [dma, mesh]
  - [mesh, mem]
)";
  const std::string work = " --model gpt-2 --context 128 --set cpu.cache='1 MB'";
  const json alone = run("--platform von_neumann_cpu --set mesh.slices=1" + work),
             both = run("--platform " + dir / "two.yaml" + work);
  const double before = alone["buses"][0]["wait_ns"]["cpu"]["mean"], after = both["buses"][0]["wait_ns"]["cpu"]["mean"];
  EXPECT_GT(after, before);
  EXPECT_GT(time_of(both), 1.2 * time_of(alone));
  EXPECT_GT(both["buses"][0]["wait_matrix_ns"]["cpu"]["dma"].get<double>(), 0);
}

// Weights streamed over PCIe that a second initiator uses too: who waited for whom is measured on the link as on a bus.
TEST(wall, contention_on_a_link_is_measured_as_on_a_bus) {
  const test::temp_dir dir;
  const char* head = R"(base: von_neumann_rtx4090
modules:
  dma: {type: traffic_generator, memory: host_mem, rate: 100 GB/s, transfer_size: 4 KiB, outstanding: 64}
connect:
  - [cpu, host_bus]
  - [host_bus, host_mem]
  - [gpu, fabric]
  - [dma, fabric]
  - [fabric, gddr]
  - [fabric, pcie]
  - [pcie, host_bus]
mapping:
  - {executor: gpu, weights: host_mem, kv_cache: gddr, activations: gddr}
)";
  std::ofstream(dir / "two.yaml") << head;
  const std::string work = " --model gpt-2 --context 128";
  const json alone = run("--platform " + dir / "two.yaml" + work + " --set dma.rate='1 MB/s'"),
             both = run("--platform " + dir / "two.yaml" + work);
  EXPECT_GT(time_of(both), 1.5 * time_of(alone));  // both want all of it: each gets half
  const json& link = both["links"][0];
  ASSERT_EQ(link["name"], "pcie");
  for (const char* who : {"gpu", "dma"}) {
    const json& wait = link["wait_ns"][who];
    std::int64_t counted = 0;
    for (const auto& bin : wait["histogram"]) counted += bin[1].get<std::int64_t>();
    EXPECT_EQ(counted, wait["transfers"].get<std::int64_t>()) << who;
    EXPECT_GE(wait["p99"].get<double>(), wait["p50"].get<double>());
    double matrix = 0;
    for (const auto& [blocker, time] : link["wait_matrix_ns"][who].items()) matrix += time.get<double>();
    EXPECT_NEAR(matrix, wait["total"].get<double>(), 0.02 * matrix) << who;
  }
  EXPECT_GT(link["wait_ns"]["gpu"]["mean"].get<double>(), alone["links"][0]["wait_ns"]["gpu"]["mean"].get<double>());
  EXPECT_GT(link["wait_matrix_ns"]["gpu"]["dma"].get<double>(), 0);
  EXPECT_GT(link["wait_matrix_ns"]["dma"]["gpu"].get<double>(), 0);
  EXPECT_GT(link["occupancy"]["values"].size(), 0u);
}

// A GPU's NVLinks together, from the data sheets (A100: 300 GB/s a direction, H100: 450), packets of 256 + 16 bytes. An
// all-reduce of a prompt's activations over four devices moves 2 x 3 / 4 of them over each device's links.
TEST(wall, all_reduce_runs_at_the_rate_of_the_data_sheet) {
  const json a100 =
      run("--platform von_neumann_a100x8 --set software=fused --set gpu.count=4 --set hbm.count=4 --set fabric.count=4 "
          "--set pcie.count=4 --set nvlink_up.count=4 --set nvlink_down.count=4"
          " --set gpu.collective_rate='0 GB/s' --set gpu.bulk_collective_rate='0 GB/s'"  // the links alone
          " --model gpt-2 --phase prefill --batch 8 --prompt 1024");
  const json h100 = run("--platform von_neumann_h100x2 --model gpt-2 --context 64");
  const auto check = [](const json& r, double gbps) {
    for (const auto& l : r["links"]) {
      if (l["name"].get<std::string>().rfind("nvlink", 0) != 0) continue;
      EXPECT_NEAR(l["peak_gbps"].get<double>(), gbps * 256 / 272, 0.01) << l["name"];
    }
  };
  check(a100, 300);
  check(h100, 450);
  const double bytes = 2.0 * 3 / 4 * 8192 * 768 * 2, closed_form = bytes / (300 * 256.0 / 272);
  for (const auto& l : a100["layers"]) {
    if (l["name"] != "layers.5.mlp.down") continue;
    const double link = l["stall_stack_ns"]["link"];
    EXPECT_GT(link, 0.9 * closed_form);
    EXPECT_LT(link, 1.3 * closed_form);  // and the links' latencies
  }
}

TEST(wall, resident_weights_do_not_move_and_streamed_ones_do) {
  const std::string work = " --model llama-2-7b --context 128 --dtype int8/int8/int8";
  const json analog = run("--platform cim_analog" + work), sram = run("--platform cim_sram" + work);
  const double weights = analog["summary"]["weight_bytes"];
  EXPECT_LT(analog["conservation"]["operators"]["weights"].get<double>(), 0.01 * weights)
      << "only norms and one row of the embedding";
  EXPECT_GT(sram["conservation"]["operators"]["weights"].get<double>(), 0.9 * weights)
      << "64 MiB of macros do not hold 7 GB";
  EXPECT_GT(time_of(sram), 2 * time_of(analog));
}

TEST(wall, compute_in_memory_loses_with_batch) {
  const auto ratio = [](int batch) {
    const std::string work = " --model llama-2-7b --context 64 --dtype int8/int8/int8 --batch " + std::to_string(batch);
    return time_of(run("--platform cim_dram" + work)) / time_of(run("--platform von_neumann_h100" + work));
  };
  EXPECT_GT(ratio(64), 4 * ratio(1)) << "vectors go through the banks one by one, the GPU reuses its weights";
}

TEST(wall, what_does_not_fit_is_refused_with_the_arithmetic) {
  const auto r = test::memwall("run --platform von_neumann_h100 --model llama-65b --dtype fp16 --quiet");
  EXPECT_EQ(r.exit_code, 3);
  EXPECT_NE(r.err.find("missing"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("int4g32"), std::string::npos) << r.err;
}

}  // namespace
