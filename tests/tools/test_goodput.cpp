// SPDX-License-Identifier: Apache-2.0
// How many requests a machine serves: the search against thresholds that are known, rates and knees worked out by hand,
// and the command on machines whose order is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "hw/common/error.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tools/line_chart.h"
#include "tools/serve/goodput.h"
#include "tools/serve/load_search.h"
#include "tools/serve/rate_curves.h"
#include "tools/serve/rate_range.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;
using testing::HasSubstr;

struct searched {
  double carried = 0, too_much = 0;
  std::vector<double> tried;
};

/// A machine that carries every load up to `most`.
searched search(double ceiling, double precision, bool whole, double most) {
  load_search s(ceiling, precision, whole);
  searched out;
  while (const auto load = s.next()) {
    out.tried.push_back(*load);
    if (out.tried.size() > 100) break;
    s.told(*load, *load <= most);
  }
  out.carried = s.carried();
  out.too_much = s.too_much();
  return out;
}

TEST(load_search, ends_with_a_bracket_as_narrow_as_asked_for_around_what_is_carried) {
  for (const double most : {0.1, 0.37, 1.0, 3.3, 7.7, 50.0, 99.0}) {
    const auto s = search(100, 0.05, false, most);
    EXPECT_LE(s.carried, most);
    EXPECT_GT(s.too_much, most);
    EXPECT_LE(s.too_much / s.carried, 1.051) << most;
    // Halving from 100 to `most`, then four halvings of a factor 2 in logarithms: 2^(1/16) is 1.044.
    EXPECT_LE(s.tried.size(), std::ceil(std::log2(100 / most)) + 5) << most;
  }
}

TEST(load_search, gives_up_at_a_1024th) {
  const auto s = search(100, 0.05, false, 0.001);
  EXPECT_EQ(s.carried, 0);
  EXPECT_EQ(s.tried.size(), 10U);  // 50, 25, ..., 100/1024
  EXPECT_NEAR(s.tried.back(), 100.0 / 1024, 1e-3);
}

TEST(load_search, whole_loads_are_found_exactly) {
  for (int most = 1; most < 40; ++most) {
    const auto s = search(40, 0.001, true, most);
    EXPECT_EQ(s.carried, most);
    EXPECT_EQ(s.too_much, most + 1);
    for (const double t : s.tried) EXPECT_EQ(t, std::floor(t));
  }
  EXPECT_EQ(search(40, 0.001, true, 0).carried, 0);
}

TEST(rates, are_equal_ratios_lists_or_one) {
  EXPECT_EQ(parse_rates("8", "--rate"), std::vector<double>{8});
  EXPECT_EQ(parse_rates("9,3,3", "--rate"), (std::vector<double>{3, 9}));
  // Each twice the one before.
  const auto four = parse_rates("5..40:4", "--rate");
  ASSERT_EQ(four.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(four[i], 5 * std::pow(2, i), 1e-9);
  EXPECT_EQ(parse_rates("1..100", "--rate").size(), 8U);
  EXPECT_EQ(parse_rates("0.5..0.7:3", "--rate").back(), 0.7);
}

TEST(rates, bad_ones_are_explained) {
  const auto told = [](const std::string& text) {
    try {
      parse_rates(text, "--rate");
    } catch (const input_error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(told("40..5"), HasSubstr("ends before it begins"));
  EXPECT_THAT(told("5..5"), HasSubstr("ends before it begins"));
  EXPECT_THAT(told("0..5"), HasSubstr("got '0' in '0..5'"));
  EXPECT_THAT(told("-3"), HasSubstr("above 0"));
  EXPECT_THAT(told("fast"), HasSubstr("got 'fast'"));
  EXPECT_THAT(told("1,,2"), HasSubstr("got ''"));
  EXPECT_THAT(told("nan"), HasSubstr("got 'nan'"));
  EXPECT_THAT(told("1..2:1"), HasSubstr("got '1' points"));
  EXPECT_THAT(told("1..2:9999"), HasSubstr("from 2 to 200"));
  EXPECT_THAT(told("1..2:x"), HasSubstr("got 'x' points"));
}

TEST(rates, a_specification_may_leave_the_rate_to_the_search) {
  EXPECT_EQ(with_some_rate("poisson:n=3"), "poisson:n=3,rate=1");
  EXPECT_EQ(with_some_rate("gamma"), "gamma:rate=1");
  EXPECT_EQ(with_some_rate("gamma:"), "gamma:rate=1");
  EXPECT_EQ(with_some_rate("poisson:n=3,rate=9"), "poisson:n=3,rate=9");
  EXPECT_EQ(with_some_rate("closed:n=3"), "closed:n=3");
  EXPECT_EQ(with_some_rate("log.csv"), "log.csv");
}

// An M/M/1 queue with service rate 10 takes 1/(10 - r): rate over latency is r (10 - r), most at half of what it
// serves.
TEST(knee, of_a_single_queue_is_at_half_of_its_capacity) {
  std::vector<std::pair<double, double>> points;
  for (int r = 1; r <= 9; ++r) points.emplace_back(r, 1.0 / (10 - r));
  EXPECT_EQ(knee_of(points), 4U);
  EXPECT_EQ(points[*knee_of(points)].first, 5);
  points.resize(5);
  EXPECT_EQ(knee_of(points), std::nullopt) << "it may lie beyond the last point";
  EXPECT_EQ(knee_of({}), std::nullopt);
}

TEST(with_users, replaces_the_word_or_adds_it) {
  EXPECT_EQ(with_users("closed:users=8,n=100", 3), "closed:users=3,n=100");
  EXPECT_EQ(with_users("closed:n=100,users=8", 3), "closed:n=100,users=3");
  EXPECT_EQ(with_users("closed:n=100", 3), "closed:n=100,users=3");
  EXPECT_EQ(with_users("closed", 3), "closed:users=3");
}

/// A served run: p90 of the first token and of each other, in ms, against 100 and 10.
json served(double rate, double ttft, double tpot, double within, double watts = 100) {
  const auto spread = [](double v) {
    return json{{"mean", v / 2}, {"p50", v / 2}, {"p90", v}, {"p95", v}, {"p99", v}};
  };
  return {
      {"summary", {{"energy_per_token_pj", 2e9}, {"energy_per_request_pj", 2e11}, {"booked_most", "memory"}}},
      {"serving",
       {{"requests", 10},
        {"completed", 10},
        {"requests_per_s", rate},
        {"output_tokens_per_s", 100 * rate},
        {"ttft_ms", spread(ttft)},
        {"tpot_ms", spread(tpot)},
        {"e2e_ms", spread(4000)},
        {"goodput", {{"ttft_ms", 100.0}, {"tpot_ms", 10.0}, {"share", within}, {"requests_per_s", rate * within}}}}},
      {"stall_stack_ns", {{"compute", 1.0}}},
      {"fidelity", {{"reuse", {{"mode", "off"}}}}},
      {"machine",
       {{"chips", 1},
        {"memory_capacity_bytes", 8e10},
        {"memory_bandwidth_gbps", 3350},
        {"area_mm2", nullptr},
        {"power_w", watts}}}};
}

found_load machine(const std::string& name, double factor) {
  found_load f;
  f.platform = name;
  f.at_once = served(30 * factor, 900, 30, 0.1);
  f.tried = {{20 * factor, served(20 * factor, 150, 12, 0.5)},
             {10 * factor, served(10 * factor, 50, 8, 0.95, 100 * factor)},
             {5 * factor, served(5 * factor, 40, 5, 1)}};
  f.carried = 10 * factor;
  return f;
}

TEST(goodput, tells_what_is_served_and_which_limit_ends_it) {
  const json e = goodput_json(machine("a", 1));
  EXPECT_EQ(e["carried"], 10);
  EXPECT_EQ(e["too_much"], 20);
  // At 20 a second: 150 of 100 ms is 1.5 times, 12 of 10 ms only 1.2.
  EXPECT_EQ(e["limited_by"], "ttft");
  EXPECT_EQ(e["points"].size(), 3U);
  EXPECT_EQ(e["points"][0]["load"], 5) << "sorted";
  EXPECT_EQ(e["points"][1]["tightest"], "tpot");
  EXPECT_NEAR(e["points"][1]["of_limit"], 0.8, 1e-12);
  // Ten a second that stay two seconds each (the mean): twenty are under way.
  EXPECT_NEAR(e["at"]["under_way"], 20, 1e-9);
  // 10 a second for 100 W.
  EXPECT_NEAR(e["at"]["requests_per_s_per_kw"], 100, 1e-9);
}

// Whatever was tried is carried: what all at once came to is the least that is too much.
TEST(goodput, the_throughput_without_limits_is_too_much) {
  found_load f = machine("a", 1);
  f.tried.erase(f.tried.begin());
  f.ceiling = 10.4;
  const json e = goodput_json(f);
  EXPECT_EQ(e["too_much"], 10.4);
  EXPECT_EQ(e["limited_by"], "ttft") << "900 of 100 ms, 30 of 10";
  EXPECT_EQ(goodput_table(json::array({e})).find("at least"), std::string::npos);
}

TEST(goodput, who_loses_is_said) {
  const json entries = {goodput_json(machine("a", 1)), goodput_json(machine("b", 0.25)), goodput_json(machine("c", 4))};
  EXPECT_THAT(goodput_verdict(entries[1], entries[0]),
              HasSubstr("b loses: it serves 0.25x the requests of a at 0.25x"));
  EXPECT_THAT(goodput_verdict(entries[2], entries[0]), HasSubstr("c wins: it serves 4x the requests of a at 4x"));
  EXPECT_THAT(goodput_verdict(entries[2], entries[0]), HasSubstr("misses the first token"));
  const std::string table = goodput_table(entries);
  EXPECT_THAT(table, HasSubstr("requests/s it serves"));
  EXPECT_THAT(table, HasSubstr("2.00 mJ"));
}

TEST(goodput, none_within_the_limits_and_what_does_not_fit_are_said) {
  found_load none = machine("none", 1);
  none.carried = 0;
  none.tried = {{1, served(1, 120, 5, 0)}};
  json e = goodput_json(none);
  EXPECT_FALSE(e.contains("at"));
  EXPECT_THAT(goodput_verdict(e, goodput_json(machine("a", 1))), HasSubstr("serves none within the limits"));
  EXPECT_THAT(goodput_verdict(e, goodput_json(machine("a", 1))), HasSubstr("1.2 times its limit"));
  EXPECT_THAT(goodput_table(json::array({e})), HasSubstr("none"));
  found_load large;
  large.platform = "large";
  large.at_once = {{"exit_code", 3}, {"message", "too large"}};
  e = goodput_json(large);
  EXPECT_THAT(goodput_verdict(e, goodput_json(machine("a", 1))), HasSubstr("too large"));
  EXPECT_THAT(goodput_table(json::array({e})), HasSubstr("does not fit"));
}

TEST(goodput, all_at_once_within_the_limits_is_a_least) {
  found_load f;
  f.platform = "fast";
  f.at_once = served(30, 50, 5, 1);
  f.tried = {{30, f.at_once}};
  f.carried = f.ceiling = 30;
  const json e = goodput_json(f);
  EXPECT_TRUE(e["too_much"].is_null());
  EXPECT_THAT(goodput_table(json::array({e})), HasSubstr("at least 30"));
}

TEST(goodput, requests_that_are_not_done_are_not_within_limits) {
  json r = served(1, 1, 1, 0.95);
  EXPECT_TRUE(within_limits(r, 95));
  EXPECT_FALSE(within_limits(r, 99));
  r["serving"]["completed"] = 9;
  EXPECT_FALSE(within_limits(r, 95));
}

TEST(goodput, the_picture_has_every_point_the_limit_and_the_rings) {
  const json entries = {goodput_json(machine("a", 1)), goodput_json(machine("b<", 0.25))};
  const std::string svg = goodput_svg(entries, "t & u");
  const auto count = [&svg](const std::string& what) {
    int n = 0;
    for (std::size_t at = svg.find(what); at != std::string::npos; at = svg.find(what, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(count("r=\"3\""), 6);
  EXPECT_EQ(count("r=\"7\""), 2);
  EXPECT_EQ(count("stroke-dasharray"), 1);
  EXPECT_EQ(count("b&lt;"), 1);
  EXPECT_EQ(count("t &amp; u"), 1);
  EXPECT_EQ(count("nan"), 0);
}

rate_curve curve(const std::string& name, const std::vector<double>& mean_ms) {
  rate_curve c{name, {1, 2, 4, 8}, {}};
  for (std::size_t i = 0; i < mean_ms.size(); ++i) {
    json r = served(c.rates[i], 1, 1, 1);
    r["serving"]["preemptions"] = 0;
    r["serving"]["e2e_ms"]["mean"] = mean_ms[i];
    c.results.push_back(r);
  }
  return c;
}

TEST(rate_curves, know_the_knee_and_where_platforms_cross) {
  // Rate over time: 1/10, 2/10, 4/12, 8/80 requests/s a ms: most at the third.
  const json a = curve_json(curve("a", {10, 10, 12, 80}));
  EXPECT_EQ(a["knee"]["rate"], 4);
  EXPECT_EQ(a["knee"]["e2e_mean_ms"], 12);
  EXPECT_THAT(curve_table(a), HasSubstr("<- knee"));
  // b takes half of a's time at 2 and twice of it at 4: equal in the middle, in logarithms at the root of 8.
  const json b = curve_json(curve("b", {5, 5, 24, 160}));
  const json found = rate_crossings(a, b);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NEAR(found[0]["rate"], std::sqrt(8.0), 1e-9);
  EXPECT_EQ(found[0]["loses_beyond"], true);
  EXPECT_EQ(rate_verdict(a, b), "b answers faster than a up to 2.83 requests/s, slower beyond");
  EXPECT_EQ(rate_verdict(a, a).find("nan"), std::string::npos);
  const std::string svg = curve_svg({a, b}, "t");
  EXPECT_NE(svg.find("r=\"7\""), std::string::npos);
}

TEST(rate_curves, skip_what_did_not_run) {
  auto c = curve("a", {10, 10, 12, 80});
  c.results[1] = {{"exit_code", 3}, {"message", "too large"}};
  const json e = curve_json(c);
  EXPECT_EQ(e["points"][1]["exit_code"], 3);
  EXPECT_EQ(e["knee"]["rate"], 4);
  EXPECT_THAT(curve_table(e), HasSubstr("does not fit"));
}

// ---------------------------------------------------------------------------------------------- the command

const std::string ask =
    "compare --model gpt-2 --dtype fp16 --set software=vllm --requests "
    "poisson:n=60,input=64,output=16 --slo ttft=14ms,tpot=6ms --precision 0.2 ";

TEST(compare_requests, the_faster_card_serves_more_and_the_bracket_holds) {
  const test::temp_dir dir;
  const auto r =
      test::memwall(ask + "--platform von_neumann_rtx3070 --platform von_neumann_h100 --json --out " + (dir / "o"));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json d = r.json();
  EXPECT_EQ(d["schema"], "memwall-goodput-1");
  ASSERT_EQ(d["platforms"].size(), 2U);
  EXPECT_GT(d["platforms"][1]["carried"], d["platforms"][0]["carried"]);
  for (const auto& p : d["platforms"]) {
    const double carried = p["carried"], too_much = p["too_much"];
    EXPECT_LE(too_much, 1.21 * carried);
    for (const auto& t : p["points"])
      EXPECT_EQ(t["load"].get<double>() <= carried, t["within"].get<double>() >= 0.9) << p["platform"];
    const std::string folder = (dir / "o") + "/" + p["folder"].get<std::string>();
    EXPECT_TRUE(std::filesystem::exists(folder + "/requests.csv"));
    const json run = json::parse(test::read_file(folder + "/result.json"));
    // What is told is what that run says, and a run by hand says the same.
    EXPECT_EQ(run["serving"]["requests_per_s"], p["at"]["requests_per_s"]);
    EXPECT_NEAR(run["machine"]["power_w"],
                run["summary"]["energy_pj"].get<double>() / run["summary"]["time_ns"].get<double>() * 1e-3, 1e-6);
  }
  EXPECT_TRUE(std::filesystem::exists(dir / "o/results.csv"));
  EXPECT_TRUE(std::filesystem::exists(dir / "o/goodput.svg"));
  // The same bytes with another number of jobs, in the same folder: nothing of the first is left.
  const auto again = test::memwall(
      ask + "--platform von_neumann_rtx3070 --platform von_neumann_h100 -j 1 --json --out " + (dir / "o"));
  json a = d, b = again.json();
  EXPECT_EQ(a.dump(), b.dump());
}

TEST(compare_requests, users_of_a_closed_loop_are_counted) {
  const test::temp_dir dir;
  const auto r = test::memwall(
      "compare --model gpt-2 --dtype fp16 --set software=vllm --requests closed:n=64,input=64,output=16 --slo "
      "e2e=120ms "
      "--precision 0.5 --platform von_neumann_h100 --json --out " +
      (dir / "o"));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.json()["requests"], "closed:n=64,input=64,output=16");
  EXPECT_EQ(r.json()["slo"], "e2e=120ms");
  const json p = r.json()["platforms"][0];
  EXPECT_EQ(p["load"], "users");
  const double carried = p["carried"];
  EXPECT_GE(carried, 1);
  EXPECT_EQ(carried, std::floor(carried));
}

TEST(compare_requests, machines_are_made_equal_and_searched_again) {
  const test::temp_dir dir;
  const auto r = test::memwall(ask + "--platform von_neumann_h100 --platform cim_dram --iso bandwidth --json --out " +
                               (dir / "o"));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json d = r.json();
  // As compare --iso without requests: forty stacks become thirteen.
  EXPECT_EQ(d["iso"]["scaled"][0]["set"][0], "cim.hierarchy.chips=13");
  EXPECT_NEAR(d["iso"]["scaled"][0]["has"].get<double>() / d["iso"]["value"].get<double>(), 1, 0.04);
  EXPECT_EQ(d["platforms"][1]["machine"]["memory_bandwidth_gbps"], d["iso"]["scaled"][0]["has"]);
}

TEST(compare_requests, refuses_what_does_not_go_together) {
  const test::temp_dir dir;
  const auto told = [&](const std::string& words, int code, const std::string& part) {
    const auto r =
        test::memwall("compare --platform von_neumann_h100 --model gpt-2 --out " + (dir / "o") + " " + words);
    EXPECT_EQ(r.exit_code, code) << words << r.err;
    EXPECT_THAT(r.err, HasSubstr(part)) << words;
  };
  const std::string some = "--requests poisson:n=20,input=8,output=4 ";
  told(some, 2, "--slo");
  told(some + "--slo ttft=0ms", 2, "a time above 0");
  told(some + "--slo ttft=9ms --slo-share 91", 2, "50, 90, 95 or 99");
  told(some + "--slo ttft=9ms --batch 4", 2, "--batch");
  told(some + "--slo ttft=9ms --sweep batch=1..4", 2, "is no sweep of a service");
  told("--slo ttft=9ms", 2, "given without --requests");
  told("--requests poison:n=20 --slo ttft=9ms", 2, "poisson");
  told("--requests closed:n=1 --slo ttft=9ms", 2, "one request");
  EXPECT_FALSE(std::filesystem::exists(dir / "o/compare.json"));
}

TEST(serve_rates, each_rate_is_a_run_and_the_latency_grows) {
  const test::temp_dir dir;
  const std::string words =
      "serve --platform von_neumann_rtx4090 --model gpt-2 --set software=vllm --requests "
      "poisson:n=40,input=64,output=16 --set server.max_num_seqs=4 ";
  const auto r = test::memwall(words + "--rate 5..320:3 --json --out " + (dir / "o"));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json d = r.json();
  EXPECT_EQ(d["schema"], "memwall-rates-1");
  const json& points = d["platforms"][0]["points"];
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[1]["rate"], 40);  // the root of 5 and 320
  EXPECT_LT(points[0]["e2e_ms"]["mean"], points[2]["e2e_ms"]["mean"]);
  for (const char* file : {"results.csv", "latency.svg", "rates.json", "rate-40/result.json", "rate-40/requests.csv"})
    EXPECT_TRUE(std::filesystem::exists((dir / "o") + "/" + file)) << file;
  // One of them, alone.
  const auto one = test::memwall(words + "--rate 40 --json");
  EXPECT_EQ(one.json()["serving"]["e2e_ms"], points[1]["e2e_ms"]);
  const auto bad = [&](const std::string& more, const std::string& part) {
    const auto b = test::memwall(words + more);
    EXPECT_EQ(b.exit_code, 2) << more;
    EXPECT_THAT(b.err, HasSubstr(part)) << more;
  };
  bad("--rate 5..1", "ends before it begins");
  bad("--rate 1..5 --whatif", "several rates");
  bad("--rate 1,,5", "got ''");
  const auto closed = test::memwall(
      "serve --platform von_neumann_rtx4090 --model gpt-2 --requests closed:users=2,n=4 --rate 1..2 --quiet");
  EXPECT_EQ(closed.exit_code, 2);
  EXPECT_THAT(closed.err, HasSubstr("no arrival rate"));
}

TEST(serve_rates, platforms_cross) {
  const test::temp_dir dir;
  const auto r = test::memwall(
      "compare --model gpt-2 --dtype fp16 --set software=vllm --requests poisson:n=30,input=32,output=8 --platform "
      "von_neumann_h100 --platform von_neumann_rtx3070 --sweep rate=10,100 --json --out " +
      (dir / "o"));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json d = r.json();
  EXPECT_EQ(d["platforms"].size(), 2U);
  EXPECT_EQ(d["verdicts"].size(), 1U);
  EXPECT_TRUE(std::filesystem::exists((dir / "o") + "/von_neumann_rtx3070/rate-100/result.json"));
}

}  // namespace
}  // namespace memwall::tools
