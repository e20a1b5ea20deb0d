// SPDX-License-Identifier: Apache-2.0
// Bad input: a clear message, exit code 2, nothing half-written.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
namespace fs = std::filesystem;

namespace {

struct bad_case {
  const char* name;
  std::string arguments;
  std::vector<std::string> says;
};

const std::string ok = " --platform von_neumann_cpu --model gpt-2 --context 64 ";

class bad_input : public testing::TestWithParam<bad_case> {};
INSTANTIATE_TEST_SUITE_P(
    run, bad_input,
    testing::Values(
        bad_case{"platform",
                 "--platform von_neuman_h100 --model gpt-2",
                 {"unknown platform 'von_neuman_h100'", "did you mean 'von_neumann_h100'?"}},
        bad_case{"model", "--platform von_neumann_cpu --model lama-65b", {"lama-65b", "llama-65b"}},
        bad_case{"key", ok + "--set cpu.core=3", {"--set cpu.core=3", "unknown key", "did you mean 'cores'?"}},
        bad_case{"module", ok + "--set gpux.sms=3", {"neither a module nor a key"}},
        bad_case{"unit", ok + "--set cpu.clock='3 ns'", {"cpu.clock", "unit of frequency"}},
        bad_case{"bare_number", ok + "--set cpu.clock=3", {"cpu.clock", "unit of frequency"}},
        bad_case{"type", ok + "--set cpu.cores=many", {"cpu.cores", "an integer"}},
        bad_case{"negative", ok + "--set cpu.cores=-1", {"out of range"}},
        bad_case{"zero", ok + "--set cpu.cores=0", {"out of range"}},
        bad_case{"overflow", ok + "--set cpu.cores=99999999999999999999", {"an integer"}},
        bad_case{"infinite", ok + "--set mesh.clock='inf GHz'", {"unit of frequency"}},
        bad_case{"batch_zero", ok + "--batch 0", {"--batch"}},
        bad_case{"batch_negative", ok + "--batch -3", {"--batch"}},
        bad_case{"batch_absurd", ok + "--batch 99999999999999999999999", {"--batch"}},
        bad_case{"dtype", ok + "--dtype int5g", {"int5g"}},
        bad_case{"standard", ok + "--set mem.standard=DDR5-480", {"DDR5-480", "DDR5-4800"}},
        bad_case{"arbiter", ok + "--set mesh.arbiter=roundrobin", {"roundrobin", "round_robin"}},
        bad_case{"transfer_bytes", ok + "--transfer-bytes lots", {"--transfer-bytes", "auto, burst or bytes"}},
        bad_case{"replay", ok + "--replay maybe", {"replay"}},
        bad_case{"vcd_window", ok + "--vcd=9us:3us --out /tmp/memwall-bad-input", {"ends before it begins"}},
        bad_case{"vcd_channels",
                 ok + "--vcd --vcd-channels 0,4000 --out /tmp/memwall-bad-input",
                 {"--vcd-channels", "4000", "none, all, or channels"}},
        bad_case{"vcd_limit",
                 ok + "--vcd --vcd-limit 5 --out /tmp/memwall-bad-input",
                 {"--vcd-limit", "a size of at least"}},
        bad_case{"vcd_without_a_folder", ok + "--vcd", {"--vcd", "needs a place for its file", "--out DIR"}},
        bad_case{"timeline_without_a_folder", ok + "--timeline", {"--timeline", "needs a place", "--out DIR"}},
        bad_case{"timeline_window", ok + "--timeline=1:2 --out /tmp/memwall-bad-input", {"--timeline=1:2", "a window"}},
        bad_case{"macros_beside_channels",
                 "--platform cim_dram_aim --model gpt-2 --context 64 --set mem.channels=640",
                 {"modules.cim.hierarchy", "320 macros sit beside 640 channels of 'mem'"}},
        bad_case{"no_model", "--platform von_neumann_cpu", {"--model"}},
        bad_case{"trace_missing", "--platform von_neumann_cpu --trace /nonexistent.jsonl", {"/nonexistent.jsonl"}}),
    [](const auto& i) { return i.param.name; });

// Two cards without a way to each other: the second's embedding is not where the first can read it.
TEST(mapping, a_memory_that_a_core_cannot_reach_is_bad_input) {
  const test::temp_dir dir;
  std::ofstream(dir / "split.yaml") << R"(base: layer_split_rtx4090_rtx3090ti
connect:
  - [cpu, host_bus]
  - [host_bus, host_mem]
  - [gpu, fabric]
  - [fabric, gddr]
  - [fabric, pcie]
  - [pcie, host_bus]
  - [gpu2, fabric2]
  - [fabric2, gddr2]
  - [fabric2, pcie2]
  - [pcie2, host_bus]
modules: {pcie_down: , pcie2_down: }
mapping:
  - {layers: 0-39, executor: gpu, weights: gddr, kv_cache: gddr, activations: gddr}
  - {executor: gpu2, weights: gddr2, kv_cache: gddr2, activations: gddr2}
)";
  const auto r = test::memwall("run --quiet --platform " + dir / "split.yaml" + " --model gpt-2 --context 512");
  EXPECT_EQ(r.exit_code, 2) << r.err;
  for (const char* words : {"'gpu'", "'gddr2'", "no connection leads from 'gpu' to 'gddr2'", "connect"})
    EXPECT_NE(r.err.find(words), std::string::npos) << words << " in: " << r.err;
  const auto whole = test::memwall("run --quiet --platform layer_split_rtx4090_rtx3090ti --model gpt-2 --context 512");
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
}

TEST_P(bad_input, is_explained_with_exit_code_2) {
  const auto r = test::memwall("run --quiet " + GetParam().arguments);
  EXPECT_EQ(r.exit_code, 2) << r.err;
  for (const auto& words : GetParam().says)
    EXPECT_NE(r.err.find(words), std::string::npos) << "'" << words << "' in: " << r.err;
}

std::string with_platform(const std::string& yaml) {
  const test::temp_dir dir;
  std::ofstream(dir / "p.yaml") << yaml;
  const auto r = test::memwall("run --quiet --model gpt-2 --context 64 --platform " + dir / "p.yaml");
  EXPECT_EQ(r.exit_code, 2) << r.err;
  return r.err;
}

TEST(bad_platform, overlapping_addresses_and_unbound_ports_are_named_together) {
  const std::string e = with_platform(R"(base: von_neumann_cpu
modules:
  mem: {address: 0x0}
  mem2: {type: dram, standard: DDR5-4800, address: 0x1000}
  spare: {type: cpu}
)");
  EXPECT_NE(e.find("overlaps that of 'mem'"), std::string::npos) << e;
  EXPECT_NE(e.find("modules.spare"), std::string::npos) << e;
  EXPECT_NE(e.find("modules.mem2: is reached by no bus"), std::string::npos) << e;
}

TEST(bad_platform, broken_yaml_names_file_and_line) {
  const std::string e = with_platform("modules:\n  mem: {type: dram\n");
  EXPECT_NE(e.find("p.yaml:"), std::string::npos) << e;
}

TEST(bad_output, unusable_directories_are_refused_and_nothing_stays) {
  const test::temp_dir dir;
  std::ofstream(dir / "file") << "in the way";
  auto r = test::memwall("run --quiet" + ok + "--out " + dir / "file");
  EXPECT_EQ(r.exit_code, 2) << r.err;
  r = test::memwall("run --quiet" + ok + "--out /proc/memwall");
  EXPECT_EQ(r.exit_code, 2) << r.err;
  // A link in the way of a temporary name is not followed.
  fs::create_directories(dir / "linked");
  std::ofstream(dir / "elsewhere") << "mine";
  fs::create_symlink(dir / "elsewhere", dir / "linked/result.json.part");
  r = test::memwall("run --quiet" + ok + "--out " + dir / "linked");
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(dir / "linked/result.json")));
  EXPECT_EQ(test::read_file(dir / "elsewhere"), "mine");
}

// gpt-2 has 1,024 positions: the default of 2,048 is nothing that anybody asked for, 2,048 asked for is refused.
TEST(workload, the_default_context_ends_with_the_positions_of_the_model) {
  const auto context = [](const std::string& more) {
    const auto r = test::memwall("run --quiet --json --platform cim_sram --model gpt-2" + more);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return nlohmann::json::parse(r.out)["workload"]["context"].get<int>();
  };
  EXPECT_EQ(context(""), 1024);
  EXPECT_EQ(context(" --tokens 2"), 1023) << "the second token attends to 1,024";
  EXPECT_EQ(context(" --context 64"), 64);
  EXPECT_EQ(test::memwall("run --quiet --platform cim_sram --model gpt-2 --context 2048").exit_code, 2);
}

// What the validation found of a preset is its neighbour's once a part was changed or the workload is another.
TEST(badges, a_changed_preset_and_a_trace_of_ones_own_are_extrapolated) {
  const test::temp_dir dir;
  const auto rows = [](const std::string& options, const std::string& command = "run") {
    const auto r = test::memwall(command + " --quiet --json --platform von_neumann_h100 " + options);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return nlohmann::json::parse(r.out)["badge"]["rows"].get<int>();
  };
  EXPECT_GT(rows("--model gpt-2 --context 64"), 0);
  EXPECT_EQ(rows("--model gpt-2 --context 64 --set gpu.sms=100"), 0);
  ASSERT_EQ(test::memwall("trace --model gpt-2 --context 64 -o " + dir / "t.jsonl").exit_code, 0);
  EXPECT_EQ(rows("--trace " + dir / "t.jsonl"), 0);
  const std::string stream = "--model gpt-2 --requests constant:rate=100,n=2,input=8,output=2 ";
  EXPECT_GT(rows(stream, "serve"), 0);
  EXPECT_EQ(rows(stream + "--set server.max_num_seqs=8", "serve"), 0);
}

TEST(bad_model, contradictory_configurations_are_named) {
  const test::temp_dir dir;
  std::ofstream(dir / "config.json")
      << R"({"model_type": "llama", "hidden_size": 100, "num_attention_heads": 7, "num_hidden_layers": 2, "intermediate_size": 256, "vocab_size": 100})";
  const auto r = test::memwall("run --quiet --platform von_neumann_cpu --model " + dir.path());
  EXPECT_EQ(r.exit_code, 2) << r.err;
  EXPECT_NE(r.err.find("head"), std::string::npos) << r.err;
}

}  // namespace
