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

// A rule is for one layer, from one to another, from the first on or up to the last. Operators outside the layers (-1)
// are in no range. What is refused says how it should be: 5-3 the other way round.
TEST(description, layers_of_a_rule_are_one_or_a_range) {
  const auto with_layers = [](const std::string& layers) {
    std::string yaml = small;
    return yaml.replace(yaml.find("{executor"), 1, "{layers: " + layers + ", ");
  };
  struct range {
    const char* text;
    std::int64_t first, last;
  };
  for (const auto& r :
       {range{"3", 3, 3}, range{"0-19", 0, 19}, range{"7-7", 7, 7}, range{"20-", 20, INT64_MAX}, range{"-5", 0, 5}}) {
    const auto d = read_platform(config::node::parse_text(with_layers(r.text), "p.yaml"), "p");
    ASSERT_EQ(d.mapping.size(), 1u) << r.text;
    EXPECT_EQ(d.mapping[0].first_layer, r.first) << r.text;
    EXPECT_EQ(d.mapping[0].last_layer, r.last) << r.text;
    EXPECT_FALSE(d.mapping[0].matches_layer(-1)) << r.text;
  }
  const auto whole = read_platform(config::node::parse_text(small, "p.yaml"), "p");
  EXPECT_TRUE(whole.mapping[0].matches_layer(-1)) << "a rule without layers is for all";
  const std::string place = "p.yaml:10: mapping.0.layers: got '", syntax = "a layer or a range: 3, 0-19, 20-";
  EXPECT_EQ(message_of(with_layers("5-3")), place + "5-3': it ends before it begins (expected 3-5)");
  for (const char* text : {"three", "1-2-3", "1.5", "0-last", "1048577"})
    EXPECT_EQ(message_of(with_layers(text)), place + text + "' (expected " + syntax + ")");
  EXPECT_EQ(message_of(with_layers("[1, 2]")), place + "' (expected " + syntax + ")");
}

// A name that nobody knows was written on the command line, or behind base in a file: that is where it is looked for.
TEST(description, a_platform_that_is_not_there_is_told_with_the_place_that_names_it) {
  const auto refused = [](const std::string& name) -> std::string {
    try {
      load_platform(name);
    } catch (const input_error& e) {
      return e.what();
    }
    return "";
  };
  const std::string known = "' (did you mean 'von_neumann_cpu'? Expected one of: ";
  const std::string unknown = "unknown platform 'von_neuman_cpu" + known;
  EXPECT_EQ(refused("von_neuman_cpu").find("--platform von_neuman_cpu: " + unknown), 0u) << refused("von_neuman_cpu");
  const test::temp_dir dir;
  const std::string none = dir / "none.yaml";
  EXPECT_EQ(refused(none),
            "--platform " + none + ": platform file '" + none + "' does not exist (expected a YAML file)");
  write(dir / "child.yaml", "modules: {cpu: {cores: 3}}\nbase: von_neuman_cpu\n");
  const std::string child = refused(dir / "child.yaml");
  EXPECT_NE(child.find("child.yaml:2: "), std::string::npos) << child;
  EXPECT_NE(child.find(unknown), std::string::npos) << child;
}

TEST(description, globs_match_operator_names) {
  EXPECT_TRUE(matches_glob("layers.3.*", "layers.3.attn.qkv"));
  EXPECT_FALSE(matches_glob("layers.3.*", "layers.31.attn.qkv"));
}

}  // namespace
