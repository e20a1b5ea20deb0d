// SPDX-License-Identifier: Apache-2.0
// `--reuse` through the program, on a few platforms that differ; all of them: test_reuse_everywhere.cpp.
#include <filesystem>
#include <fstream>

#include "tests/platforms/reuse_laws.h"
#include "tests/support/temp_dir.h"

namespace memwall {
namespace {

using test::json;

class reuse : public testing::TestWithParam<std::string> {};
// One device, two that are alike, arrays with converters, units beside banks, a GPU with them, a processor.
INSTANTIATE_TEST_SUITE_P(presets, reuse,
                         testing::Values("von_neumann_rtx4090", "von_neumann_h100x2", "cim_analog", "cim_dram_aim",
                                         "hybrid_gpu_aim", "von_neumann_cpu"),
                         [](const auto& i) { return i.param; });

TEST_P(reuse, agrees_with_simulation_decoding) {
  test::expect_run_agrees("--platform " + GetParam() +
                          " --model tinyllama-1.1b --dtype int8/fp16/fp16 --context 300 --tokens 3");
}

TEST_P(reuse, agrees_with_simulation_on_prompts) {
  test::expect_run_agrees("--platform " + GetParam() +
                          " --model tinyllama-1.1b --dtype int8/fp16/fp16 --phase prefill --prompt 96");
}

TEST(reused_service, agrees_with_simulation) {
  test::expect_service_agrees(
      "--platform von_neumann_rtx4090 --model opt-1.3b --set software=vllm "
      "--requests closed:users=6,n=18,input=uniform:16-96,output=uniform:4-24");
}

/// Steps of 0.1 ms behind a host that takes as long: what the host does for a step counts once a step, audited or not.
TEST(reused_service, agrees_where_steps_are_short) {
  test::expect_service_agrees(
      "--platform von_neumann_h100 --model gpt-2 --set software=vllm "
      "--requests poisson:rate=200,n=12,input=uniform:20-200,output=uniform:5-15");
}

/// Most layers lie on one card and a few on the other: what a card's clocks take goes with its own work, of which more
/// is left out on the first one.
TEST(reused_service, agrees_where_devices_work_unequally) {
  test::expect_service_agrees(
      "--platform layer_split_rtx4090_rtx3090ti --model tinyllama-1.1b --dtype int8/fp16/fp16 --set software=vllm "
      "--requests closed:users=2,n=2,input=uniform:30-60,output=uniform:20-30");
}

// An eighth of the model is 137 MB, of which the L2 of a device holds 50: what a step leaves there must not be found by
// the next one because most of its layers were stood for. (DRAM bytes would be 15 % and energy 1.8 % short.)
TEST(reused_service, agrees_where_caches_hold_much_of_a_step) {
  test::expect_service_agrees(
      "--platform von_neumann_h100x8 --model tinyllama-1.1b --dtype int8/fp16/fp16 --set software=vllm --requests "
      "closed:users=2,n=4,input=uniform:40-200,output=uniform:20-30");
}

// Of an accelerator's operators most wait for more than they move, and large ones do not: by bytes alone a memory was
// in use for 16 % less.
TEST(reused_run, memories_are_in_use_for_as_long) {
  const auto run = [](const std::string& more) {
    const auto r = test::memwall(
        "run --platform npu_trainium --model tinyllama-1.1b --dtype int8/fp16/fp16 --context 700 --json --quiet" +
        more);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return r.json();
  };
  const json all = run(""), few = run(" --reuse on");
  for (const char* figure : {"/memories/0/busy_ns", "/energy/by_component_pj/hbm0.background",
                             "/energy/by_component_pj/hbm0.activate", "/memories/0/row/hit"}) {
    const json::json_pointer at(figure);
    EXPECT_NEAR(few.at(at).get<double>(), all.at(at).get<double>(), 0.06 * all.at(at).get<double>()) << figure;
  }
}

TEST(reused_run, simulates_few_and_says_how_many) {
  const auto r = test::memwall(
      "run --platform von_neumann_h100x2 --model llama-65b --dtype fp16 --context 512 --json --quiet --reuse on");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json result = r.json(), reuse = result["fidelity"]["reuse"];
  // (A collective is an order of its own.)
  EXPECT_GE(reuse["operators"].get<int>(), result["layers_total"].get<int>());
  EXPECT_LT(reuse["simulated"].get<int>(), reuse["operators"].get<int>() / 3);
  EXPECT_GT(reuse["audited"], 5);
  EXPECT_LE(reuse["error_mean_pct"].get<double>(), 1);
  const auto strict = test::memwall(
      "run --platform von_neumann_h100x2 --model llama-65b --dtype fp16 --context 512 --json --quiet --reuse on "
      "--reuse-error 0.1");
  EXPECT_GT(strict.json()["fidelity"]["reuse"]["simulated"].get<int>(), reuse["simulated"].get<int>());
}

TEST(reused_run, same_bytes_twice) {
  std::string results[2];
  for (auto& text : results) {
    json r =
        test::memwall("run --platform cim_dram_aim --model opt-1.3b --context 64 --tokens 2 --json --quiet --reuse on")
            .json();
    r.erase("host");
    text = r.dump();
  }
  EXPECT_EQ(results[0], results[1]);
}

/// Who looks sees what was simulated: a layer in the midst of a run whose other layers are known.
TEST(reused_run, windows_show_simulated_cycles) {
  const std::string words =
      "run --platform von_neumann_rtx4090 --model opt-1.3b --context 64 --quiet --vcd-channels 0 ";
  for (const char* window : {"--vcd='layers.17.*'", "--timeline='layers.17.*'"}) {
    std::uintmax_t bytes[2];
    std::int64_t simulated = 0;
    for (const bool on : {false, true}) {
      const test::temp_dir dir;
      const auto r = test::memwall(words + window + (on ? " --reuse on --out " : " --out ") + dir.path());
      ASSERT_EQ(r.exit_code, 0) << r.err;
      const bool vcd = std::string(window).rfind("--vcd", 0) == 0;
      bytes[on ? 1 : 0] = std::filesystem::file_size(dir / (vcd ? "waves.vcd" : "timeline.json"));
      if (on) {
        const json result = json::parse(test::read_file(dir / "result.json"));
        simulated = result["fidelity"]["reuse"]["simulated"];
        // Of layer 17 every operator, and a few of each kind.
        std::int64_t inside = 0;
        for (const auto& l : result["layers"]) inside += l["layer"] == 17 ? 1 : 0;
        EXPECT_GT(inside, 5);
        EXPECT_GE(simulated, inside);
        EXPECT_LT(simulated, result["layers_total"].get<std::int64_t>() / 2);
      }
    }
    // As many commands, transfers and changes as when all of it is simulated.
    EXPECT_NEAR(static_cast<double>(bytes[1]), static_cast<double>(bytes[0]), 0.1 * static_cast<double>(bytes[0]))
        << window;
  }
}

/// By time: the whole run is watched, so nothing may be left out.
TEST(reused_run, a_window_over_all_of_it_simulates_all_of_it) {
  const test::temp_dir dir;
  const std::string words =
      "run --platform von_neumann_cpu --model gpt-2 --context 16 --quiet --vcd=0us: --vcd-channels none --vcd-limit "
      "'200 kB' --reuse on --out ";
  const auto r = test::memwall(words + dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json reuse = json::parse(test::read_file(dir / "result.json"))["fidelity"]["reuse"];
  EXPECT_EQ(reuse["simulated"], reuse["operators"]);
}

/// A generator's load, or pages that fault, are different every time.
TEST(reused_run, of_machines_with_a_course_of_their_own_everything_is_simulated) {
  const auto r =
      test::memwall("run --platform von_neumann_unified --model gpt-2 --context 16 --json --quiet --reuse on");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json result = r.json();
  bool paged = result.contains("pagers") || result.contains("generators");
  EXPECT_EQ(result["fidelity"]["reuse"]["simulated"] == result["fidelity"]["reuse"]["operators"], paged);
}

/// An array before a memory, whose 136 operators of gpt-2 take less than a microsecond each.
json short_operators(const std::string& memory) {
  const test::temp_dir dir;
  std::ofstream(dir / "p.yaml") << "description: short\nsources: none\nmodules:\n  mem: {" << memory << R"(}
  fabric: {type: bus, topology: crossbar, width: 64 B, clock: 1.7 GHz, slices: 48, pipeline_latency: 20 ns}
  cim:
    type: cim
    macro: tsmc_dcim_5nm
    hierarchy: {macros_per_tile: 64, tiles_per_chip: 128, chips: 1, tile_network: 256 GB/s, chip_network: 5 TB/s, package_link: 5 TB/s}
    vector_rate: 8 TOPS
    buffer: 32 MiB
    port_bandwidth: 5 TB/s
connect: [[cim, fabric], [fabric, mem]]
mapping: [{executor: cim, weights: mem, kv_cache: mem, activations: mem}]
)";
  const auto r = test::memwall("run --platform " + (dir / "p.yaml") +
                               " --model gpt-2 --dtype int8 --context 64 --quiet --json --reuse on");
  EXPECT_EQ(r.exit_code, 0) << r.err;
  return r.json();
}

/// Shorter than the interval of refreshes (3.9 us), it decides what an operator takes whether it meets one: those on a
/// DRAM are simulated, of an SRAM, which has none, the usual few (three of each kind, of the twelve layers alike).
TEST(reused_run, short_operators_are_simulated_where_there_are_refreshes) {
  const json sram = short_operators("type: sram, size: 4 GB, port_bandwidth: 3 TB/s, latency: 50 ns"),
             dram = short_operators("type: dram, standard: HBM3, channels: 160, size: 80 GB");
  for (const json* r : {&sram, &dram}) ASSERT_LT((*r)["summary"]["time_ns"].get<double>(), 136 * 1000);
  const auto part = [](const json& r) {
    const json& reuse = r["fidelity"]["reuse"];
    return reuse["simulated"].get<double>() / reuse["operators"].get<double>();
  };
  EXPECT_LT(part(sram), 1.0 / 3);
  EXPECT_GT(part(dram), 2.0 / 3);
}

/// Two devices with a bus of the host between them, each with operators of its own. Beside one that only lets its time
/// pass another may do so, too: three of each of some fifteen kinds of a device, and audits, of 24 layers and three
/// tokens.
TEST(reused_run, devices_side_by_side_are_reused_together) {
  const auto r = test::memwall(
      "run --platform von_neumann_rtx4090x2 --model opt-1.3b --dtype fp16 --context 300 --tokens 3 --json --quiet "
      "--reuse on");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json reuse = r.json()["fidelity"]["reuse"];
  EXPECT_LT(reuse["simulated"].get<int>(), reuse["operators"].get<int>() / 12);
}

/// Pages come when they are touched first.
TEST(reused_run, of_a_machine_that_pages_everything_is_simulated_and_it_is_said_why) {
  const auto r =
      test::memwall("run --platform von_neumann_v100_managed --model gpt-2 --context 16 --json --quiet --reuse on");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json result = r.json(), reuse = result["fidelity"]["reuse"];
  ASSERT_TRUE(result.contains("pagers"));
  EXPECT_EQ(reuse["simulated"], reuse["operators"]);
  EXPECT_NE(result["notes"].dump().find("nothing was reused: what '"), std::string::npos) << result["notes"];
}

TEST(reused_run, other_commands_take_it) {
  const test::temp_dir dir;
  const auto r = test::memwall(
      "compare --platform von_neumann_h100 --platform cim_dram_aim --model opt-1.3b --context 64 --quiet --reuse on "
      "--out " +
      dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  for (const char* platform : {"von_neumann_h100", "cim_dram_aim"}) {
    const auto one = json::parse(test::read_file(dir / (std::string(platform) + "/result.json")));
    EXPECT_EQ(one.at("fidelity").at("reuse").at("mode"), "on") << platform;
  }
  for (const char* wrong : {"--reuse perhaps", "--reuse-error 0", "--reuse-error 80"})
    EXPECT_EQ(test::memwall(std::string("run --platform von_neumann_h100 --model gpt-2 ") + wrong).exit_code, 2)
        << wrong;
}

}  // namespace
}  // namespace memwall
