// SPDX-License-Identifier: Apache-2.0
// One of many devices that are alike works for all: the result is that of a run in which each works.
#include <gtest/gtest.h>

#include "tests/support/run_program.h"

using namespace memwall;
using json = nlohmann::ordered_json;

namespace {

const std::string mini = " --model " + std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/mini --quiet --json ";

json run(const std::string& options) {
  const auto r = test::memwall("run" + mini + options);
  EXPECT_EQ(r.exit_code, 0) << options << ": " << r.err;
  return r.json();
}

json without_host(json r) {
  for (const char* key : {"host", "fidelity", "provenance", "config"}) r.erase(key);
  return r;
}

class symmetry : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(
    workloads, symmetry,
    testing::Values("--platform von_neumann_h100x2 --context 256", "--platform von_neumann_a100x8",
                    "--platform von_neumann_a100x8 --batch 3 --tokens 2",
                    "--platform von_neumann_a100x8 --phase prefill --prompt 96 --dtype int8/fp16/fp16"),
    [](const auto& i) { return "n" + std::to_string(i.index); });

TEST_P(symmetry, alike_devices_have_the_result_of_devices_that_each_work) {
  const json one = run(GetParam());
  const json all = run(std::string(GetParam()) + " --replay off");
  EXPECT_GT(one["host"]["alike_devices"], 1);
  EXPECT_EQ(all["host"]["alike_devices"], 1);
  EXPECT_EQ(json::diff(without_host(all), without_host(one)), json::array());
  // Nobody is left out: each device has worked, and shows under its own name.
  for (const auto& e : one["executors"]) {
    if (e["kind"] == "gpu") {
      EXPECT_GT(e["busy_ns"], 0) << e["name"];
    }
  }
}

TEST(no_symmetry, where_devices_meet_or_differ) {
  // A host's bus that all cards share; stages of a pipeline; one card with company in its memory.
  const std::string busy = std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/busy_neighbour.yaml";
  for (const std::string& platform :
       {std::string("von_neumann_rtx4090x2"), std::string("von_neumann_h100x2 --set parallel=pipeline"), busy})
    EXPECT_EQ(run("--platform " + platform)["host"]["alike_devices"], 1) << platform;
}

}  // namespace
