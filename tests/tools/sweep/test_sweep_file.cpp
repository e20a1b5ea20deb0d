// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/sweep_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {
using namespace memwall;
using namespace memwall::sweep;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string error_of(const std::string& text) {
  try {
    parse_spec(text, "s.yaml", "");
  } catch (const input_error& e) {
    return e.what();
  }
  return "none";
}

const std::string base = "base: {platform: p, model: m}\n";

TEST(sweep_file, ranges) {
  EXPECT_THAT(axis_values("[1, 2.5, 4 GB/s, fp16]"), ElementsAre("1", "2.5", "4 GB/s", "fp16"));
  EXPECT_THAT(axis_values("{linear: [1, 7], step: 2}"), ElementsAre("1", "3", "5", "7"));
  EXPECT_THAT(axis_values("{linear: [1, 8], step: 2}"), ElementsAre("1", "3", "5", "7"));  // stays inside
  EXPECT_THAT(axis_values("{linear: [0, 1], count: 5}"), ElementsAre("0", "0.25", "0.5", "0.75", "1"));
  EXPECT_THAT(axis_values("{linear: [0, 0.3], step: 0.1}"),
              ElementsAre("0", "0.1", "0.2", "0.3"));  // no 0.30000000000000004
  EXPECT_THAT(axis_values("{linear: [0, 0.123456789], count: 2}"), ElementsAre("0", "0.123456789"));  // every digit
  EXPECT_THAT(axis_values("{log: [1, 1000], count: 4}"), ElementsAre("1", "10", "100", "1000"));
  EXPECT_THAT(axis_values("{log: [1, 8], count: 7, integer: true}"), ElementsAre("1", "2", "3", "4", "6", "8"));
  EXPECT_THAT(axis_values("{log: [1 GB/s, 1 TB/s], count: 4}"), ElementsAre("1 GB/s", "10 GB/s", "100 GB/s", "1 TB/s"));
  EXPECT_THAT(axis_values("{powers_of_two: [1, 64]}"), ElementsAre("1", "2", "4", "8", "16", "32", "64"));
  EXPECT_THAT(axis_values("{powers_of_two: [3, 20]}"), ElementsAre("4", "8", "16"));
  EXPECT_THAT(axis_values("{powers_of_two: [1 KiB, 4 KiB]}"), ElementsAre("1 KiB", "2 KiB", "4 KiB"));
  EXPECT_THAT(axis_values("{linear: [5, 5], count: 1}"), ElementsAre("5"));
  EXPECT_THAT(axis_values("{values: [~, 3]}"), ElementsAre("~", "3"));
  // A list or a map is one value, in one line as --set takes it.
  EXPECT_THAT(axis_values("[[1, 2.5], {tile: [8, x], on: true}, [], 3]"),
              ElementsAre("[1,2.5]", R"({"tile":[8,"x"],"on":true})", "[]", "3"));
}

TEST(sweep_file, all_problems_at_once_with_line_and_key) {
  const std::string e = error_of(
      "base:\n"
      "  platfrom: p\n"                         // 2
      "  workload: {phase: decode, bach: 1}\n"  // 3
      "axes:\n"
      "  a: {linear: [1, 2 GB/s], count: 2}\n"  // 5
      "  b: {linear: [1, 2], step: 0}\n"        // 6
      "  c: {logarithm: [1, 2]}\n"              // 7
      "  d: []\n"                               // 8
      "sampel: {count: 3}\n");                  // 9
  EXPECT_THAT(e, AllOf(HasSubstr("s.yaml:2: base.platfrom: unknown key"), HasSubstr("did you mean 'platform'")));
  EXPECT_THAT(e, AllOf(HasSubstr("s.yaml:3: workload.bach"), HasSubstr("did you mean 'batch'")));
  EXPECT_THAT(e, HasSubstr("s.yaml:5: a.linear: got [1, 2 GB/s]"));
  EXPECT_THAT(e, HasSubstr("s.yaml:6: b.step: got '0'"));
  EXPECT_THAT(e, HasSubstr("s.yaml:7: c.logarithm: unknown key"));
  EXPECT_THAT(e, HasSubstr("s.yaml:8: d: has no values"));
  EXPECT_THAT(e, AllOf(HasSubstr("s.yaml:9: sampel: unknown key"), HasSubstr("did you mean 'sample'")));
  EXPECT_THAT(e, HasSubstr("base.platform: is missing"));
  EXPECT_THAT(e, HasSubstr("base.model: is missing"));
}

TEST(sweep_file, single_problems) {
  EXPECT_THAT(error_of(base + "axes: {a: {linear: [1, 2]}}"), HasSubstr("range without steps"));
  EXPECT_THAT(error_of(base + "axes: {a: [1], b: 3}"), HasSubstr("s.yaml:2: b: is not a list or a range"));
  EXPECT_THAT(error_of(base + "axes: {a: [1]}\nzip: {a: [1, 2]}"), HasSubstr("is an axis twice"));
  EXPECT_THAT(error_of(base + "zip: {a: [1, 2], b: [1]}"), HasSubstr("b: has 1 values (expected 2, as 'a'"));
  EXPECT_THAT(error_of(base + "axes: {a: [1]}\nwhen: b < 3"), HasSubstr("s.yaml:3: when: 'b < 3': unknown name 'b'"));
  EXPECT_THAT(error_of(base + "axes: {a: {log: [0, 3], count: 2}}"), HasSubstr("at or below zero"));
  EXPECT_THAT(error_of(base + "axes: {a: {linear: [3, 1], count: 2}}"), HasSubstr("runs down"));
  EXPECT_THAT(error_of(base + "sample: {method: sobol, count: 3}"), HasSubstr("got 'sobol'"));
  EXPECT_THAT(error_of(base + "sample: {method: random}"), HasSubstr("sample.count: is missing"));
  EXPECT_THAT(error_of(base + "limits: {timeout: 60}"), HasSubstr("s.yaml:2: limits.timeout: got '60'"));
  EXPECT_THAT(error_of("base: {platform: p, model: m, trace: t}"), HasSubstr("beside a model"));
  EXPECT_THAT(error_of("base: {platform: p, model: m, serve: {requets: x}}"), HasSubstr("did you mean 'requests'"));
  EXPECT_THAT(error_of("base: {platform: p, model: m, serve: {rate: 3}}"), HasSubstr("without serve.requests"));
  EXPECT_THAT(error_of("base: {platform: p, model: m, serve: {requests: x}, workload: {batch: 3}}"),
              HasSubstr("workload.batch: is given beside serve.requests"));
  EXPECT_THAT(error_of("- a"), HasSubstr("is not a map"));
  EXPECT_THAT(error_of("a: [1"), HasSubstr("not valid YAML"));
  EXPECT_THROW(read_spec("/does/not/exist.yaml"), input_error);
}

TEST(sweep_file, samples_are_counted_from_one_to_ten_million) {
  const auto read = [](const std::string& sample) { return parse_spec(base + "sample: " + sample, "s.yaml", ""); };
  EXPECT_EQ(read("{count: 1}").sample_count, 1U);
  EXPECT_EQ(read("{count: 1}").seed, 0U);
  EXPECT_EQ(read("{count: 10000000, seed: 1}").sample_count, 10000000U);
  EXPECT_EQ(read("{count: 1, seed: 0}").seed, 0U);
  EXPECT_EQ(read("{count: 1, seed: 1}").seed, 1U);
  EXPECT_EQ(read("{count: 1, seed: 9000000000000000}").seed, 9000000000000000U);
  for (const char* wrong : {"10000001", "0", "-1", "1.5", "x", "[1]", "3 GB"}) {
    const std::string e = error_of(base + "sample: {count: " + wrong + "}");
    EXPECT_THAT(e, HasSubstr("s.yaml:2: sample.count: got '"));
    EXPECT_THAT(e, HasSubstr("an integer from 1 to 10000000"));
    EXPECT_THAT(e, Not(HasSubstr("missing"))) << "it is there";
  }
  for (const char* wrong : {"9000000000000001", "-1", "0.5"})
    EXPECT_THAT(error_of(base + "sample: {count: 1, seed: " + wrong + "}"),
                HasSubstr("s.yaml:2: sample.seed: got '" + std::string(wrong)));
  EXPECT_THAT(error_of(base + "sample: {seed: 1}"), HasSubstr("sample.count: is missing"));
}

TEST(sweep_file, an_override_has_a_path_and_a_value) {
  for (const char* wrong : {"model", "=3", "="}) try {
      parse_spec(base, "s.yaml", "", {wrong});
      ADD_FAILURE() << wrong;
    } catch (const input_error& e) {
      EXPECT_THAT(e.what(), HasSubstr("--set: " + std::string(wrong) + ": has no '='")) << wrong;
    }
  EXPECT_EQ(parse_spec(base, "s.yaml", "", {"x="}).base.back().path, "x") << "an empty value, of a path of one letter";
}

TEST(sweep_file, limits_and_overrides) {
  const spec s =
      parse_spec(base + "limits: {timeout: 90 s, memory: 2 GiB}\nobjectives: [time_ns, energy_pj]\nslurm: {time: 60}",
                 "s.yaml", "", {"model=n", "gpu.sms=3"});
  EXPECT_EQ(s.timeout_s, 90);
  EXPECT_EQ(s.memory_bytes, 2147483648U);
  EXPECT_THAT(s.objectives, ElementsAre("time_ns", "energy_pj"));
  EXPECT_EQ(s.slurm.at("time"), "60");
  EXPECT_EQ(s.name, "s");
  ASSERT_EQ(s.base.size(), 3U);
  EXPECT_EQ(s.base[1].text + s.base[1].where, "n--set");
  EXPECT_EQ(s.base[2].path, "gpu.sms");
}

}  // namespace
