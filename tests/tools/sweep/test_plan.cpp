// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/temp_dir.h"

namespace {
using namespace memwall;
using namespace memwall::sweep;
using testing::ElementsAre;

plan make(const std::string& text, const std::string& directory = "", const program& p = {"/bin/true", "1", "d"}) {
  return plan(parse_spec("base: {platform: p, model: m}\n" + text, "s.yaml", directory), p);
}

std::string row(const plan& p, std::size_t i) {
  std::string out;
  for (const auto& v : p.at(i).values) out += (out.empty() ? "" : " ") + v.value_or("-");
  return out;
}

std::vector<std::string> rows(const plan& p) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < p.size(); ++i) out.push_back(row(p, i));
  return out;
}

std::string message_of(const std::string& text) {
  try {
    make(text);
  } catch (const input_error& e) {
    return e.what();
  }
  return "none";
}

TEST(sweep_plan, grid_in_order_first_axis_slowest) {
  const plan p = make("axes: {a: [1, 2], b: [x, y, z]}");
  EXPECT_THAT(rows(p), ElementsAre("1 x", "1 y", "1 z", "2 x", "2 y", "2 z"));
  EXPECT_THAT(p.at(4).arguments, ElementsAre("run", "--platform", "p", "--model", "m", "--set", "a=2", "--set", "b=y"));
  EXPECT_EQ(p.at(4).number, 4U);
}

TEST(sweep_plan, workload_options_and_base) {
  const plan p = plan(parse_spec("base: {platform: [p, q], model: m, workload: {phase: decode}, options: "
                                 "{seed: 3}, set: {gpu: {sms: 8}}}\n"
                                 "axes: {workload.batch: [1, 2]}",
                                 "s.yaml", ""),
                      {"/bin/true", "1", "d"});
  EXPECT_THAT(rows(p), ElementsAre("p 1", "p 2", "q 1", "q 2"));
  EXPECT_THAT(p.at(3).arguments, ElementsAre("run", "--platform", "q", "--model", "m", "--batch", "2", "--phase",
                                             "decode", "--seed", "3", "--set", "gpu.sms=8"));
}

TEST(sweep_plan, a_point_with_requests_is_served) {
  const test::temp_dir dir;
  std::ofstream(dir / "log.csv") << "arrival_s,input_tokens,output_tokens\n0,1,1\n";
  const std::string text =
      "base: {platform: p, model: m, workload: {dtype: fp16}, serve: {requests: log.csv, slo: ttft=9ms}}\n"
      "axes: {serve.rate: [1, 2]}";
  const plan p(parse_spec(text, "s.yaml", dir.path()), {"/bin/true", "1", "d"});
  const std::string file = std::filesystem::weakly_canonical(dir / "log.csv").string();
  EXPECT_THAT(p.at(1).arguments, ElementsAre("serve", "--platform", "p", "--model", "m", "--rate", "2", "--requests",
                                             file, "--slo", "ttft=9ms", "--dtype", "fp16"));
  // Other requests under the same name are another point.
  const std::string before = p.at(1).key;
  std::ofstream(dir / "log.csv") << "arrival_s,input_tokens,output_tokens\n0,1,2\n";
  EXPECT_NE(plan(parse_spec(text, "s.yaml", dir.path()), {"/bin/true", "1", "d"}).at(1).key, before);
}

TEST(sweep_plan, no_axes_is_one_point) {
  EXPECT_EQ(make("name: x").size(), 1U);
}

TEST(sweep_plan, zip_constraints_and_conditions) {
  EXPECT_THAT(rows(make("zip: {a: [1, 2], b: [x, ~]}\naxes: {c: [5, 6]}")),
              ElementsAre("5 1 x", "5 2 -", "6 1 x", "6 2 -"));
  EXPECT_THAT(rows(make("zip: [{a: [1, 2]}, {b: [3, 4], c: [5, 6]}]")),
              ElementsAre("1 3 5", "1 4 6", "2 3 5", "2 4 6"));
  EXPECT_THAT(rows(make("axes: {a: [1, 2, 3], b: [1, 2, 3]}\nwhen: [a * b <= 3, a != b]")),
              ElementsAre("1 2", "1 3", "2 1", "3 1"));
  // b only exists where a is 2; elsewhere one point is left and b stays at the base value.
  const plan p = make("axes: {a: [1, 2], b: {values: [x, y], when: a == 2}}");
  EXPECT_THAT(rows(p), ElementsAre("1 -", "2 x", "2 y"));
  EXPECT_THAT(p.at(0).arguments, ElementsAre("run", "--platform", "p", "--model", "m", "--set", "a=1"));
  EXPECT_TRUE(std::isnan(p.coordinates(0)[1]));
  EXPECT_EQ(p.coordinates(2)[1], 1);
}

TEST(sweep_plan, workloads_as_a_list) {
  const plan p = plan(parse_spec("base: {platform: p, model: m, workload: [{phase: prefill, prompt: 512}, "
                                 "{phase: decode, context: 64}]}",
                                 "s.yaml", ""),
                      {"/bin/true", "1", "d"});
  EXPECT_THAT(p.columns(), ElementsAre("workload.phase", "workload.prompt", "workload.context"));
  EXPECT_THAT(rows(p), ElementsAre("prefill 512 -", "decode - 64"));
}

TEST(sweep_plan, too_much_and_nothing) {
  EXPECT_THROW(make("axes: {a: {linear: [1, 10000], step: 1}, b: {linear: [1, 10000], step: 1}}"), input_error);
  EXPECT_THAT(message_of("axes: {a: [1]}\nwhen: a > 1"), testing::HasSubstr("s.yaml: when: leaves no point"));
  EXPECT_THROW(make("axes: {a: [x]}\nwhen: a > 1"), input_error);
}

TEST(sweep_plan, random_samples_are_distinct_repeatable_and_allowed) {
  const std::string text =
      "axes: {a: {linear: [1, 20], step: 1}, b: {linear: [1, 20], step: 1}}\nwhen: a < b\nsample: {method: "
      "random, count: 60, seed: ";
  const plan p = make(text + "3}"), same = make(text + "3}"), other = make(text + "4}");
  EXPECT_EQ(p.size(), 60U);
  EXPECT_EQ(rows(p), rows(same));
  EXPECT_NE(rows(p), rows(other));
  const auto all = rows(p);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 60U);
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_LT(std::stoi(*p.at(i).values[0]), std::stoi(*p.at(i).values[1]));
  // More than there are: 190 pairs satisfy a < b.
  EXPECT_LE(make("axes: {a: [1, 2, 3]}\nsample: {method: random, count: 50}").size(), 3U);
}

// Each of n strata of each axis holds exactly one of n points: that is what makes a hypercube Latin.
TEST(sweep_plan, latin_hypercube_covers_every_stratum) {
  constexpr std::size_t n = 37;
  const plan p = make(
      "axes: {a: {linear: [0, 1]}, b: {log: [1 GB/s, 1 TB/s]}, c: {linear: [1, 37], step: 1}}\n"
      "sample: {method: latin_hypercube, count: 37, seed: 5}");
  ASSERT_EQ(p.size(), n);
  std::set<std::size_t> a, b, c;
  for (std::size_t i = 0; i < n; ++i) {
    const auto v = p.at(i).values;
    a.insert(static_cast<std::size_t>(std::stod(*v[0]) * n));
    b.insert(static_cast<std::size_t>(std::log(std::get<double>(to_value(*v[1])) / 1e9) / std::log(1e3) * n));
    c.insert(std::stoul(*v[2]));
  }
  EXPECT_EQ(a.size(), n);
  EXPECT_EQ(b.size(), n);
  EXPECT_EQ(c.size(), n);
}

TEST(sweep_plan, key_covers_everything_the_result_depends_on) {
  const memwall::test::temp_dir dir;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(dir.path() + "/" + name) << text;
  };
  write("p.yaml", "base: q.yaml\na: 1\n");
  write("q.yaml", "b: 1\n");
  write("t.jsonl", "x\n");
  const auto key = [&](const std::string& set = "", const program& prog = {"/bin/true", "1", "d"}) {
    return plan(parse_spec("base: {platform: p.yaml, trace: t.jsonl, set: {c: 1}" + set + "}", "s.yaml", dir.path()),
                prog)
        .at(0)
        .key;
  };
  const std::string before = key();
  EXPECT_EQ(before, key());
  EXPECT_EQ(before.size(), 40U);
  EXPECT_NE(before, key(", workload: {batch: 2}"));
  EXPECT_NE(before, key("", {"/bin/true", "2", "d"}));
  EXPECT_NE(before, key("", {"/bin/true", "1", "e"}));
  EXPECT_EQ(before, key("", {"/elsewhere/true", "1", "d"}));
  write("q.yaml", "b: 2\n");  // what the platform derives from
  const std::string derived = key();
  EXPECT_NE(before, derived);
  write("q.yaml", "b: 1\n");
  EXPECT_EQ(before, key());
  write("t.jsonl", "y\n");
  EXPECT_NE(before, key());
  write("t.jsonl", "x\n");
  // The same files elsewhere are the same point.
  const memwall::test::temp_dir other;
  for (const char* f : {"p.yaml", "q.yaml", "t.jsonl"})
    std::filesystem::copy(dir.path() + "/" + f, other.path() + "/" + f);
  EXPECT_EQ(before, plan(parse_spec("base: {platform: p.yaml, trace: t.jsonl, set: {c: 1}}", "s.yaml", other.path()),
                         {"/bin/true", "1", "d"})
                        .at(0)
                        .key);
}

TEST(sweep_plan, order_of_settings_does_not_matter) {
  EXPECT_EQ(make("axes: {a: [1], b: [2]}").at(0).key, make("axes: {b: [2], a: [1]}").at(0).key);
}

}  // namespace
