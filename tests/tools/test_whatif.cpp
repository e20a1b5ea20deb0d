// SPDX-License-Identifier: Apache-2.0
// A claimed gain is a simulated gain (law 11): every row of whatif[] is run again by itself, from the settings that it
// prints, and the wall is the resource whose doubling gains most.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>

#include <algorithm>
#include <map>
#include <regex>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace {
using memwall::test::memwall;
using memwall::test::temp_dir;
using json = nlohmann::ordered_json;

const std::string data = std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/";
const std::string mini = " --model " + data + "mini --context 64 ";

json run(const std::string& arguments) {
  const auto r = memwall(arguments + " --json --quiet");
  EXPECT_EQ(r.exit_code, 0) << arguments << "\n" << r.err;
  return r.exit_code == 0 ? r.json() : json();
}

std::string quoted(const std::string& text) {
  return "'" + text + "'";  // no setting holds a quote
}

double time_of(const json& r) {
  return r["summary"]["time_ns"].get<double>();
}

/// The row's own run, from nothing but what the row says.
double simulated_again(const std::string& run_arguments, const json& row) {
  std::string sets;
  for (const auto& s : row["set"]) sets += " --set " + quoted(s.get<std::string>());
  return time_of(run("run" + run_arguments + sets));
}

/// What law 11 asks of one run. `every`: of the rows that are simulated again.
void holds_when_checked(const std::string& run_arguments, std::size_t every = 1) {
  SCOPED_TRACE(run_arguments);
  const json plain = run("run" + run_arguments), r = run("whatif" + run_arguments);
  ASSERT_TRUE(plain["summary"]["bound_by"].is_null());
  EXPECT_EQ(time_of(plain), time_of(r));
  ASSERT_FALSE(r["whatif"].empty());
  double last = HUGE_VAL, most = 0;
  for (const auto& row : r["whatif"]) {
    EXPECT_LE(row["speedup"].get<double>(), last) << "sorted";
    last = row["speedup"];
    EXPECT_DOUBLE_EQ(row["speedup"].get<double>(), time_of(r) / row["time_ns"].get<double>());
    if (row["factor"] == 2) most = std::max(most, last);
  }
  for (std::size_t i = 0; i < r["whatif"].size(); i += every) {
    const json& row = r["whatif"][i];
    EXPECT_NEAR(simulated_again(run_arguments, row) / row["time_ns"].get<double>(), 1, 0.01) << row.dump();
  }
  // The wall, and nothing but the wall.
  const json& wall = r["summary"]["bound_by"];
  if (most < 1.01) {
    EXPECT_TRUE(wall.is_null() || wall.get<std::string>().find(" with ") != std::string::npos) << wall;
    return;
  }
  std::string expected;
  for (const auto& row : r["whatif"])
    if (row["factor"] == 2 && row["speedup"].get<double>() >= std::max(0.99 * most, 1.01)) {
      const std::string name = row["resource"];
      EXPECT_NE(wall.get<std::string>().find(name), std::string::npos) << wall << " lacks " << name;
    } else if (row["factor"] == 2) {
      EXPECT_NE(wall, row["resource"]);
    }
}

TEST(whatif, gains_hold_when_they_are_checked) {
  holds_when_checked(" --platform von_neumann_h100" + mini, 3);
  holds_when_checked(" --platform cim_dram" + mini, 3);
  holds_when_checked(" --platform cim_analog" + mini + "--dtype int8/fp16/fp16", 3);
  holds_when_checked(" --platform von_neumann_cpu --phase prefill --prompt 32 --model " + data + "mini", 3);
}

TEST(whatif, arithmetic_is_not_the_wall_of_decode_because_much_time_is_booked_to_it) {
  const std::string one_layer = " --model " + data + "one_layer_65b --context 2048 --dtype int4g32/fp16/fp16";
  const json r = run("whatif --platform von_neumann_h100" + one_layer);
  // A hundred times the arithmetic, and the cache behind it, are worth what a run with them takes.
  const double faster =
      time_of(run("run --platform von_neumann_h100 --set gpu.vector_rate='6690 TFLOPS' --set "
                  "gpu.l2_bandwidth='990 TB/s'" +
                  one_layer));
  const double gain = time_of(r) / faster;
  if (gain < 1.05) {
    EXPECT_EQ(r["summary"]["bound_by"].dump().find("arithmetic"), std::string::npos) << r["summary"]["bound_by"];
  }
  for (const auto& row : r["whatif"])
    if (row["resource"] == "vector arithmetic" && row["factor"] == "inf") {
      EXPECT_LE(row["speedup"].get<double>(), 1.01 * gain);
    }
}

TEST(whatif, two_parts_that_only_help_together_are_found) {
  // 29 slices of 64 B at 1.7 GHz are 3,155 GB/s, as much as the HBM gives; nothing else is near.
  const std::string tied = " --platform von_neumann_h100 --model " + data +
                           "one_layer_65b --context 64 --set fabric.slices=29 --set gpu.in_flight_per_sm='60 kB' --set "
                           "gpu.l2_bandwidth='100 TB/s'";
  const json r = run("whatif" + tied + " --factors 2");
  bool found = false;
  for (const auto& p : r["whatif_pairs"]) {
    EXPECT_GT(p["speedup"].get<double>(), 1.05 * p["alone"][0].get<double>() * p["alone"][1].get<double>());
    EXPECT_NEAR(simulated_again(tied, p) / p["time_ns"].get<double>(), 1, 0.01);
    found = found || (p["resources"] == json{"dram bandwidth", "bus"});
  }
  EXPECT_TRUE(found) << r["whatif_pairs"].dump(1);
}

// A core that takes 90 GB/s in through its queues and 90 GB/s through its cache, far below what the memory gives:
// neither alone gains. It computes for 42 % of the time, more than the memory's pins (29 %) are busy, so its parts are
// tried in pairs before the memory's, though they gain nothing alone.
TEST(whatif, parts_of_what_is_busy_are_tried_together_first) {
  const std::string tied =
      " --platform von_neumann_cpu --model " + data +
      "one_layer_65b --context 64 --dtype fp16 --batch 64 --set cpu.cache_bandwidth='90 GB/s' --set "
      "cpu.cluster_bandwidth='90 GB/s' --set cpu.line_fill_buffers=1000";
  const json r = run("whatif" + tied + " --factors 2");
  EXPECT_GT(r["executors"][0]["utilization"], r["memories"][0]["utilization"]);
  ASSERT_EQ(r["whatif_pairs"].size(), 1U);
  const json& pair = r["whatif_pairs"][0];
  EXPECT_EQ(pair["resources"], (json{"requests in flight", "cache bandwidth"}));
  EXPECT_NEAR(pair["speedup"].get<double>(), 2, 0.05) << "nearly all of it is fetching";
  EXPECT_NEAR(simulated_again(tied, pair) / pair["time_ns"].get<double>(), 1, 0.01);
  EXPECT_EQ(r["summary"]["bound_by"], "requests in flight with cache bandwidth");
}

/// What is said on the error stream where that is a terminal; `out`: where the result goes.
std::string said_on_a_terminal(const std::string& arguments, const std::string& out) {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    const std::string command = std::string(MEMWALL_BINARY_DIR) + "/bin/memwall " + arguments + " > " + out;
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  std::string said;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(terminal, buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(n));
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(terminal);
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << said;
  return said;
}

// Every resource once at the largest factor; at the others where that gained at least 0.2 %; and of the four that
// promise most each pair, 6 in all.
TEST(whatif, what_gains_nothing_is_tried_once_and_four_in_pairs) {
  const temp_dir dir;
  for (const char* factors : {"2", "1.1,2,inf"}) {
    const std::string said = said_on_a_terminal(
        "whatif --platform von_neumann_h100 --json --factors " + std::string(factors) + mini, dir / "r.json");
    const json r = json::parse(memwall::test::read_file(dir / "r.json"));
    EXPECT_FALSE(r.contains("whatif_refused"));
    std::map<std::string, std::size_t> rows;
    std::map<std::string, double> at_largest;
    double largest = 0;
    for (const auto& row : r["whatif"]) {
      const double factor = row["factor"] == "inf" ? HUGE_VAL : row["factor"].get<double>();
      largest = std::max(largest, factor);
      ++rows[row["resource"]];
    }
    for (const auto& row : r["whatif"])
      if ((row["factor"] == "inf" ? HUGE_VAL : row["factor"].get<double>()) == largest)
        at_largest[row["resource"]] = row["speedup"];
    const std::size_t of_all = largest == 2 ? 1 : 3;
    std::size_t gain = 0;
    for (const auto& [name, count] : rows) {
      ASSERT_EQ(at_largest.count(name), 1U) << name;
      EXPECT_EQ(count, at_largest[name] >= 1.002 ? of_all : 1) << name << ' ' << at_largest[name];
      gain += at_largest[name] >= 1.002;
    }
    EXPECT_GT(gain, 0U);
    EXPECT_LT(gain, rows.size());
    std::size_t simulated = 0;
    const std::regex number("([0-9]+) simulated again");
    for (std::sregex_iterator i(said.begin(), said.end(), number), end; i != end; ++i)
      simulated = std::max<std::size_t>(simulated, std::stoul((*i)[1]));
    EXPECT_EQ(simulated, r["whatif"].size() + 6) << said;
  }
}

TEST(whatif, infinity_is_the_largest_value_that_the_parameter_takes) {
  const json r = run("whatif --platform von_neumann_h100 --factors inf" + mini);
  for (const auto& row : r["whatif"]) {
    EXPECT_EQ(row["factor"], "inf");
    if (row["resource"] == "vector arithmetic") {
      EXPECT_EQ(row["set"], json::array({"gpu.vector_rate=1000 POPS"}));
    }
    if (row["resource"] == "launch") {
      EXPECT_THAT(row["set"].dump(), testing::HasSubstr("gpu.kernel_launch=0 ps"));
    }
  }
}

// The macros' port has 5 TB/s in this platform; twice as good is twice as fast, and no run is slower with it.
TEST(whatif, a_better_port_of_the_macros_is_a_faster_one) {
  const json r = run("whatif --platform cim_sram --factors 2" + mini);
  int rows = 0;
  for (const auto& row : r["whatif"]) {
    if (row["resource"] != "port of the macros") continue;
    ++rows;
    EXPECT_EQ(row["set"], json::array({"cim.port_bandwidth=10 TB/s"}));
    EXPECT_GT(row["speedup"], 0.99);
  }
  EXPECT_EQ(rows, 1);
}

TEST(whatif, factors_are_checked) {
  for (const char* wrong : {"0.5", "1", "two", "inf,", "2,-3"}) {
    const auto r = memwall("whatif --platform cim_sram --factors " + std::string(wrong) + mini);
    EXPECT_EQ(r.exit_code, 2) << wrong;
    EXPECT_THAT(r.err, testing::HasSubstr("--factors"));
  }
}

TEST(whatif, a_comparison_and_a_sweep_name_walls_too) {
  const temp_dir dir;
  const json c = run("compare --platform cim_dram --platform von_neumann_h100 --whatif --factors 2" + mini + "--out " +
                     (dir / "c"));
  for (const auto& p : c["platforms"]) {
    const std::string name = p["platform"];
    const json alone = run("whatif --platform " + name + " --factors 2" + mini);
    EXPECT_EQ(p["summary"]["bound_by"], alone["summary"]["bound_by"]);
    EXPECT_EQ(p["whatif"], alone["whatif"]);
  }
}

}  // namespace
