// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "hw/common/params.h"
#include "hw/common/registry.h"

using namespace memwall;

namespace {

struct sample_params {
  duration latency{14e-9};
  std::int64_t lanes = 16;
  std::string policy = "open";
  std::map<std::string, op_rate> rates{{"fp16", op_rate(1e12)}};
};

const param_table<sample_params>& table() {
  static const auto t = param_table<sample_params>("sample")
                            .add("latency", &sample_params::latency, "one way")
                            .range(duration(0), duration(1e-6))
                            .add("lanes", &sample_params::lanes, "lanes")
                            .range<std::int64_t>(1, 32)
                            .add("policy", &sample_params::policy, "page policy")
                            .choices({"open", "closed"})
                            .add("rates", &sample_params::rates, "by type");
  return t;
}

std::string message_of(const std::string& yaml) {
  try {
    table().read(config::node::parse_text(yaml, "f.yaml"));
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}

TEST(quantity, reads_units_of_its_dimension_only) {
  double v = 0;
  std::string expected;
  EXPECT_TRUE(parse_quantity("14 ns", "time", v, expected));
  EXPECT_DOUBLE_EQ(v, 14e-9);
  EXPECT_TRUE(parse_quantity("64KiB", "size", v, expected));
  EXPECT_DOUBLE_EQ(v, 65536);
  EXPECT_TRUE(parse_quantity("3.2 Gbps", "bit rate", v, expected));
  EXPECT_DOUBLE_EQ(v, 3.2e9);
  EXPECT_FALSE(parse_quantity("14", "time", v, expected)) << "a bare number is an error where a unit is needed";
  EXPECT_FALSE(parse_quantity("14 GB/s", "time", v, expected));
  EXPECT_FALSE(parse_quantity("nan ns", "time", v, expected));
  EXPECT_FALSE(parse_quantity("1e999 s", "time", v, expected));
}

// A number with an exponent of its own, to the last digit what it is without a unit.
TEST(quantity, exponents_of_number_and_unit_add_up) {
  double v = 0;
  std::string expected;
  EXPECT_TRUE(parse_quantity("2.5e3 ns", "time", v, expected));
  EXPECT_EQ(v, 2.5e-6);
  EXPECT_TRUE(parse_quantity("3e-1 ps", "time", v, expected));
  EXPECT_EQ(v, 0.3e-12);
  EXPECT_TRUE(parse_quantity("7E2 GB/s", "bandwidth", v, expected));
  EXPECT_EQ(v, 700e9);
}

TEST(quantity, prints_what_reads_back_to_the_same_value) {
  for (const auto& [value, dim] : std::vector<std::pair<double, const char*>>{{1.4e-12, "energy"},
                                                                              {65536, "size"},
                                                                              {3.2e9, "bit rate"},
                                                                              {1.0 / 3, "time"},
                                                                              {0, "time"},
                                                                              {80e9, "size"},
                                                                              {989.4e12, "operation rate"},
                                                                              {3.35e12, "bandwidth"},
                                                                              {1e-18, "time"},
                                                                              {5, "voltage"}}) {
    double back = -1;
    std::string expected;
    const std::string text = format_quantity(value, dim);
    EXPECT_TRUE(parse_quantity(text, dim, back, expected)) << text;
    EXPECT_DOUBLE_EQ(back, value) << text;
  }
}

// What people write in a file or in C++ comes back in the same digits, in the largest unit that leaves at least 1.
TEST(quantity, prints_the_digits_that_were_written) {
  for (const auto& [value, dim, text] :
       std::vector<std::tuple<double, const char*, const char*>>{{1e-9, "time", "1 ns"},
                                                                 {200e-9, "time", "200 ns"},
                                                                 {0.3e-12, "time", "0.3 ps"},
                                                                 {1.83e9, "frequency", "1.83 GHz"},
                                                                 {989.4e12, "operation rate", "989.4 TOPS"},
                                                                 {3.35e12, "bandwidth", "3.35 TB/s"},
                                                                 {0.5, "bandwidth", "0.5 B/s"},
                                                                 {0.05e-12, "energy", "50 fJ"},
                                                                 {81000.0 * 1048576, "size", "81000 MiB"},
                                                                 {65537, "size", "65537 B"},
                                                                 {0, "energy", "0 fJ"},
                                                                 {-2.5e-9, "time", "-2.5 ns"},
                                                                 {1e-30, "time", "1e-18 ps"}})
    EXPECT_EQ(format_quantity(value, dim), text);
  for (const char* unit : {"ps", "ns", "us", "ms"})
    for (int thousandths = 1; thousandths < 5000; thousandths += 7) {
      const std::string text =
          std::to_string(thousandths / 1000) + "." + std::to_string(1000 + thousandths % 1000).substr(1) + " " + unit;
      double value = 0, back = 0;
      std::string expected;
      ASSERT_TRUE(parse_quantity(text, "time", value, expected));
      const std::string shown = format_quantity(value, "time");
      ASSERT_TRUE(parse_quantity(shown, "time", back, expected));
      EXPECT_EQ(back, value) << text;
      EXPECT_LE(shown.size(), text.size() + 3) << shown << " for " << text;
    }
}

// One letter of up to four, two of up to seven: beyond, another thing was meant.
TEST(nearest_name, is_near_or_has_the_name_in_it) {
  const std::vector<std::string> names = {"gemma2",           "llama-65b",          "open",
                                          "von_neumann_h100", "von_neumann_h100x8", "mamba"};
  EXPECT_EQ(nearest_name("opne", names), "open") << "swapped letters are one change";
  EXPECT_EQ(nearest_name("lama-65B", names), "llama-65b");
  EXPECT_EQ(nearest_name("h100", names), "von_neumann_h100") << "the shortest that has it inside";
  EXPECT_EQ(nearest_name("H100x8", names), "von_neumann_h100x8");
  EXPECT_EQ(nearest_name("mamba2", {"gemma2"}), "");
  EXPECT_EQ(nearest_name("mamba2", names), "mamba");
  EXPECT_EQ(nearest_name("bleam", {"bloom"}), "bloom") << "five letters may have two wrong";
  EXPECT_EQ(nearest_name("opam", names), "") << "two of four are too many";
  EXPECT_EQ(nearest_name("ox", names), "") << "too short to be inside anything";
}

// Whoever is told the nearest name reads it first, and not every name there is; without one the list is all there is.
TEST(nearest_name, stands_before_a_list_that_is_cut_after_twelve) {
  std::string list = "one of: n1", cut = "one of: n1";
  for (int i = 2; i <= 20; ++i) list += ", n" + std::to_string(i);
  for (int i = 2; i <= 12; ++i) cut += ", n" + std::to_string(i);
  EXPECT_EQ((problem{"f", "k", "wrong", list, "n3"}.text()),
            "f: k: wrong (did you mean 'n3'? Expected " + cut + ", and 8 more)");
  EXPECT_EQ((problem{"f", "k", "wrong", list, ""}.text()), "f: k: wrong (expected " + list + ")");
  EXPECT_EQ((problem{"f", "k", "wrong", "one of: a, b", "a"}.text()),
            "f: k: wrong (did you mean 'a'? Expected one of: a, b)");
  EXPECT_EQ((problem{"f", "", "wrong", "", "a"}.text()), "f: wrong (did you mean 'a'?)");
}

TEST(params, reads_over_defaults_and_writes_back) {
  const auto p = table().read(config::node::parse_text("latency: 20 ns\nrates: {int8: 2 TOPS}", "f.yaml"));
  EXPECT_EQ(to_ps(p.latency), 20000);
  EXPECT_EQ(p.lanes, 16);
  EXPECT_DOUBLE_EQ(p.rates.at("int8").value, 2e12);
  EXPECT_DOUBLE_EQ(p.rates.at("fp16").value, 1e12);
  EXPECT_EQ(table().write(p)["latency"], "20 ns");
}

TEST(params, reports_every_problem_with_file_line_key_and_nearest_name) {
  const std::string m = message_of("latency: 20\nlane: 4\npolicy: opne\nlanes: 0\n");
  EXPECT_NE(m.find("f.yaml:1: latency: got '20' (expected a number with a unit of time"), std::string::npos) << m;
  EXPECT_NE(m.find("f.yaml:2: lane: unknown key"), std::string::npos) << m;
  EXPECT_NE(m.find("did you mean 'lanes'?"), std::string::npos) << m;
  EXPECT_NE(m.find("did you mean 'open'?"), std::string::npos) << m;
  EXPECT_NE(m.find("f.yaml:4: lanes: got 0, out of range (expected 1 to 32)"), std::string::npos) << m;
}

TEST(params, refuses_wrong_types_and_overflow) {
  EXPECT_NE(message_of("lanes: many"), "");
  EXPECT_NE(message_of("lanes: 99999999999999999999"), "");
  EXPECT_NE(message_of("lanes: 1.5"), "");
  EXPECT_NE(message_of("lanes: [1]"), "");
  EXPECT_NE(message_of("rates: 3 TOPS"), "");
  EXPECT_NE(message_of("a: 1\na: 2"), "") << "duplicate keys";
  EXPECT_NE(message_of("a: [1"), "") << "broken YAML";
}

TEST(config, merges_maps_and_sets_paths) {
  auto base = config::node::parse_text("a: {b: 1, c: 2}\nl: [1, 2]", "base.yaml");
  base.merge(config::node::parse_text("a: {c: 3}\nl: [9]", "over.yaml"));
  base.set("a.d", "4 ns", "--set a.d");
  EXPECT_EQ(base.at_path("a.b")->text(), "1");
  EXPECT_EQ(base.at_path("a.c")->text(), "3");
  EXPECT_EQ(base.at_path("a.d")->text(), "4 ns");
  EXPECT_EQ(base.at_path("a.d")->where(), "--set a.d");
  EXPECT_EQ(base.at_path("l")->entries().size(), 1u);
  EXPECT_EQ(base.at_path("a.b")->where(), "base.yaml:1");
}

TEST(registry, names_the_nearest_component) {
  registry<int> r("arbiter");
  r.add("round_robin", "takes turns", 1);
  EXPECT_EQ(r.get("round_robin"), 1);
  try {
    r.get("roundrobin", "p.yaml:3", "bus.arbiter");
    FAIL();
  } catch (const input_error& e) {
    EXPECT_NE(std::string(e.what()).find("p.yaml:3: bus.arbiter: unknown arbiter 'roundrobin'"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("did you mean 'round_robin'?"), std::string::npos);
  }
}

}  // namespace
