// SPDX-License-Identifier: Apache-2.0
// Law 12 on every preset: decode, prefill, 64 tokens, a served stream of 200 steps. An hour or more.
#include <filesystem>
#include <set>
#include <vector>

#include "tests/platforms/reuse_laws.h"

namespace memwall {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> presets() {
  std::set<std::string> out;
  for (const auto& f : fs::directory_iterator(std::string(MEMWALL_SOURCE_DIR) + "/platforms/presets"))
    if (f.path().extension() == ".yaml") out.insert(f.path().stem().string());
  return {out.begin(), out.end()};
}

class reuse_everywhere : public testing::TestWithParam<std::string> {
 protected:
  std::string words() const { return "--platform " + GetParam() + " --model tinyllama-1.1b --dtype int8/fp16/fp16 "; }
};
INSTANTIATE_TEST_SUITE_P(all, reuse_everywhere, testing::ValuesIn(presets()), [](const auto& i) { return i.param; });

TEST_P(reuse_everywhere, decode) {
  test::expect_run_agrees(words() + "--context 700");
}

TEST_P(reuse_everywhere, prefill) {
  test::expect_run_agrees(words() + "--phase prefill --prompt 300");
}

TEST_P(reuse_everywhere, tokens) {
  test::expect_run_agrees(words() + "--context 256 --tokens 64");
}

TEST_P(reuse_everywhere, service) {
  test::expect_service_agrees(
      words() + "--set software=vllm --requests closed:users=4,n=16,input=uniform:40-200,output=uniform:30-70");
}

}  // namespace
}  // namespace memwall
