// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>

#include "platforms/describe/description.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

std::string message_of(const std::string& yaml, const std::vector<std::string>& sets = {}) {
  try {
    read_platform(config::node::parse_text(yaml, "p.yaml"), "p", sets);
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}

const char* const small = R"(
modules:
  mem: {type: dram, standard: DDR4-3200}
  xbar: {type: bus}
  gpu: {type: gpu, count: 2}
connect:
  - [gpu, xbar]
  - [xbar, mem]
mapping:
  - {executor: gpu, weights: mem, kv_cache: mem, activations: mem}
)";

void write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

TEST(description, counted_modules_become_a_group_and_connect_member_by_member) {
  const auto d = read_platform(config::node::parse_text(small, "p.yaml"), "p");
  ASSERT_EQ(d.group("gpu").size(), 2u);
  EXPECT_EQ(d.group("gpu")[1]->name, "gpu1");
  ASSERT_EQ(d.connections.size(), 3u);  // gpu0 -> xbar, gpu1 -> xbar, xbar -> mem
  EXPECT_EQ(d.connections[1].from, "gpu1");
}

TEST(description, set_reaches_modules_by_short_and_long_path) {
  const auto d = read_platform(config::node::parse_text(small, "p.yaml"), "p", {"gpu.sms=7", "modules.mem.channels=2"});
  EXPECT_EQ(d.find("gpu0")->tree.find("sms")->text(), "7");
  EXPECT_EQ(d.find("mem")->tree.find("channels")->text(), "2");
}

TEST(description, every_preset_reads) {
  const auto names = platform_names();
  ASSERT_GE(names.size(), 8u);
  for (const char* required : {"von_neumann_h100", "von_neumann_a100", "von_neumann_rtx4090", "von_neumann_cpu",
                               "von_neumann_unified", "cim_sram", "cim_analog", "cim_dram"})
    EXPECT_NE(std::find(names.begin(), names.end(), required), names.end()) << required;
  for (const auto& n : names) EXPECT_NO_THROW(load_platform(n)) << n;
}

TEST(description, derived_files_merge_and_cycles_are_named) {
  const test::temp_dir dir;
  write(dir / "child.yaml", "base: von_neumann_cpu\nmodules: {cpu: {cores: 3}}\n");
  const auto d = load_platform(dir / "child.yaml");
  EXPECT_EQ(d.find("cpu")->tree.find("cores")->text(), "3");
  EXPECT_NE(d.find("mem"), nullptr);
  write(dir / "a.yaml", "base: b.yaml\n");
  write(dir / "b.yaml", "base: a.yaml\n");
  try {
    load_platform(dir / "a.yaml");
    FAIL();
  } catch (const input_error& e) {
    EXPECT_NE(std::string(e.what()).find("cyclic: a.yaml -> b.yaml -> a.yaml"), std::string::npos) << e.what();
  }
}

TEST(description, names_what_is_wrong) {
  EXPECT_NE(message_of("modules: {}\nmapping: []").find("modules"), std::string::npos);
  EXPECT_NE(message_of(std::string(small) + "mappings: []").find("did you mean 'mapping'?"), std::string::npos);
  EXPECT_NE(message_of(small, {"gpuu.sms=3"}).find("did you mean 'gpu'?"), std::string::npos);
  EXPECT_NE(message_of(small, {"gpu.sms"}).find("has no '='"), std::string::npos);
  std::string bad = small;
  bad.replace(bad.find("[xbar, mem]"), 11, "[xbar, men]");
  EXPECT_NE(message_of(bad).find(
                "p.yaml:8: connect.1: unknown module 'men' (did you mean 'mem'? Expected a name under modules)"),
            std::string::npos)
      << message_of(bad);
  bad = small;
  bad.replace(bad.find("weights: mem"), 12, "weights: mme");
  EXPECT_NE(message_of(bad).find("mapping.0.weights: unknown module 'mme'"), std::string::npos) << message_of(bad);
  EXPECT_NE(message_of(small, {"gpu.count=0"}).find("an integer from 1 to 1024"), std::string::npos);
  EXPECT_NE(message_of(small, {"software=cuda_grph"}).find("did you mean 'cuda_graph'?"), std::string::npos);
}

TEST(description, globs_match_operator_names) {
  EXPECT_TRUE(matches_glob("layers.3.*", "layers.3.attn.qkv"));
  EXPECT_FALSE(matches_glob("layers.3.*", "layers.31.attn.qkv"));
}

}  // namespace
