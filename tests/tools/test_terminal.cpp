// SPDX-License-Identifier: Apache-2.0
// Numbers and bars as the screens show them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
