// SPDX-License-Identifier: Apache-2.0
// Law 11 over presets and workloads: the long version of test_whatif.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/run_program.h"

namespace {
using memwall::test::memwall;
using json = nlohmann::ordered_json;

struct job {
  const char* arguments;
};
std::ostream& operator<<(std::ostream& out, const job& j) {
  return out << j.arguments;
}

json run(const std::string& arguments) {
  const auto r = memwall(arguments + " --json --quiet");
  EXPECT_EQ(r.exit_code, 0) << arguments << "\n" << r.err;
  return r.exit_code == 0 ? r.json() : json();
}

class law_11 : public testing::TestWithParam<job> {};

TEST_P(law_11, gains_and_walls_hold) {
  const std::string arguments = GetParam().arguments;
  const json r = run("whatif " + arguments);
  ASSERT_TRUE(r.contains("whatif"));
  const double base = r["summary"]["time_ns"];
  double most = 0;
  std::string best;
  for (const auto& row : r["whatif"]) {
    std::string sets;
    for (const auto& s : row["set"]) sets += " --set '" + s.get<std::string>() + "'";
    const double again = run("run " + arguments + sets)["summary"]["time_ns"];
    EXPECT_NEAR(base / again / row["speedup"].get<double>(), 1, 0.01) << row.dump();
    if (row["factor"] == 2 && base / again > most) most = base / again, best = row["resource"];
  }
  const json& wall = r["summary"]["bound_by"];
  if (most >= 1.01) {
    EXPECT_NE(wall.dump().find(best), std::string::npos) << wall << ", but " << best << " gains " << most;
  }
}

INSTANTIATE_TEST_SUITE_P(
    presets, law_11,
    testing::Values(
        // The three that a name by booked time got wrong.
        job{"--platform von_neumann_h100 --model llama-65b --context 2048 --dtype int4g32/fp16/fp16"},
        job{"--platform von_neumann_h100x2 --model llama-3.1-70b --dtype fp8 --batch 64 --context 8192"},
        job{"--platform von_neumann_h100 --model qwen2.5-7b --dtype int4g32/fp16/fp16 --set hbm.standard=LPDDR5X-8533 "
            "--set hbm.channels=16 --set hbm.size='16 GiB' --set gpu.sms=16 --set gpu.vector_rate='4 TFLOPS' --set "
            "gpu.tensor_rate.fp16='64 TFLOPS' --set gpu.l2_bandwidth='600 GB/s'"},
        job{"--platform von_neumann_h100 --model gpt-2 --context 512"},
        job{"--platform von_neumann_h100 --model gpt-2 --context 512 --batch 64"},
        job{"--platform von_neumann_h100 --model gpt-2 --phase prefill --prompt 512"},
        job{"--platform von_neumann_h200 --model llama-3.1-8b"},
        job{"--platform von_neumann_a100 --model llama-2-7b --dtype int8"},
        job{"--platform von_neumann_a100 --model gpt-2 --context 512 --batch 64"},
        job{"--platform von_neumann_a100x8 --model gpt-3-175b --dtype int8"},
        job{"--platform von_neumann_v100 --model gpt-2 --context 512"},
        job{"--platform von_neumann_l4 --model gpt-2 --context 512"},
        job{"--platform von_neumann_rtx4090 --model llama-2-7b --dtype int4g32/fp16/fp16"},
        job{"--platform von_neumann_rtx4090 --model llama-2-7b --set software=llama_cpp"},
        job{"--platform von_neumann_rtx3090 --model gpt-2 --phase prefill --prompt 256"},
        job{"--platform von_neumann_rtx4090x2 --model llama-2-7b"},
        job{"--platform von_neumann_mi300x --model llama-2-7b"},
        job{"--platform von_neumann_m2_ultra --model llama-2-7b"},
        job{"--platform von_neumann_cpu --model gpt-2 --context 512"},
        job{"--platform von_neumann_cpu --model gpt-2 --context 512 --batch 16"},
        job{"--platform von_neumann_cpu --model gpt-2 --phase prefill --prompt 128"},
        job{"--platform von_neumann_ryzen7950x --model gpt-2 --context 512"},
        job{"--platform von_neumann_i9_13900k --model gpt-2 --context 512"},
        job{"--platform offload_rtx3090ti --model llama-2-7b --dtype int4g32/fp16/fp16"},
        job{"--platform layer_split_rtx4090_rtx3090ti --model llama-2-7b"},
        job{"--platform cim_sram --model gpt-2 --context 512"},
        job{"--platform cim_sram --model gpt-2 --context 512 --batch 16"},
        job{"--platform cim_analog --model gpt-2 --context 512 --dtype int8/fp16/fp16"},
        job{"--platform cim_analog_pcm --model gpt-2 --context 512 --dtype int8/fp16/fp16 --batch 8"},
        job{"--platform cim_dram --model gpt-2 --context 512"}, job{"--platform cim_dram --model llama-2-7b --batch 4"},
        job{"--platform cim_dram_aim --model llama-2-7b"}, job{"--platform hybrid_gpu_hbm_pim --model llama-2-7b"},
        job{"--platform cim_sram_digital_rack --model llama-3.1-8b --dtype int8/fp16/fp16"}));

}  // namespace
