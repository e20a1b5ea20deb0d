// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "platforms/watch/observe.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/vcd_reader.h"

using namespace memwall;
using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

const std::string mini = " --model " + std::string(MEMWALL_SOURCE_DIR) +
                         "/tests/platforms/data/mini --context 256 --dtype int8/fp16/fp16 --quiet ";

TEST(outputs, a_run_leaves_result_layers_waves_and_timeline_under_their_names_only) {
  const test::temp_dir dir;
  const auto r = test::memwall("run --platform von_neumann_cpu" + mini + "--vcd --timeline --out " + dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  std::vector<std::string> names;
  for (const auto& e : fs::directory_iterator(dir.path())) names.push_back(e.path().filename().string());
  EXPECT_THAT(names,
              testing::UnorderedElementsAre("result.json", "layers.csv", "waves.vcd", "waves.gtkw", "timeline.json"));
  const json result = json::parse(test::read_file(dir / "result.json"));
  EXPECT_EQ(result["schema"], "memwall-result-1");
  EXPECT_EQ(result.begin().key(), "schema");
  // A line an operator, and the first line.
  const std::string csv = test::read_file(dir / "layers.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), static_cast<std::ptrdiff_t>(result["layers"].size() + 1));
}

TEST(outputs, the_schema_in_the_tree_is_that_of_the_tables) {
  const auto r = test::memwall("describe schema");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.out, test::read_file(std::string(MEMWALL_SOURCE_DIR) + "/platforms/tell/result.schema.json"))
      << "memwall describe schema > platforms/tell/result.schema.json";
}

TEST(outputs, figures_are_described) {
  const auto one = test::memwall("describe result summary.time_per_token_ns");
  EXPECT_THAT(one.out, testing::StartsWith("summary.time_per_token_ns (number or null, ns, a mean)\n"));
  const auto none = test::memwall("describe result summary.time_per_token");
  EXPECT_EQ(none.exit_code, 0) << "part of a name";
  const auto wrong = test::memwall("describe result sumary.time_ns");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, testing::HasSubstr("summary.time_ns"));
}

// A line of `connect` that is there twice says the same again: the memory has one place at the bus.
TEST(outputs, a_connection_that_is_written_twice_is_one) {
  const test::temp_dir dir;
  std::ifstream in(std::string(MEMWALL_SOURCE_DIR) + "/platforms/presets/von_neumann_rtx4090.yaml");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const std::string line = "  - [fabric, gddr]\n";
  ASSERT_NE(text.find(line), std::string::npos);
  std::ofstream(dir / "p.yaml") << text;
  const auto once = test::memwall("run --json --platform " + (dir / "p.yaml") + mini);
  std::ofstream(dir / "p.yaml") << text.insert(text.find(line), line);
  const auto twice = test::memwall("run --json --platform " + (dir / "p.yaml") + mini);
  ASSERT_EQ(once.exit_code, 0) << once.err;
  ASSERT_EQ(twice.exit_code, 0) << twice.err;
  for (const char* same : {"summary", "memories", "buses", "stall_stack_ns"})
    EXPECT_EQ(once.json().value(same, json()), twice.json().value(same, json())) << same;
}

TEST(outputs, contract_keys_are_there) {
  const auto r = test::memwall("run --platform von_neumann_cpu --json" + mini);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json j = r.json();
  for (const char* key : {"schema", "memwall_version", "platform", "model", "workload", "seed", "fidelity", "config",
                          "summary", "stall_stack_ns", "memories", "buses", "links", "executors", "layers", "host"})
    EXPECT_TRUE(j.contains(key)) << key;
  for (const char* key : {"time_ns", "tokens", "tokens_per_s", "time_per_token_ns", "bound_by", "booked_most",
                          "energy_pj", "energy_per_token_pj", "weight_bytes", "kv_bytes", "dram_bytes", "bus_bytes",
                          "link_bytes", "flops", "dram_bandwidth_gbps", "dram_utilization", "bus_utilization"})
    EXPECT_TRUE(j["summary"].contains(key)) << key;
  for (const char* key : {"wall_s", "peak_rss_mb", "events", "dram_bursts", "dram_bursts_per_s"})
    EXPECT_TRUE(j["host"].contains(key)) << key;
  EXPECT_DOUBLE_EQ(j["summary"]["time_per_token_ns"].get<double>() * j["summary"]["tokens"].get<double>(),
                   j["summary"]["time_ns"].get<double>());
  EXPECT_GT(j["summary"]["energy_pj"].get<double>(), 0);
}

TEST(waves, windows_are_understood) {
  const auto w = platforms::parse_window("--vcd", "10us:12us");
  EXPECT_EQ(w.begin, 10'000'000);
  EXPECT_EQ(w.end, 12'000'000);
  EXPECT_TRUE(platforms::parse_window("--vcd", "layers.3.*").by_layer);
  EXPECT_EQ(platforms::parse_window("--vcd", ":5ns").end, 5000);
  EXPECT_THROW(platforms::parse_window("--vcd", "1:2"), input_error);
}

TEST(waves, a_window_of_a_layer_is_smaller_than_the_whole_and_lies_in_that_layer) {
  const test::temp_dir all, one;
  ASSERT_EQ(test::memwall("run --platform von_neumann_cpu" + mini + "--vcd --out " + all.path()).exit_code, 0);
  ASSERT_EQ(test::memwall("run --platform von_neumann_cpu" + mini + "--vcd='layers.1.*' --out " + one.path()).exit_code,
            0);
  EXPECT_LT(fs::file_size(one / "waves.vcd"), fs::file_size(all / "waves.vcd"));
  // The first operator of the layer opens the window, the first one after the last closes it.
  std::int64_t begin = INT64_MAX, end = 0;
  std::vector<std::int64_t> starts;
  const json result = json::parse(test::read_file(one / "result.json"));
  for (const auto& l : result["layers"]) {
    const auto at = [&](const char* key) { return std::llround(l[key].get<double>() * 1000); };
    starts.push_back(at("start_ns"));
    if (l["name"].get<std::string>().rfind("layers.1.", 0) != 0) continue;
    begin = std::min<std::int64_t>(begin, at("start_ns"));
    end = std::max<std::int64_t>(end, at("end_ns"));
  }
  const auto after = std::find_if(starts.begin(), starts.end(), [&](std::int64_t t) { return t >= end; });
  ASSERT_NE(after, starts.end());
  const auto f = test::vcd_file::open(one / "waves.vcd");
  EXPECT_EQ(f.first_ps(), begin);
  EXPECT_EQ(f.last_ps(), *after);
}

// A run that would never end says who waits for whom, and ends.
TEST(outputs, a_core_that_is_never_served_ends_the_run_with_names) {
  const auto r = test::memwall("run --platform " + std::string(MEMWALL_SOURCE_DIR) +
                               "/tests/platforms/data/starved.yaml" + mini + "--json");
  EXPECT_EQ(r.exit_code, 1);
  for (const char* word : {"'gpu' starves", "'hbm'", "'fabric'", "'dma'"})
    EXPECT_NE(r.err.find(word), std::string::npos) << word << " in " << r.err;
  EXPECT_EQ(r.out, "");
}

}  // namespace
