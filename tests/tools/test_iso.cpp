// SPDX-License-Identifier: Apache-2.0
// Machines made equal: which counts are scaled, and that the comparison says so.
#include <gtest/gtest.h>

#include "hw/common/error.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tools/iso.h"

namespace {
using namespace memwall::tools;
using json = nlohmann::ordered_json;

json machine() {
  return json::parse(R"({"platform": "p", "machine": {"memory_bandwidth_gbps": 3350, "area_mm2": null},
    "memories": [{"name": "hbm", "channels": 160, "devices": 5, "capacity_bytes": 80e9, "read_bytes": 1, "write_bytes": 0},
                 {"name": "host_mem", "channels": 16, "devices": 8, "capacity_bytes": 5e11, "read_bytes": 0, "write_bytes": 0},
                 {"name": "pim", "channels": 640, "devices": 40, "capacity_bytes": 160e9, "read_bytes": 4, "write_bytes": 4}],
    "executors": [{"name": "cim", "operations": 3}],
    "config": {"platform": {"modules": {
      "hbm": {"type": "dram", "channels": 160}, "host_mem": {"type": "dram", "channels": 16},
      "pim": {"type": "dram", "channels": 640}, "cim": {"type": "cim", "memory": "pim", "hierarchy": {"chips": 40}}}}}})");
}

TEST(iso, whole_devices_are_scaled_and_units_in_banks_grow_with_their_memory) {
  // A fifth: one stack of five, eight chips of forty with the 128 channels that hold their units.
  EXPECT_EQ(scaled_counts(machine(), 0.2),
            (std::vector<std::string>{"cim.hierarchy.chips=8", "hbm.channels=32", "hbm.size=16000000000 B",
                                      "pim.channels=128", "pim.size=32000000000 B"}));
  // Less than a device is one; a memory that nobody used stays.
  EXPECT_EQ(scaled_counts(machine(), 0.001)[1], "hbm.channels=32");
  EXPECT_TRUE(scaled_counts(machine(), 1).empty());
}

TEST(iso, what_is_not_known_cannot_be_made_equal) {
  EXPECT_EQ(iso_value(machine(), "bandwidth"), 3350);
  EXPECT_THROW(iso_value(machine(), "area"), memwall::input_error);
}

TEST(iso, a_comparison_at_equal_bandwidth_says_what_it_scaled) {
  const memwall::test::temp_dir dir;
  const auto r = memwall::test::memwall(
      "compare --platform von_neumann_h100 --platform cim_dram --iso bandwidth --context 64 --model " +
      std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/mini --json --out " + (dir / "o"));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json c = r.json();
  // Forty stacks of 256 GB/s against 3350 GB/s: thirteen of them come nearest.
  EXPECT_EQ(c["iso"]["scaled"][0]["set"][0], "cim.hierarchy.chips=13");
  const double first = c["platforms"][0]["machine"]["memory_bandwidth_gbps"],
               second = c["platforms"][1]["machine"]["memory_bandwidth_gbps"];
  EXPECT_NEAR(second / first, 1, 0.04);  // half a stack of 13
  EXPECT_EQ(c["iso"]["scaled"][0]["has"], second);
}

TEST(iso, a_sweep_runs_machines_that_are_equal_at_every_point) {
  const memwall::test::temp_dir dir;
  const std::string words = "compare --platform von_neumann_h100 --platform cim_dram --iso bandwidth --model " +
                            std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/mini --json --out " + (dir / "o");
  const auto r = memwall::test::memwall(words + " --context 64 --sweep batch=1,4");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json c = r.json();
  EXPECT_EQ(c["iso"]["scaled"][0]["set"][0], "cim.hierarchy.chips=13");
  ASSERT_EQ(c["axes"][0]["points"].size(), 4U);
  for (const char* batch : {"1", "4"}) {
    const json result =
        json::parse(memwall::test::read_file(dir / ("o/cim_dram/batch-" + std::string(batch) + "/result.json")));
    EXPECT_EQ(result["config"]["platform"]["modules"]["cim"]["hierarchy"]["chips"], 13);
    EXPECT_EQ(result["workload"]["batch"], std::stoi(batch));
  }
  const auto refused = memwall::test::memwall(words + " --context 512 --sweep batch=1048575,1048576");
  EXPECT_EQ(refused.exit_code, 3) << "no room for the first point, so nothing can be made equal";
  EXPECT_NE(refused.err.find("--iso bandwidth needs its first point"), std::string::npos) << refused.err;
}

}  // namespace
