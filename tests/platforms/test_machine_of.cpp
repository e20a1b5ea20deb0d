// SPDX-License-Identifier: Apache-2.0
// How large a machine is said to be beside what it did.
#include <gtest/gtest.h>

#include "platforms/tell/machine.h"

namespace memwall::platforms {
namespace {

using json = nlohmann::ordered_json;

/// A rack of eight chips and a GPU that work, a processor that does not; two memories of one standard and one of
/// another, and a host's that nothing touches.
json result() {
  return json::parse(R"({
    "summary": {"time_ns": 2e6, "energy_pj": 3e12},
    "config": {"platform": {"modules": {"cim": {"hierarchy": {"chips": 8}}, "gpu": {}, "cpu": {"hierarchy": {"chips": 5}}}}},
    "executors": [{"name": "cim0", "operations": 5.0, "figures": {"area_mm2": 100.5}}, {"name": "gpu", "operations": 1.0},
      {"name": "cpu", "operations": 0.0, "figures": {"area_mm2": 7.0}}],
    "memories": [
      {"read_bytes": 64, "write_bytes": 0, "capacity_bytes": 1e9, "peak_gbps": 100, "standard": "HBM3", "devices": 5},
      {"read_bytes": 0, "write_bytes": 64, "capacity_bytes": 2e9, "peak_gbps": 200, "standard": "HBM3", "devices": 5},
      {"read_bytes": 1, "write_bytes": 1, "capacity_bytes": 4e9, "peak_gbps": 400, "standard": "DDR5", "devices": 2.5},
      {"read_bytes": 8, "write_bytes": 0, "capacity_bytes": 8e9, "peak_gbps": 800},
      {"read_bytes": 0, "write_bytes": 0, "capacity_bytes": 16e9, "peak_gbps": 1600, "standard": "DDR4", "devices": 1}]})");
}

TEST(machine_of, counts_what_took_part) {
  const json m = machine_of(result());
  EXPECT_EQ(m["chips"], 8 + 1);
  EXPECT_EQ(m["memory_devices"], json::parse(R"({"HBM3": 10.0, "DDR5": 2.5})"));
  EXPECT_EQ(m["memory_capacity_bytes"], 15e9);
  EXPECT_EQ(m["memory_bandwidth_gbps"], 1500);
  EXPECT_EQ(m["area_mm2"], 100.5);
  EXPECT_EQ(m["power_w"], 1500) << "3 J in 2 ms";
}

TEST(machine_of, says_nothing_of_areas_and_times_that_are_not_there) {
  json r = result();
  r["executors"][0].erase("figures");
  r["summary"]["time_ns"] = 0;
  const json m = machine_of(r);
  EXPECT_TRUE(m["area_mm2"].is_null());
  EXPECT_TRUE(m["power_w"].is_null());
}

}  // namespace
}  // namespace memwall::platforms
