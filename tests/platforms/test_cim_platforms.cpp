// SPDX-License-Identifier: Apache-2.0
// Compute-in-memory platforms through the program: every preset, where things are placed, what waits for what.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

const std::string mini =
    " --model " + std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/mini --dtype int8/fp16/fp16 ";

json run(const std::string& arguments) {
  const auto r = test::memwall("run --quiet --json " + arguments);
  EXPECT_EQ(r.exit_code, 0) << r.err;
  return r.exit_code == 0 ? r.json() : json();
}

std::int64_t ps(const json& nanoseconds) {
  return std::llround(nanoseconds.get<double>() * 1000);
}
std::int64_t sum(const json& stack) {
  std::int64_t total = 0;
  for (const auto& part : stack) total += ps(part);
  return total;
}

std::vector<std::string> presets() {
  std::set<std::string> out;
  for (const auto& f : fs::directory_iterator(std::string(MEMWALL_SOURCE_DIR) + "/platforms/presets")) {
    const std::string name = f.path().stem().string();
    if (name.rfind("cim_", 0) == 0 || name.rfind("hybrid_", 0) == 0) out.insert(name);
  }
  return {out.begin(), out.end()};
}

const json& executor(const json& r, const std::string& kind) {
  for (const auto& e : r["executors"])
    if (e["kind"] == kind) return e;
  throw std::runtime_error("no executor of kind " + kind);
}

class cim_preset : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(all, cim_preset, testing::ValuesIn(presets()), [](const auto& i) { return i.param; });

// Laws 2 and 3, the ceiling of the arrays, energy that adds up by component, and a reason for every placement.
TEST_P(cim_preset, runs_and_adds_up) {
  const json r = run("--platform " + GetParam() + mini + "--context 256 --batch 2");
  ASSERT_FALSE(r.is_null());
  EXPECT_EQ(sum(r["stall_stack_ns"]), ps(r["summary"]["time_ns"]));
  EXPECT_EQ(r["conservation"]["executors"], r["conservation"]["memories"]);
  const json& core = executor(r, "cim");
  const json& f = core["figures"];
  EXPECT_GT(f["macro_tops"].get<double>(), 0);
  EXPECT_GE(f["peak_tops"].get<double>(), f["macro_tops"].get<double>() * f["macros"].get<double>() * 0.9999);
  EXPECT_LE(f["achieved_tops"].get<double>(), f["peak_tops"].get<double>());
  double parts = 0, all = 0;
  for (const auto& [name, pj] : r["energy"]["by_component_pj"].items()) {
    EXPECT_GE(pj.get<double>(), 0) << name;
    all += pj.get<double>();
    if (name.rfind(core["name"].get<std::string>() + ".", 0) == 0) parts += pj.get<double>();
  }
  EXPECT_NEAR(parts / core["energy_pj"].get<double>(), 1, 1e-9);
  EXPECT_NEAR(all / r["summary"]["energy_pj"].get<double>(), 1, 1e-9);
  ASSERT_FALSE(r["placement"]["decisions"].empty());
  std::set<std::string> placed;
  for (const auto& d : r["placement"]["decisions"]) {
    placed.insert(d["what"]);
    EXPECT_FALSE(d["why"].get<std::string>().empty());
    EXPECT_GT(d["bytes"].get<std::int64_t>(), 0);
  }
  EXPECT_EQ(placed, (std::set<std::string>{"activations", "kv_cache", "weights"}));
}

TEST_P(cim_preset, refuses_wrong_parameters) {
  const std::string name = GetParam(), core = name.rfind("hybrid_", 0) == 0 ? "pim" : "cim";
  const auto refused = [&](const std::string& set, const std::string& says) {
    const auto r = test::memwall("run --quiet --platform " + name + mini + "--set " + set);
    EXPECT_EQ(r.exit_code, 2) << set << ": " << r.err;
    EXPECT_NE(r.err.find(says), std::string::npos) << set << ": " << r.err;
  };
  refused(core + ".macro=hermess", "did you mean 'hermes'");
  refused(core + ".hierarchy.chps=3", "did you mean 'chips'");
  refused(core + ".hierarchy.chips=0", "out of range");
  refused(core + ".attention=banks", "auto");
  refused(core + ".max_replicas=0", "out of range");
  refused(core + ".pipeline=perhaps", "pipeline");
  refused(core + ".vector_rate=-1TOPS", "vector_rate");
}

// LLaMA-65B in crossbars of 256 x 256, by layer: 96 x 32 for queries, keys and values, 32 x 32 behind attention, 172 x
// 32 and 86 x 32 in the feed-forward; 125 x 32 for the output. Four of eight bits in each cell are half of the bytes.
TEST(cim_platforms, four_bit_weights_take_a_cell_each) {
  const json r = run("--platform cim_analog --model llama-65b --dtype int4 --context 128");
  const json& cim = r["placement"]["memories"][1];
  ASSERT_EQ(cim["name"], "cim");
  EXPECT_DOUBLE_EQ(cim["cells_used"].get<double>(), (80.0 * (96 + 32 + 172 + 86) * 32 + 125 * 32) / (16384 * 64));
  EXPECT_LT(cim["used_bytes"].get<double>() / cim["capacity_bytes"].get<double>(), 0.5);
  EXPECT_FALSE(r["placement"]["memories"][0].contains("cells_used"));
}

// Prefill on the GPU, decode beside the banks of the same memory.
TEST(cim_hybrid, each_phase_runs_where_the_mapping_says) {
  const json r = run("--platform hybrid_gpu_hbm_pim" + mini + "--phase both --prompt 64 --tokens 2");
  std::size_t prefill = 0, decode = 0;
  bool decoding = false;
  for (const auto& l : r["layers"]) {
    decoding = decoding || l["executor"] == "pim";
    EXPECT_EQ(l["executor"], decoding ? "pim" : "gpu") << l["name"];
    ++(decoding ? decode : prefill);
  }
  EXPECT_GT(prefill, 0U);
  EXPECT_NEAR(static_cast<double>(decode), 2.0 * static_cast<double>(prefill), 2) << "two tokens behind one prompt";
  // The GPU fetches weights as the units hold them, FP16: twice the bytes of INT8.
  EXPECT_NEAR(executor(r, "gpu")["read_bytes"]["weights"].get<double>() / r["summary"]["weight_bytes"].get<double>(), 2,
              0.6);
  EXPECT_LT(executor(r, "cim")["read_bytes"]["weights"].get<double>(),
            0.02 * r["summary"]["weight_bytes"].get<double>())
      << "norms, rows of the embedding";
}

// A host that reads the memory while its banks compute: it waits for them, and they for it, and both show.
TEST(cim_banks, the_host_and_the_banks_wait_for_each_other) {
  const test::temp_dir dir;
  std::ofstream(dir / "shared.yaml") << R"(base: cim_dram
modules:
  host: {type: traffic_generator, memory: mem, rate: 20 GB/s, transfer_size: 4 KiB, outstanding: 16}
connect:
  - [cim, fabric]
  - [host, fabric]
  - [fabric, mem]
)";
  const json alone = run("--platform cim_dram" + mini + "--context 256"),
             shared = run("--platform " + dir / "shared.yaml" + mini + "--context 256");
  EXPECT_EQ(alone["memories"][0]["banks"]["delayed_transfers"], 0);
  const json& banks = shared["memories"][0]["banks"];
  EXPECT_GT(banks["delayed_transfers"].get<int>(), 0);
  EXPECT_GT(banks["delayed_ns"].get<double>(), 0);
  EXPECT_LE(banks["computing_ns"].get<double>(), shared["summary"]["time_ns"].get<double>());
  EXPECT_GT(shared["summary"]["time_ns"].get<double>(), alone["summary"]["time_ns"].get<double>());
  EXPECT_GT(shared["stall_stack_ns"]["dram_queue"].get<double>(), alone["stall_stack_ns"].value("dram_queue", 0.0));
  EXPECT_EQ(sum(shared["stall_stack_ns"]), ps(shared["summary"]["time_ns"]));
}

// Two devices, each a GPU with macros in the banks of its own stacks: `memory: hbm` means the stack with the same
// number.
TEST(cim_banks, each_of_a_group_sits_in_its_own_memory) {
  const test::temp_dir dir;
  std::ofstream(dir / "two.yaml") << R"(base: von_neumann_h100x2
modules:
  hbm: {standard: HBM2, channels: 64, size: 16 GiB}
  pim:
    type: cim
    count: 2
    macro: hbm_pim
    memory: hbm
    in_bits: 16
    hierarchy: {macros_per_tile: 16, tiles_per_chip: 1, chips: 4}
connect:
  - [cpu, host_bus]
  - [host_bus, host_mem]
  - [gpu, fabric]
  - [pim, fabric]
  - [fabric, hbm]
  - [fabric, pcie]
  - [pcie, host_bus]
  - [fabric, nvlink_up]
  - [nvlink_up, nvswitch]
  - [nvswitch, nvlink_down]
  - [nvlink_down, fabric]
mapping:
  - {phase: prefill, executor: gpu, weights: hbm, kv_cache: hbm, activations: hbm}
  - {executor: pim, weights: hbm, kv_cache: hbm, activations: hbm}
)";
  const json r = run("--platform " + dir / "two.yaml" + mini + "--phase both --prompt 32 --tokens 1");
  std::vector<std::int64_t> computing;
  for (const auto& m : r["memories"])
    if (m["name"] == "hbm0" || m["name"] == "hbm1") computing.push_back(ps(m["banks"]["computing_ns"]));
  ASSERT_EQ(computing.size(), 2U);
  EXPECT_GT(computing[0], 0);
  EXPECT_EQ(computing[0], computing[1]) << "halves of every product";
  EXPECT_EQ(r["config"]["platform"]["modules"]["pim"]["memory"], "hbm");
  std::ofstream(dir / "again.json") << r.dump();
  EXPECT_EQ(run("--platform " + dir / "again.json" + mini + "--phase both --prompt 32 --tokens 1")["summary"],
            r["summary"]);
}

// Keys and values written into arrays at each use: their cells wear and the writing shows; on vector units neither.
TEST(cim_attention, is_placed_where_it_is_told_at_its_cost) {
  const json vector = run("--platform cim_analog" + mini + "--context 256");
  const json written = run("--platform cim_analog --set cim.attention=macros" + mini + "--context 256");
  EXPECT_EQ(vector["stall_stack_ns"].value("cim_program", 0.0), 0);
  EXPECT_GT(written["stall_stack_ns"]["cim_program"].get<double>(), 0.5 * written["summary"]["time_ns"].get<double>());
  EXPECT_EQ(executor(vector, "cim")["figures"]["endurance_used_per_day"], 0.0);
  EXPECT_GT(executor(written, "cim")["figures"]["endurance_used_per_day"].get<double>(), 0);
  EXPECT_EQ(written["conservation"]["operators"]["kv_cache"], vector["conservation"]["operators"]["kv_cache"])
      << "the cache crosses the bus either way";
  // Beside the banks it does not; on the vector unit it does, as wide as the units hold it.
  const json beside = run("--platform cim_dram" + mini + "--context 256"),
             apart = run("--platform cim_dram --set cim.attention=vector" + mini + "--context 256");
  EXPECT_LT(beside["conservation"]["operators"]["kv_cache"].get<double>(),
            0.1 * apart["conservation"]["operators"]["kv_cache"].get<double>());
}

TEST(cim_pipelining, a_prompt_flows_through_the_arrays) {
  const std::string work = "--platform cim_analog" + mini + "--phase prefill --prompt 256 ";
  const json on = run(work), off = run(work + "--set cim.pipeline=false"),
             copies = run(work + "--set cim.max_replicas=16");
  const auto gemm = [](const json& r) {
    double t = 0;
    for (const auto& k : r["by_kind"])
      if (k["kind"] == "gemm") t += k["time_ns"].get<double>();
    return t;
  };
  EXPECT_LT(gemm(on), 0.8 * gemm(off));
  EXPECT_LT(gemm(copies), 0.5 * gemm(on));
  EXPECT_GT(copies["placement"]["programming"]["cell_writes"].get<double>(),
            10 * on["placement"]["programming"]["cell_writes"].get<double>());
}

TEST(cim_placement, caches_in_arrays_and_weights_too_wide_are_refused) {
  const test::temp_dir dir;
  std::ofstream(dir / "p.yaml")
      << "base: cim_analog\nmapping:\n  - {executor: cim, weights: mem, kv_cache: cim, activations: mem}\n";
  auto r = test::memwall("run --quiet --platform " + dir / "p.yaml" + mini);
  EXPECT_EQ(r.exit_code, 2) << r.err;
  EXPECT_NE(r.err.find("arrays hold weights"), std::string::npos) << r.err;
  r = test::memwall("run --quiet --platform cim_analog --model gpt-2 --context 64 --dtype fp16");
  EXPECT_EQ(r.exit_code, 3) << r.err;
  EXPECT_NE(r.err.find("weights have 16 bits, its macros take at most 8"), std::string::npos) << r.err;
  // Its biases stay 16 bits wide: they are added beside the arrays.
  // The table it shares with lm_head is in the arrays, and once more in the memory for its rows: nothing is written per
  // token.
  const json tied = run("--platform cim_analog --model gpt-2 --context 64 --dtype int8/fp16/fp16");
  EXPECT_EQ(tied["stall_stack_ns"].value("cim_program", 0.0), 0);
  EXPECT_GT(tied["conservation"]["operators"]["weights"].get<double>(), 0) << "rows of the table";
  EXPECT_LT(tied["conservation"]["operators"]["weights"].get<double>(),
            0.01 * tied["summary"]["weight_bytes"].get<double>());
}

TEST(cim_placement, what_does_not_fit_the_arrays_streams_and_the_report_says_why) {
  const test::temp_dir dir;
  std::ofstream(dir / "p.yaml")
      << "base: cim_analog\nmodules:\n  cim: {hierarchy: {chips: 4}}\nmapping:\n"
         "  - {kinds: [gemm, lm_head], executor: cim, weights: cim, overflow: mem, kv_cache: mem, activations: mem}\n"
         "  - {executor: cim, weights: mem, kv_cache: mem, activations: mem}\n";
  const json r = run("--platform " + dir / "p.yaml --model gpt-2 --context 64 --dtype int8/fp16/fp16");
  bool arrays = false, streamed = false;
  for (const auto& d : r["placement"]["decisions"]) {
    if (d["what"] != "weights") continue;
    arrays = arrays || d["memory"] == "cim";
    streamed =
        streamed || (d["memory"] == "mem" && d["why"].get<std::string>().find("do not fit cim") != std::string::npos);
  }
  EXPECT_TRUE(arrays);
  EXPECT_TRUE(streamed) << r["placement"];
  EXPECT_GT(r["stall_stack_ns"]["cim_program"].get<double>(), 0);
}

TEST(compare_sweep, draws_where_platforms_cross) {
  const test::temp_dir dir;
  const auto r = test::memwall("compare --platform von_neumann_h100 --platform cim_dram" + mini +
                               "--context 64 --sweep batch=1,64 --sweep prompt=16,256 --out " + dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json out = json::parse(test::read_file(dir / "compare.json"));
  ASSERT_EQ(out["axes"].size(), 2U);
  EXPECT_EQ(out["axes"][0]["points"].size(), 4U);
  EXPECT_EQ(out["axes"][1]["points"][0]["summary"]["tokens"], 16) << "a prompt is a prefill";
  EXPECT_TRUE(fs::exists(dir / "crossover-batch.svg"));
  EXPECT_TRUE(fs::exists(dir / "cim_dram/batch-64/result.json"));
  EXPECT_NE(r.out.find("than von_neumann_h100"), std::string::npos) << r.out;
  EXPECT_EQ(
      test::memwall("compare --platform von_neumann_h100" + mini + "--sweep bach=1..4 --out " + dir.path()).exit_code,
      2);
}

}  // namespace
