// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "tests/cim/support.h"

using namespace memwall;
using namespace memwall::cim;
using namespace memwall::cim::test;

namespace {

std::string message_of(const std::string& yaml) {
  try {
    from_yaml(yaml);
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST(cim_presets, every_parameter_of_every_preset_has_a_source) {
  ASSERT_GE(macro_preset_names().size(), 13U);
  for (const auto& name : macro_preset_names()) {
    const auto tree = config::node::parse_file(std::string(MEMWALL_SOURCE_DIR) + "/hw/cim/presets/" + name + ".yaml");
    std::set<std::string> sourced;
    ASSERT_NE(tree.find("sources"), nullptr) << name;
    for (const auto& [keys, text] : tree.find("sources")->entries()) {
      EXPECT_FALSE(text.text().empty());
      std::istringstream words(keys);
      for (std::string w; words >> w;) sourced.insert(w);
    }
    for (const auto& [key, value] : tree.entries()) {
      if (key == "type" || key == "base" || key == "description" || key == "sources") continue;
      EXPECT_EQ(sourced.count(key), 1U) << name << ": " << key << " has no source";
      sourced.erase(key);
    }
    EXPECT_TRUE(sourced.empty()) << name << ": source of " << *sourced.begin() << ", which the preset does not set";
  }
}

TEST(cim_presets, resolved_parameters_read_back_to_the_same_macro) {
  for (const auto& name : macro_preset_names()) {
    const auto m = load_macro(name);
    const auto again = make_macro(config::node::parse_text(m->parameters().dump(), name + ".json"));
    EXPECT_EQ(again->parameters(), m->parameters()) << name;
    EXPECT_EQ(again->mvm({1, 1, 1, 1, 1, 0}).total, m->mvm({1, 1, 1, 1, 1, 0}).total) << name;
  }
}

TEST(cim_presets, a_derived_macro_takes_over_what_it_does_not_set) {
  const auto m = from_yaml("{base: tsmc_dcim_5nm, rows: 128}");
  EXPECT_EQ(m->shape(4).rows, 128);
  EXPECT_EQ(m->shape(4).cols, load_macro("tsmc_dcim_5nm")->shape(4).cols);
  EXPECT_TRUE(m->concurrent_program());
}

TEST(cim_presets, errors_name_the_key_and_the_nearest_word) {
  EXPECT_THAT(message_of("{type: digital_sarm}"), testing::HasSubstr("digital_sram"));
  EXPECT_THAT(message_of("{rows: 4}"), testing::HasSubstr("type"));
  EXPECT_THAT(message_of("{base: hermess}"), testing::HasSubstr("did you mean 'hermes'"));
  EXPECT_THAT(message_of("{base: hermes, colums: 3}"), testing::HasSubstr("did you mean 'columns'"));
  EXPECT_THAT(message_of("{base: hermes, step_time: 3}"), testing::HasSubstr("step_time"));
  EXPECT_THAT(message_of("{base: hermes, adc: sarr}"), testing::HasSubstr("sar"));
  EXPECT_THAT(message_of("{base: hermes, rows: 0}"), testing::HasSubstr("out of range"));
  EXPECT_THAT(message_of("{base: hermes, voltage: 0.2 V}"), testing::HasSubstr("threshold"));
  EXPECT_THAT(message_of("{base: jia_charge, clock_at: {fast: 3 MHz}}"), testing::HasSubstr("clock_at"));
  const std::string both = message_of("{base: hermes, colums: 3, rosw: 4}");
  EXPECT_THAT(both, testing::HasSubstr("colums"));
  EXPECT_THAT(both, testing::HasSubstr("rosw"));
}

TEST(cim_presets, presets_that_derive_from_each_other_are_refused) {
  const std::string dir = testing::TempDir();
  std::ofstream(dir + "/a.yaml") << "{base: " << dir << "/b.yaml}\n";
  std::ofstream(dir + "/b.yaml") << "{base: " << dir << "/a.yaml}\n";
  EXPECT_THAT(message_of("{base: " + dir + "/a.yaml}"), testing::HasSubstr("base: is cyclic: "));
}
