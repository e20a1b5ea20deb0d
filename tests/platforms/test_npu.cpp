// SPDX-License-Identifier: Apache-2.0
// NPUs through the program: presets, where the time goes, neighbours on the same memory.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "platforms/describe/description.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using json = nlohmann::ordered_json;

namespace {

const std::string mini =
    " --model " + std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/mini --dtype int8/fp16/fp16 --quiet --json ";
const std::string examples = std::string(MEMWALL_SOURCE_DIR) + "/tools/examples/";

json run(const std::string& platform, const std::string& more) {
  const auto r = test::memwall("run --platform " + platform + more);
  EXPECT_EQ(r.exit_code, 0) << platform << more << ": " << r.err;
  return r.json();
}

double time_of(const json& r) {
  return r["summary"]["time_ns"].get<double>();
}

double booked(const json& r, const char* cause) {
  return r["stall_stack_ns"].value(cause, 0.0);
}

std::vector<std::string> npus() {
  std::vector<std::string> out;
  for (const auto& name : platforms::platform_names())
    if (name.rfind("npu_", 0) == 0) out.push_back(name);
  return out;
}

TEST(npu_presets, are_the_chips_that_are_promised) {
  const auto all = npus();
  for (const char* name :
       {"npu_64tops", "npu_rk3588", "npu_rk3576", "npu_xdna2", "npu_hexagon", "npu_inferentia2", "npu_trainium",
        "npu_n150", "npu_n300", "npu_quietbox", "npu_gaudi2", "npu_sn40l", "npu_tpu_v5e", "npu_tpu_v6e"})
    EXPECT_NE(std::find(all.begin(), all.end(), name), all.end()) << name;
}

// A token reads every weight but the embedding table's rows once: no chip is faster than that allows.
TEST(npu_presets, obey_the_roofline) {
  for (const auto& name : npus()) {
    const json r = run(name, mini + "--context 256");
    const double seconds = time_of(r) * 1e-9, bytes = r["summary"]["dram_bytes"].get<double>();
    double peak = 0;
    for (const auto& m : r["memories"]) peak += m["peak_gbps"].get<double>() * 1e9;
    EXPECT_LE(bytes / seconds, peak) << name;
    EXPECT_LE(r["summary"]["dram_utilization"].get<double>(), 1.0) << name;
    for (const auto& e : r["executors"])
      if (e["kind"] == "npu") {
        EXPECT_LE(e["figures"]["achieved_tops"].get<double>(), e["figures"]["peak_tops"].get<double>()) << name;
      }
  }
}

const std::string token = " --model llama-3.2-1b --dtype int8/fp16/fp16 --context 512 --quiet --json ";
const std::string prompt = " --model llama-3.2-1b --dtype int8/fp16/fp16 --phase prefill --prompt 256 --quiet --json ";

TEST(npu, descriptors_that_run_out_are_the_core_s_requests) {
  const json base = run("npu_64tops", token);
  const json few = run("npu_64tops", token + "--set npu.dma_descriptors=1 --set npu.load_latency='2 us'");
  // Four engines with one descriptor of 4 KiB over 2 us: 8.2 GB/s for 1.24 GB of weights, but for the embedding 1.24
  // GB.
  EXPECT_GT(booked(few, "core_requests"), 0.5 * time_of(few));
  EXPECT_NEAR(few["summary"]["dram_bytes"].get<double>() / time_of(few), 4 * 4096 / 2000.0, 0.8);
  EXPECT_LT(booked(base, "core_requests"), 0.1 * time_of(base));
}

TEST(npu, a_stride_that_meets_one_bank_shows_as_the_core_s_requests) {
  const json base = run("npu_64tops", prompt);
  const json strided = run("npu_64tops", prompt + "--set npu.scratchpad_layout=row_major");
  EXPECT_GT(time_of(strided), 2 * time_of(base));
  EXPECT_GT(booked(strided, "core_requests"), 0.5 * time_of(strided));
}

TEST(npu, a_small_scratchpad_moves_more) {
  const json base = run("npu_64tops", prompt), small = run("npu_64tops", prompt + "--set npu.scratchpad='128 KiB'");
  EXPECT_GT(small["summary"]["dram_bytes"].get<double>(), 1.5 * base["summary"]["dram_bytes"].get<double>());
  EXPECT_GT(time_of(small), time_of(base));
  EXPECT_GT(small["executors"][0]["figures"]["product_bytes_over_bound"].get<double>(), 1);
}

// Law 4, over what an architect turns first.
TEST(npu, better_parts_never_make_it_slower) {
  const double before = time_of(run("npu_64tops", prompt)), token_before = time_of(run("npu_64tops", token));
  for (const char* better :
       {"npu.arrays=8", "npu.scratchpad='24 MiB'", "npu.dma_descriptors=64", "npu.vector_rate='4 TOPS'",
        "npu.launch='1 us'", "mem.channels=16", "npu.retained='8 MiB'", "npu.bank_width='16 B'"}) {
    EXPECT_LE(time_of(run("npu_64tops", prompt + "--set " + better)), 1.01 * before) << better;
    EXPECT_LE(time_of(run("npu_64tops", token + "--set " + better)), 1.01 * token_before) << better;
  }
}

TEST(npu, a_mapping_from_a_file_is_what_runs) {
  const test::temp_dir dir;
  std::ofstream(dir / "map.csv") << "m,n,k,order,tile_m,tile_n,tile_k\n0,0,0,mnk,64,64,64\n";
  const json own = run("npu_64tops", prompt + "--set npu.mapping=" + (dir / "map.csv")),
             base = run("npu_64tops", prompt);
  EXPECT_EQ(own["executors"][0]["figures"]["mappings"][0]["tile"], json({64, 64, 64}));
  EXPECT_GT(own["summary"]["dram_bytes"].get<double>(), base["summary"]["dram_bytes"].get<double>());
  const auto bad = test::memwall("run --platform npu_64tops" + token + "--set npu.mapping=" + (dir / "none.csv"));
  EXPECT_EQ(bad.exit_code, 2) << bad.err;
}

// Four parties on one memory: the NPU waits for the programs' reads, by as much as they take.
TEST(npu, shares_its_memory_with_cpu_gpu_and_programs) {
  const std::string soc = examples + "npu_soc.yaml";
  const json quiet = run(soc, token + "--set programs.rate='1 MB/s'"), busy = run(soc, token);
  // 20 of 136 GB/s are the programs'.
  EXPECT_GT(time_of(busy), 1.05 * time_of(quiet));
  EXPECT_LT(time_of(busy), 1.5 * time_of(quiet));
  EXPECT_GT(busy["buses"][0]["wait_matrix_ns"]["npu"]["programs"].get<double>(), 0);
  for (const auto& e : busy["executors"]) EXPECT_GT(e["operations"].get<int>(), 0) << e["name"];
}

TEST(npu, decodes_beside_the_banks_of_a_memory_that_computes) {
  const std::string pim = examples + "npu_with_pim.yaml";
  const json r = run(pim, token);
  for (const auto& e : r["executors"])
    if (e["kind"] == "cim") {
      EXPECT_GT(e["operations"].get<int>(), 0);
    }
  const json on_npu =
      run(pim, token + "--set mapping='[{executor: npu, weights: mem, kv_cache: mem, activations: mem}]'");
  EXPECT_LT(time_of(r), time_of(on_npu)) << "1 TB/s a chip inside against 64 GB/s outside";
}

}  // namespace
