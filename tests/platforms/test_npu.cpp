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

// What `fit` counts on is what `run` has.
TEST(npu_presets, have_the_memory_that_fit_says) {
  for (const char* name : {"npu_64tops", "npu_rk3588", "npu_rk3576", "npu_xdna2", "npu_hexagon", "npu_n150",
                           "npu_gaudi2", "npu_tpu_v5e", "npu_tpu_v6e"}) {
    const auto fit = test::memwall("fit --json --model llama-3.2-1b --device " + std::string(name));
    ASSERT_EQ(fit.exit_code, 0) << fit.err;
    const json r = run(name, mini + "--context 64");
    EXPECT_EQ(fit.json()["devices"][0]["memory_bytes"], r["machine"]["memory_capacity_bytes"]) << name;
    EXPECT_NEAR(fit.json()["devices"][0]["bandwidth_gbps"].get<double>(),
                r["machine"]["memory_bandwidth_gbps"].get<double>(),
                0.01 * r["machine"]["memory_bandwidth_gbps"].get<double>())
        << name;
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

// Law 4, over what an architect turns first. Automatic transfers begin with a quarter of what may be under way: where
// more may be, the arrays begin later by what that takes, 1 us an operator; that is the tolerance.
TEST(npu, better_parts_never_make_it_slower) {
  const double before = time_of(run("npu_64tops", prompt)), token_before = time_of(run("npu_64tops", token));
  for (const char* better :
       {"npu.rows=128", "npu.columns=96", "npu.arrays=8", "npu.scratchpad='24 MiB'", "npu.dma_engines=8",
        "npu.dma_bandwidth='128 GB/s'", "npu.dma_descriptors=64", "npu.vector_rate='4 TOPS'", "npu.launch='1 us'",
        "mem.channels=16", "npu.retained='8 MiB'", "npu.bank_width='16 B'"}) {
    const bool more_under_way = std::string(better).find("npu.dma_") == 0;
    EXPECT_LE(time_of(run("npu_64tops", prompt + "--set " + better)), (more_under_way ? 1.005 : 1.001) * before)
        << better;
    EXPECT_LE(time_of(run("npu_64tops", token + "--set " + better)), 1.001 * token_before) << better;
  }
}

// One product of 256 x 128 x 256 bytes on 32 x 32 elements at 1 GHz, output-stationary, tiles of 32 x 32 x 128: the
// order mnk asks for the inputs 128 / 32 times and for the weights 256 / 32 times, 524,288 bytes in 64 tiles.
struct one_product {
  explicit one_product(const std::string& npu) {
    std::ofstream(dir / "product.jsonl")
        << R"({"memwall_trace":1,"model":"gemm","origin":"test","workload":{"phase":"prefill","batch":1,"prompt":256,)"
        << R"("context":256,"tokens":1,"prefill_chunk":0,"dtype":"int8/int8/int8","seed":1}})" << '\n'
        << R"({"tensor":"w","class":"weights","dtype":"int8","shape":[128,256]})" << '\n'
        << R"({"tensor":"x","class":"activations","dtype":"int8","shape":[256,256]})" << '\n'
        << R"({"tensor":"y","class":"activations","dtype":"int8","shape":[256,128]})" << '\n'
        << R"({"op":"product","id":0,"kind":"gemm","layer":0,"phase":"prefill","m":256,"n":128,"k":256,)"
        << R"("matmul_flops":16777216,"reads":["x","w"],"writes":["y"]})" << '\n'
        << R"({"end":1})" << '\n';
    std::ofstream(dir / "map.csv") << "m,n,k,order,tile_m,tile_n,tile_k\n256,128,256,mnk,32,32,128\n";
    std::ofstream(dir / "npu.yaml") << "base: npu_64tops\nmodules:\n  npu: {rows: 32, columns: 32, arrays: 1, clock: 1 "
                                       "GHz, dataflow: output, folds: serial, scratchpad: 24 KiB, retained: 0 KiB, "
                                       "dma_engines: 1, descriptor_bytes: 256 B, launch: 0 us, load_latency: 1 ns, "
                                    << npu << "}\n";
  }
  json operator()(const std::string& more = "") const {
    return run(dir / "npu.yaml", " --trace " + (dir / "product.jsonl") + " --set npu.mapping=" + (dir / "map.csv") +
                                     " --quiet --json " + more);
  }
  test::temp_dir dir;
};

// SCALE-Sim's stored run of this product moves 10 words a cycle and each fold's operands again: 52,447 cycles with
// stalls, where the arrays need 10,175 (12,159 in two halves of K). 524,288 / 10 are 52,429.
TEST(npu, stalls_of_a_small_scratchpad_are_those_of_scale_sim) {
  const one_product product("dma_bandwidth: 10 GB/s");
  const json r = product();
  EXPECT_EQ(r["summary"]["dram_bytes"].get<double>(), 524288 + 256 * 128);
  EXPECT_NEAR(time_of(r) / 52447, 1, 0.005);
  EXPECT_NEAR(booked(r, "compute"), 64 * (32 + 32 + 128 - 2) - 1, 0.5);
  EXPECT_GT(booked(r, "core_requests"), 0.6 * time_of(r));
}

// With one buffer nothing overlaps: 64 times 8192 bytes at 10 GB/s, the way to the memory and back, and 190 cycles. The
// way takes 64.6 ns at least (the bus 20, the DRAM's first word 43).
TEST(npu, one_buffer_loses_the_overlap_whatever_the_transfers) {
  const one_product product("double_buffer: false, dma_bandwidth: 10 GB/s");
  const double apart = 52429 + 64 * 190;
  for (const char* size : {"", "--transfer-bytes burst"}) {
    const json r = product(size);
    EXPECT_GT(time_of(r), apart + 64 * 60) << size;
    EXPECT_LT(time_of(r), apart + 64 * 130) << size;
  }
  // A memory slower than the engines loses it just as well: 64 bursts of 128 B a tile cannot hide behind the arrays.
  const one_product slow("double_buffer: false, dma_bandwidth: 100 GB/s"), both("dma_bandwidth: 100 GB/s");
  EXPECT_GT(time_of(slow("--set mem.channels=1")), time_of(both("--set mem.channels=1")) + 0.9 * 64 * 190);
}

TEST(npu, what_no_one_means_is_an_error_with_its_place) {
  const auto says = [](const std::string& more, const std::string& text) {
    const auto r = test::memwall("run --platform npu_64tops" + token + more);
    EXPECT_EQ(r.exit_code, 2) << more;
    EXPECT_NE(r.err.find(text), std::string::npos) << more << ": " << r.err;
  };
  says("--set npu.rows=0", "npu.rows: got 0, out of range (expected 1 to 4096)");
  says("--set npu.arrays=1099511627776", "out of range");
  says("--set npu.dataflow=diagonal", "output | weight | input | any");
  says("--set npu.scratchpad='1 KiB'", "tiles of a product 1 x 3072 x 2048 take 2304 B, there are 1024 B");
  says("--set npu.scratchpad=5", "a number with a unit of size");
  says("--set npu.roows=3", "unknown key of 'npu'");
  says("--set npu.type_rate='{int9: 1}'", "did you mean 'int8'?");
  const test::temp_dir dir;
  const auto mapping = [&](const std::string& lines, const std::string& text) {
    std::ofstream(dir / "map.csv") << lines;
    says("--set npu.mapping=" + (dir / "map.csv"), text);
  };
  const std::string head = "m,n,k,order,tile_m,tile_n,tile_k\n";
  mapping("m,n,k,order,tilem,tile_n,tile_k\n", "map.csv:1: has the columns");
  mapping(head + "0,0,0,abc,1,1,1\n", "map.csv:2: order: got 'abc'");
  mapping(head + "0,0,0,mnk,-1,1,1\n", "map.csv:2: tile_m: got '-1'");
  mapping(head + "0,0,0,mnk,99999999999999999999,1,1\n", "map.csv:2: tile_m: got '99999999999999999999'");
  mapping(head + "0,0,0,mnk,1,1\n", "map.csv:2: 6 cells under 7 columns");
  mapping(head + "0,0,0,mnk,0,0,0\n", "map.csv:2: scratchpad: ");
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
