// SPDX-License-Identifier: Apache-2.0
// Numbers and bars as the screens show them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/serve_screen.h"
#include "tools/terminal.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

/// A run of 2 ms: half of it the DRAM's, 49.96 % arithmetic, and 0.04 % that no screen shows.
json result() {
  return json::parse(R"({
    "platform": "p", "model": "m",
    "workload": {"phase": "decode", "batch": 4, "context": 128, "prompt": 7, "dtype": "fp16"},
    "summary": {"time_ns": 2e6, "tokens": 4, "tokens_per_s": 2000.0, "time_per_token_ns": 5e5, "operators": 9,
      "energy_per_token_pj": 3e9, "energy_pj": 12e9, "bound_by": null, "booked_most": "dram_data", "tops": 1.5,
      "tops_per_w": 0.25, "weight_bytes": 2e9, "kv_bytes": 3e6, "dram_bytes": 4e9, "bus_bytes": 5e9, "link_bytes": 0,
      "flops": 6e12, "dram_bandwidth_gbps": 2000.0, "dram_utilization": 0.5, "bus_utilization": 0.125},
    "stall_stack_ns": {"compute": 999200, "link": 800, "dram_data": 1e6},
    "memories": [{"name": "hbm", "utilization": 0.5, "bandwidth_gbps": 2000.0, "peak_gbps": 4000.0,
      "row": {"hit": 96, "miss": 3, "conflict": 1}}],
    "buses": [{"name": "fabric", "utilization": 0.125}, {"name": "idle_bus", "utilization": 0.0004}],
    "executors": [{"name": "gpu", "utilization": 0.25}],
    "bounds": [{"resource": "hbm", "at_least_ns": 1e6, "overlapped_ns": 2.5e5, "upper_bound": 2.0},
      {"resource": "fabric", "at_least_ns": 1e3, "overlapped_ns": 0, "upper_bound": 100}],
    "fidelity": {"transfer_bytes": "auto", "replay": true},
    "host": {"wall_s": 1.234, "peak_rss_mb": 56.7}})");
}

TEST(terminal, a_run_tells_its_story) {
  const std::string text = run_screen(result(), {});
  EXPECT_EQ(text,
            "m on p   decode, batch 4, context 128, fp16\n"
            "  time 2.00 ms   4 tokens   2000 tokens/s   500 us a token   energy 3.00 mJ a token\n"
            "  most time booked to dram_data (what would help: --whatif)\n"
            "  weights 2.00 GB   KV cache 3.00 MB   moved: DRAM 4.00 GB, bus 5.00 GB, links 0 B   6.00 TFLOP\n\n"
            "  where the time goes\n"
            "    dram_data         ################................  50.0 %  1.00 ms\n"
            "    compute           ################................  50.0 %  999 us\n"
            "  hbm: busy at least 1.00 ms, 250 us of it behind other work; a better one gains 2x at most (an upper "
            "bound)\n"
            "  fabric: busy at least 1.00 us, 0 ns of it behind other work\n\n"
            "  memory  hbm           ##########..........  50.0 % busy   2000 of 4000 GB/s   96.0 % row hits\n"
            "  bus     fabric        ###.................  12.5 % busy\n"
            "  core    gpu           #####...............  25.0 % busy\n"
            "  fidelity: transfers auto, replay on   simulated in 1.23 s, 57 MB\n");
}

TEST(terminal, a_run_says_what_is_special_about_it) {
  json r = result();
  r["workload"]["phase"] = "prefill";
  r["summary"]["ttft_ns"] = 1.5e6;
  r["summary"]["tpot_ns"] = 1e5;
  r["summary"]["bound_by"] = "hbm";
  r["badge"] = {{"text", "3 %"}};
  r["notes"] = {"a note"};
  r["fidelity"]["replay"] = false;
  r["fidelity"]["reuse"] = {
      {"mode", "on"},          {"operators", 100},  {"simulated", 9},          {"audited", 3},
      {"error_mean_pct", 0.5}, {"bias_pct", -0.25}, {"confidence_pct", 0.125}, {"error_max_pct", 0.75},
      {"bound_pct", 1.0}};
  const std::string text = run_screen(r, {});
  EXPECT_THAT(text, HasSubstr("m on p [3 %]   prefill, batch 4, prompt 7, fp16\n  note: a note\n"));
  EXPECT_THAT(text, HasSubstr("first token after 1.50 ms (TTFT), then 100 us a token (TPOT)   energy 12.0 mJ\n"));
  EXPECT_THAT(text, HasSubstr("  the wall: hbm (simulated, see below)\n"));
  EXPECT_THAT(text, HasSubstr("replay off"));
  EXPECT_THAT(text,
              HasSubstr("  reuse: 9 of 100 operators simulated; 3 of them audited, error 0.50 % on average, -0.25 "
                        "+- 0.12 % with its sign (95 %), 0.75 % at most, bound 1.00 %\n"));
  r["fidelity"]["reuse"]["mode"] = "off";
  EXPECT_THAT(run_screen(r, {}), Not(HasSubstr("reuse:")));
  json partial = result();
  partial["partial"] = true;
  EXPECT_THAT(run_screen(partial, {}),
              HasSubstr("PARTIAL: interrupted after 2.00 ms of simulated time and 9 operators"));
  // A DRAM that moved something, with an energy that no primary source gives; the other one moved nothing.
  json energy = result();
  energy["memories"][0]["energy_confidence"] = "unverified";
  energy["memories"][0]["read_bytes"] = 0.0;
  EXPECT_THAT(run_screen(energy, {}), Not(HasSubstr("unverified")));
  energy["memories"][0]["read_bytes"] = 64.0;
  EXPECT_THAT(run_screen(energy, {}), HasSubstr("3.00 mJ a token (DRAM: unverified)"));
  EXPECT_THAT(run_screen(result(), {true, false}), HasSubstr("\033[1mm on p\033[0m"));
}

// Two columns of 24 behind a label of 22; a run that was refused has its message below.
TEST(terminal, runs_stand_side_by_side) {
  json other = result();
  other["platform"] = "q";
  other["summary"]["time_per_token_ns"] = 2.5e5;
  other["badge"] = {{"rows", 97}, {"median_error", 0.034}};
  other["stall_stack_ns"] = {{"launch", 1.5e6}, {"dram_data", 5e5}};
  other["machine"] = {
      {"chips", 2},     {"memory_capacity_bytes", 8e10},  {"memory_bandwidth_gbps", 3350}, {"area_mm2", 814},
      {"power_w", 700}, {"memory_devices", {{"HBM3", 5}}}};
  const json refused = {{"platform", "r"}, {"message", "does not fit"}};
  const std::string text = compare_screen({result(), other, refused}, {});
  const auto row = [](const std::string& name, const std::string& a, const std::string& b, const std::string& c = "-") {
    const auto wide = [](const std::string& x, std::size_t n) { return x + std::string(n - x.size(), ' '); };
    return "\n" + wide(name, 22) + wide(a, 24) + wide(b, 24) + c + "\n";
  };
  EXPECT_EQ(text.substr(0, text.find('\n')),
            std::string(22, ' ') + "p" + std::string(23, ' ') + "q" + std::string(23, ' ') + "r");
  for (const auto& expected :
       {row("time a token", "500 us", "250 us"), row("tokens/s", "2000", "2000"),
        row("checked within", "n = 0", "3.4 %, n = 97"), row("most time booked to", "dram_data", "dram_data"),
        row("energy a token", "3.00 mJ", "3.00 mJ"), row("TOPS", "1.5", "1.5"), row("chips that compute", "-", "2"),
        row("memory devices", "-", "5 HBM3"), row("memory capacity", "-", "80.0 GB"),
        row("outside bandwidth", "-", "3.35 TB/s"), row("area", "-", "814 mm2"), row("power drawn", "-", "700 W"),
        row("DRAM busy", "50.0 %", "50.0 %"), row("bus busy", "12.5 %", "12.5 %")})
    EXPECT_THAT(text, HasSubstr(expected));
  // Of what takes more than half a percent of a run; a bar of twelve, and its share.
  EXPECT_THAT(text, HasSubstr("\nwhere the time goes\n"
                              "  dram_data           ######......  50.0 %    ###.........  25.0 %\n"
                              "  compute             ######......  50.0 %\n"
                              "  launch                                      #########...  75.0 %\n"
                              "\nr: does not fit\n"));
  EXPECT_THAT(text, Not(HasSubstr("  link")));
}

// A column a factor, the smallest first and "inf" last, whatever the order they were run in; a resource that was not
// run with it has a dash. 30 characters and 28 behind four blanks before columns of ten: all begin at the same place.
TEST(terminal, gains_are_a_table_of_resources_by_factors) {
  json r = result();
  const auto row = [](const char* resource, json factor, double speedup, json set = json::array()) {
    return json{{"resource", resource}, {"factor", std::move(factor)}, {"speedup", speedup}, {"set", std::move(set)}};
  };
  r["whatif"] = {row("hbm", "inf", 3),
                 row("hbm", 4, 1.75),
                 row("hbm", 2, 1.5, json::array({"hbm.data_rate=8 Gb/s", "hbm.x=2"})),
                 row("hbm", 1.5, 1.25, json::array({"hbm.x=1.5"})),
                 row("gpu", 2, 1.07),
                 row("gpu", 10, 1.2)};
  r["whatif_pairs"] = json::array({json{{"resources", {"hbm", "gpu"}}, {"speedup", 1.6}, {"alone", {1.5, 1.07}}}});
  r["summary"]["bound_by"] = "hbm";
  const std::string table =
      "\n  simulated with a better             1.5x        2x        4x       10x       inf\n"
      "    hbm                             1.250x    1.500x    1.750x         -    3.000x\n"
      "    gpu                                  -    1.070x         -    1.200x         -\n"
      "    hbm and gpu: 1.6x together, 1.5x and 1.07x alone\n";
  EXPECT_THAT(run_screen(r, {}), HasSubstr(table + "    the wall: hbm\n"
                                                   "    twice of it: --set 'hbm.data_rate=8 Gb/s' --set 'hbm.x=2'\n"));
  r["summary"]["bound_by"] = nullptr;
  EXPECT_THAT(run_screen(r, {}), HasSubstr(table + "    no part alone, and no pair tried, gains 1 %\n"));
  EXPECT_THAT(run_screen(r, {}), Not(HasSubstr("twice of it")));
}

// Milliseconds of the result in columns of eleven, nothing where there is none. Of the time, 6.4, 3.2, 0.36 and 0.04 of
// 10 ms: the largest first, bars of twelve that round 7.7 and 3.8, and nothing of what takes half a percent or less.
TEST(terminal, a_served_stream_tells_its_story) {
  json r = json::parse(R"({
    "platform": "p", "model": "m",
    "serving": {"requests": 10, "completed": 8, "duration_ns": 2e9, "steps": 123, "requests_per_s": 4.0,
      "output_tokens_per_s": 1234.5, "preemptions": 3, "prefix_hit_rate": 0.125, "goodput": {},
      "kv": {"peak_blocks": 70, "blocks": 100},
      "ttft_ms": {"mean": 1.5, "p50": 1, "p90": 2, "p95": 2.5, "p99": 1000},
      "tpot_ms": {"mean": 0.25, "p50": 0.2, "p90": 0.3, "p95": 0.4, "p99": 0.5},
      "itl_ms": {"mean": null, "p50": null, "p90": null, "p95": null, "p99": null},
      "e2e_ms": {"mean": 50, "p50": 40, "p90": 60, "p95": 70, "p99": 80}},
    "summary": {"energy_per_token_pj": 5e9, "energy_per_request_pj": 2.5e11, "bound_by": "hbm"},
    "stall_stack_ns": {"compute": 3.2e6, "dram_data": 6.4e6, "link": 4e4, "launch": 3.6e5},
    "fidelity": {"reuse": {"mode": "off"}}})");
  const std::string rows =
      "m on p: 8 of 10 requests in 2.00 s, 123 steps\n"
      "                               mean        p50        p90        p95        p99\n"
      "  time to first token       1.50 ms    1.00 ms    2.00 ms    2.50 ms     1.00 s\n"
      "  time a token after it      250 us     200 us     300 us     400 us     500 us\n"
      "  between tokens                                                               \n"
      "  end to end                50.0 ms    40.0 ms    60.0 ms    70.0 ms    80.0 ms\n"
      "  requests/s 4, output tokens/s 1234; KV blocks 70 of 100 at most; 3 preemptions; 12.5 % of prompts found in "
      "the prefix cache\n";
  const std::string rest =
      "  energy 5.00 mJ a token, 250 mJ a request\n"
      "where the time goes\n"
      "  dram_data           ########....  64.0 %\n"
      "  compute             ####........  32.0 %\n"
      "  launch              ............   3.6 %\n";
  EXPECT_EQ(serve_screen(r, {}), rows + rest);
  r["serving"]["goodput"] = {{"requests_per_s", 3.0}, {"share", 0.75}};
  const std::string good = "  goodput 3 requests/s: 75.0 % of the requests within the service level\n";
  EXPECT_EQ(serve_screen(r, {}), rows + good + rest);
  const auto gain = [](const char* resource, int factor, double speedup) {
    return json{{"resource", resource}, {"factor", factor}, {"speedup", speedup}, {"time_ns", 4e7}};
  };
  r["whatif"] = {gain("hbm", 2, 1.25), gain("hbm", 4, 1.5), gain("gpu", 2, 1.004)};
  EXPECT_EQ(serve_screen(r, {}), rows + good + rest +
                                     "the wall: hbm\n"
                                     "  hbm                     1.25x at twice: a request takes 40.0 ms\n");
  r["summary"]["bound_by"] = nullptr;
  EXPECT_THAT(serve_screen(r, {}), HasSubstr(rest + "no part alone would make a request faster\n"));
}

TEST(terminal, numbers_have_three_digits_and_the_largest_unit_below_them) {
  EXPECT_EQ(human_time(0.25), "0.25 ns");
  EXPECT_EQ(human_time(1), "1.00 ns");
  EXPECT_EQ(human_time(12.34), "12.3 ns");
  EXPECT_EQ(human_time(999), "999 ns");
  EXPECT_EQ(human_time(1000), "1.00 us");
  EXPECT_EQ(human_time(56'780), "56.8 us");
  EXPECT_EQ(human_time(1e6), "1.00 ms");
  EXPECT_EQ(human_time(1e9), "1.00 s");
  EXPECT_EQ(human_time(123e9), "123 s");
  EXPECT_EQ(human_time(-2e6), "-2.00 ms");
  EXPECT_EQ(human_energy(1), "1.00 pJ");
  EXPECT_EQ(human_energy(1e3), "1.00 nJ");
  EXPECT_EQ(human_energy(1e6), "1.00 uJ");
  EXPECT_EQ(human_energy(1e9), "1.00 mJ");
  EXPECT_EQ(human_energy(1e12), "1.00 J");
  EXPECT_EQ(human_energy(1e15), "1.00 kJ");
  EXPECT_EQ(human_bytes(100), "100 B");
  EXPECT_EQ(human_bytes(34.2e9), "34.2 GB");
  EXPECT_EQ(human_bytes(1e12), "1.00 TB");
  EXPECT_EQ(human_flops(1e15), "1.00 PFLOP");
  EXPECT_EQ(human_flops(1e18), "1.00 EFLOP");
}

TEST(terminal, bars_are_filled_to_the_nearest_cell_or_eighth) {
  const terminal_style plain, full{false, true};
  EXPECT_EQ(bar(0, 4, plain), "....");
  EXPECT_EQ(bar(0.5, 4, plain), "##..");
  EXPECT_EQ(bar(0.6, 4, plain), "##..");
  EXPECT_EQ(bar(0.65, 4, plain), "###.");
  EXPECT_EQ(bar(7, 4, plain), "####") << "not more than all of it";
  EXPECT_EQ(bar(-1, 4, plain), "....");
  EXPECT_EQ(bar(1, 2, full), "\u2588\u2588");
  EXPECT_EQ(bar(0.5, 2, full), "\u2588 ");
  EXPECT_EQ(bar(0.75, 2, full), "\u2588\u258c");    // one and a half
  EXPECT_EQ(bar(0.0625, 2, full), "\u258f ");       // an eighth
  EXPECT_EQ(bar(0.9375, 2, full), "\u2588\u2589");  // one and seven eighths
  EXPECT_EQ(bar(0, 2, full), "  ");
}

}  // namespace
}  // namespace memwall::tools
