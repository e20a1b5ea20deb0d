// SPDX-License-Identifier: Apache-2.0
// The last look at a result: each defect in an otherwise sound one is found.
#include <gtest/gtest.h>

#include "platforms/tell/check_result.h"

using namespace memwall;
using json = nlohmann::ordered_json;

namespace {

json sound() {
  return json::parse(R"({
    "summary": {"time_ns": 1.5, "tokens": 1, "energy_pj": 2.0, "bound_by": "memory", "dram_utilization": 0.5},
    "stall_stack_ns": {"compute": 0.5, "launch": 1.0},
    "memories": [{"name": "m", "read_bytes": 64, "latency_ns": {"p99": 3.0}}],
    "layers": [{"name": "a", "layer": -1, "start_ns": 0.0, "end_ns": 1.5, "stall_stack_ns": {"compute": 1.5}}]})");
}

std::size_t defects(const std::string& pointer, const json& value) {
  json r = sound();
  r[json::json_pointer(pointer)] = value;
  return platforms::defects_of(r).size();
}

TEST(check_result, a_sound_result_passes) {
  EXPECT_EQ(platforms::defects_of(sound()), std::vector<std::string>{});
}

TEST(check_result, each_defect_is_found) {
  EXPECT_GT(defects("/summary/time_ns", 0), 0u);
  EXPECT_GT(defects("/summary/time_ns", -1.5), 0u);
  EXPECT_GT(defects("/summary/time_ns", nullptr), 0u);
  EXPECT_GT(defects("/summary/energy_pj", -1e-3), 0u);
  EXPECT_GT(defects("/summary/energy_pj", std::numeric_limits<double>::infinity()), 0u);
  EXPECT_GT(defects("/summary/energy_pj", std::nan("")), 0u);
  EXPECT_GT(defects("/stall_stack_ns/compute", 0.501), 0u) << "a picosecond more than the time";
  EXPECT_GT(defects("/stall_stack_ns", json{{"compute", -1.0}, {"launch", 2.5}}), 0u) << "a negative part";
  EXPECT_GT(defects("/memories/0/read_bytes", -64), 0u);
  EXPECT_GT(defects("/memories/0/latency_ns/p99", -3.0), 0u);
  EXPECT_GT(defects("/layers/0/end_ns", 1.6), 0u) << "its stack is shorter";
  EXPECT_GT(defects("/layers/0/start_ns", 2.0), 0u) << "it ends before it begins";
  EXPECT_GT(defects("/layers/0/stall_stack_ns/compute", 1.4), 0u);
}

// A figure that no table declares would be in no schema, no documentation and no column.
TEST(check_result, figures_that_nobody_declared_are_found) {
  EXPECT_EQ(defects("/summary/latency", 1.0), 1u);
  EXPECT_EQ(defects("/memories/0/latency_ns/p42", 1.0), 1u);
  EXPECT_EQ(defects("/memories/0/commands", json{{"ACT", 3}}), 0u) << "any name stands there";
  EXPECT_EQ(defects("/memories/0/commands", json{{"ACT", -3}}), 1u);
  EXPECT_EQ(defects("/speed", 1.0), 1u);
}

// 9,000 s in nanoseconds is as far as femtoseconds in 64 bits reach.
TEST(check_result, an_undeclared_figure_is_named_with_its_place) {
  json r = sound();
  r["layers"][0]["nonsense"] = 1;
  r["odd"] = 1;
  const auto found = platforms::defects_of(r);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].rfind("layers[].nonsense ", 0), 0u) << found[0];
  EXPECT_EQ(found[1].rfind("odd ", 0), 0u) << found[1];
}

TEST(check_result, times_beyond_the_clocks_are_found) {
  json r = sound();
  r["summary"]["time_ns"] = 9.1e12;
  r["stall_stack_ns"] = {{"compute", 9.1e12}};
  r.erase("layers");
  EXPECT_EQ(platforms::defects_of(r).size(), 1u);
  r["summary"]["time_ns"] = 8.9e12;
  r["stall_stack_ns"] = {{"compute", 8.9e12}};
  EXPECT_EQ(platforms::defects_of(r).size(), 0u);
}

TEST(check_result, a_partial_result_may_be_of_no_time) {
  json r = sound();
  r["summary"]["time_ns"] = 0;
  r["stall_stack_ns"] = json::object();
  r["layers"] = json::array();
  EXPECT_GT(platforms::defects_of(r).size(), 0u);
  r["partial"] = true;
  EXPECT_EQ(platforms::defects_of(r).size(), 0u);
  EXPECT_NO_THROW(platforms::check_result(r));
  r["summary"]["time_ns"] = -1;
  EXPECT_THROW(platforms::check_result(r), std::runtime_error);
}

}  // namespace
