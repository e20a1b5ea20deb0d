// SPDX-License-Identifier: Apache-2.0
// Waveforms and timelines against the result of the same run, by readers that share no code with the writers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "platforms/observe.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/timeline_check.h"
#include "tests/support/vcd_reader.h"

using namespace memwall;
using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

const std::string mini = " --model " + std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/mini --context 256 --dtype int8/fp16/fp16 --quiet ";

json run_into(const test::temp_dir& dir, const std::string& platform, const std::string& options) {
  const auto r = test::memwall("run --platform " + platform + mini + options + " --out " + dir.path());
  if (r.exit_code != 0) throw std::runtime_error(r.err);
  return json::parse(test::read_file(dir / "result.json"));
}

std::int64_t ps(const json& ns) { return std::llround(ns.get<double>() * 1000); }
std::int64_t sum_where(const test::vcd_signal& s, const std::vector<std::string>& values, std::int64_t end) {
  return s.time_where([&](const std::string& v) { return std::find(values.begin(), values.end(), v) != values.end(); }, 0, end);
}

class waves : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(platforms, waves, testing::Values("von_neumann_cpu", "cim_analog", "cim_dram", "von_neumann_unified"));

TEST_P(waves, busy_time_is_what_the_result_reports) {
  const test::temp_dir dir;
  const json r = run_into(dir, GetParam(), "--vcd --vcd-channels all --vcd-commands 100000000 --vcd-limit '1 GB'");
  for (const char* key : {"note", "detail_note", "late_changes"}) ASSERT_FALSE(r["outputs"]["vcd"].contains(key)) << key;
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  const std::int64_t end = ps(r["summary"]["time_ns"]);
  EXPECT_EQ(f.first_ps(), 0);
  EXPECT_EQ(f.last_ps(), end);
  const std::string top = "memwall.";
  for (const auto& m : r["memories"]) {
    const std::string name = top + m["name"].get<std::string>();
    if (!m.contains("standard") || m["standard"] == "SRAM") {
      EXPECT_NEAR(static_cast<double>(f[name + ".busy"].busy_ps(0, end)) / static_cast<double>(end), m["utilization"].get<double>(), 1e-9) << name;
      continue;
    }
    // Transfers in flight, to the picosecond; beats on the data buses, over what the buses could carry. A burst that was
    // read ahead may end after the run: half a nanosecond a channel is more than any has.
    EXPECT_EQ(f[name + ".busy"].busy_ps(0, end), ps(m["busy_ns"])) << name;
    std::int64_t beats = 0, buses = 0, activations = 0;
    for (int c = 0; c < m["channels"].get<int>(); ++c) {
      const std::string channel = fmt::format("{}.channel{}.", name, c);
      for (const auto& n : f.names(channel + "data_bus")) {
        beats += sum_where(f[n], {"read", "write"}, end);
        ++buses;
      }
      for (const auto& change : *f[channel + "row_command"].changes) activations += change.value == "ACT" ? 1 : 0;
    }
    ASSERT_GT(buses, 0) << name;
    if (m["read_bytes"].get<double>() == 0) continue;
    EXPECT_NEAR(static_cast<double>(beats) / static_cast<double>(buses * end), m["utilization"].get<double>(), 1e-4) << name;
    EXPECT_EQ(activations, m["commands"]["ACT"].get<std::int64_t>()) << name;
  }
  for (const char* list : {"buses", "links"})
    for (const auto& b : r[list]) {
      const auto& busy = f[top + b["name"].get<std::string>() + ".busy_time"];
      EXPECT_NEAR(static_cast<double>(busy.number_at(end)) / static_cast<double>(end), b["utilization"].get<double>(), 1e-6) << b["name"];
    }
  for (const auto& e : r["executors"]) {
    const std::string name = top + e["name"].get<std::string>();
    EXPECT_EQ(sum_where(f[name + ".state"], {"launch", "stream", "drain"}, end), ps(e["busy_ns"])) << name;
    if (e["operations"] == 0) continue;
    const std::pair<const char*, const char*> phases[] = {{"compute", "compute"}, {"program", "cim_program"}, {"input", "cim_input"}, {"array", "cim_array"}, {"adc", "cim_adc"}, {"accumulate", "cim_digital"}};
    for (const auto& [state, cause] : phases)
      EXPECT_EQ(sum_where(f[name + ".arithmetic"], {state}, end), e["stall_stack_ns"].contains(cause) ? ps(e["stall_stack_ns"][cause]) : 0) << name << " " << state;
    if (e["kind"] == "gpu" || e["kind"] == "cpu") {
      EXPECT_NEAR(static_cast<double>(sum_where(f[name + ".arithmetic"], {"compute"}, end)) / static_cast<double>(end), e["utilization"].get<double>(), 1e-9);
    }
  }
}

// What the banks may do: data only while a row is open or just closed by an automatic precharge, a row number exactly while
// it is open, nothing but refresh where a bank refreshes.
TEST(waves, banks_behave_as_banks) {
  const test::temp_dir dir;
  run_into(dir, "von_neumann_cpu", "--vcd=:60us --vcd-channels 0,3");
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  EXPECT_FALSE(f.names("memwall.mem.channel3.").empty());
  EXPECT_TRUE(f.names("memwall.mem.channel1.").empty());
  int banks = 0, refreshed = 0;
  for (const auto& name : f.names("memwall.mem.channel0.")) {
    const auto at = name.rfind("_state");
    if (at == std::string::npos) continue;
    ++banks;
    const auto& state = f[name];
    const auto& row = f[name.substr(0, at) + "_row"];
    for (const auto& c : *state.changes) {
      const bool known = row.at(c.at_ps).find('x') == std::string::npos;
      EXPECT_EQ(known, c.value == "activating" || c.value == "open") << name << " " << c.value << " at " << c.at_ps;
      refreshed += c.value == "refreshing" ? 1 : 0;
    }
  }
  EXPECT_GT(banks, 8);
  EXPECT_GT(refreshed, 0);
}

TEST(waves, nothing_is_told_too_late_where_windows_open_and_close) {
  const test::temp_dir dir;
  const json r = run_into(dir, "von_neumann_cpu", "--vcd='layers.*.qkv' --vcd-channels all");
  EXPECT_FALSE(r["outputs"]["vcd"].contains("late_changes"));
  // Two operators match; outside of them everything is unknown.
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  const std::int64_t end = ps(r["summary"]["time_ns"]);
  std::int64_t inside = 0;
  for (const auto& l : r["layers"])
    if (l["name"].get<std::string>().find("qkv") != std::string::npos) inside += ps(l["end_ns"]) - ps(l["start_ns"]);
  const auto& state = f["memwall.cpu.state"];
  EXPECT_EQ(state.time_where([](const std::string& v) { return v != "?" && v != "x"; }, f.first_ps(), end), inside);
}

TEST(waves, a_window_by_time_holds_that_time_only) {
  const test::temp_dir dir;
  run_into(dir, "von_neumann_cpu", "--vcd=20us:22us");
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  EXPECT_EQ(f.first_ps(), 20'000'000);
  EXPECT_EQ(f.last_ps(), 22'000'000);
  EXPECT_GT(f["memwall.mem.channel0.column_command"].changes->size(), 100u);
}

TEST(waves, the_limits_hold_and_are_told) {
  const test::temp_dir dir;
  const json r = run_into(dir, "von_neumann_cpu", "--vcd --vcd-channels all --vcd-limit '200 kB' --vcd-commands 1000");
  // One buffer of changes may pass the limit before it is noticed, not more than a moment's.
  EXPECT_LT(fs::file_size(dir / "waves.vcd"), 210'000u);
  EXPECT_GT(fs::file_size(dir / "waves.vcd"), 190'000u);
  EXPECT_THAT(r["outputs"]["vcd"]["note"].get<std::string>(), testing::HasSubstr("--vcd-limit"));
  EXPECT_GT(r["outputs"]["vcd"]["cut_at_ns"], 0);
  EXPECT_LT(r["outputs"]["vcd"]["cut_at_ns"], r["summary"]["time_ns"]);
  EXPECT_GT(r["outputs"]["vcd"]["detail_until_ns"], 0);
  EXPECT_EQ(test::vcd_file::open(dir / "waves.vcd").last_ps(), ps(r["outputs"]["vcd"]["cut_at_ns"]));
}

TEST(waves, channels_are_understood) {
  using platforms::parse_channels;
  EXPECT_EQ(parse_channels("0,2-4", 8, false), (std::vector<int>{0, 2, 3, 4}));
  EXPECT_EQ(parse_channels("all", 3, false), (std::vector<int>{0, 1, 2}));
  EXPECT_TRUE(parse_channels("none", 3, false).empty());
  EXPECT_EQ(parse_channels("1,5", 4, true), std::vector<int>{1});
  for (const char* wrong : {"", "5", "3-1", "a", "0,,1", "-1"}) EXPECT_THROW(parse_channels(wrong, 4, false), input_error) << wrong;
}

class timelines : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(platforms, timelines, testing::Values("von_neumann_cpu", "cim_dram", "cim_analog"));

TEST_P(timelines, a_run_is_valid_and_its_tracks_hold_what_the_result_says) {
  const test::temp_dir dir;
  const json r = run_into(dir, GetParam(), "--timeline='layers.0.*'");
  const auto facts = test::check_timeline(dir / "timeline.json");
  EXPECT_THAT(facts.problems, testing::IsEmpty());
  EXPECT_FALSE(facts.cut);
  for (const auto& e : r["executors"])
    if (e["operations"] != 0) EXPECT_NEAR(facts.busy_us.at("operators/" + e["name"].get<std::string>()), e["busy_ns"].get<double>() / 1000, 1e-3) << e["name"];
  // Bytes of the slices on a memory's tracks are the bytes that it was asked for; arrows go to the window's transfers only.
  for (const auto& m : r["memories"]) {
    if (!m.contains("asked_read_bytes")) continue;
    std::int64_t bytes = 0;
    std::set<std::int64_t> pids;
    const auto root = json::parse(test::read_file(dir / "timeline.json"));
    for (const auto& e : root["traceEvents"])
      if (e["ph"] == "M" && e["name"] == "process_name" && e["args"]["name"] == m["name"].get<std::string>() + " (dram)") pids.insert(e["pid"].get<std::int64_t>());
    ASSERT_EQ(pids.size(), 1u);
    for (const auto& s : facts.slices)
      if (pids.count(s["pid"].get<std::int64_t>()) != 0 && s["cat"] == "transfers") bytes += s["args"]["bytes"].get<std::int64_t>();
    EXPECT_EQ(bytes, m["asked_read_bytes"].get<std::int64_t>() + m["asked_write_bytes"].get<std::int64_t>()) << m["name"];
  }
  std::size_t singles = 0;
  for (const auto& s : facts.slices) singles += s["cat"] == "transfer" ? 1 : 0;
  EXPECT_GT(singles, 0u);
  EXPECT_EQ(facts.events.at('s'), singles);
  EXPECT_EQ(facts.events.at('f'), singles);
  EXPECT_GT(facts.events.at('C'), 100u);
}

}  // namespace
