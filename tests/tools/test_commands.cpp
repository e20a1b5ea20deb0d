// SPDX-License-Identifier: Apache-2.0
// The program declares the options of the command it runs alone, and loads no library of its own rooms.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace memwall {
namespace {

/// Name and description of each command, as `memwall --help` lists them.
std::vector<std::pair<std::string, std::string>> commands() {
  std::vector<std::pair<std::string, std::string>> out;
  std::istringstream help(test::memwall("--help").out);
  bool listed = false;
  for (std::string line; std::getline(help, line);) {
    if (line.rfind("Subcommands:", 0) == 0) {
      listed = true;
    } else if (listed && line.rfind("  ", 0) == 0 && line[2] != ' ') {
      const auto end = line.find(' ', 2);
      out.emplace_back(line.substr(2, end - 2), line.substr(line.find_first_not_of(' ', end)));
    }
  }
  return out;
}

TEST(commands, each_is_declared_alone_as_among_all) {
  const auto all = commands();
  ASSERT_EQ(all.size(), 14u);
  for (const auto& [name, description] : all) {
    const auto own = test::memwall(name + " --help");
    EXPECT_EQ(own.exit_code, 0) << name << '\n' << own.err;
    EXPECT_EQ(own.out.substr(0, own.out.find('\n')).substr(0, 20), description.substr(0, 20)) << name;
  }
}

// "energy 5.505 uJ" and the indented parts below it.
TEST(commands, energy_of_a_dram_is_the_sum_of_its_parts) {
  const auto r = test::memwall("dram --standard DDR4-3200 --pattern seq --requests 1000");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  double whole = 0, parts = 0;
  std::istringstream lines(r.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, unit;
    double value = 0;
    if (!(words >> name >> value >> unit) || unit.rfind("uJ", 0) != 0) continue;
    (line[0] == ' ' ? parts : whole) += value;
  }
  EXPECT_GT(whole, 1);  // 64 kB at some 10 pJ a bit
  EXPECT_NEAR(parts, whole, 0.005);
}

// Two reads in neighbouring bank groups: they enter at clock 1, the second ACT comes RRD_S = 4 later, each RD RCD = 22
// after its ACT. A run that fails leaves neither the file nor a part of it.
TEST(commands, the_commands_of_a_dram_are_written_when_all_went_well) {
  const test::temp_dir dir;
  const std::string words = "dram --standard DDR4-3200 --refresh none --commands " + dir / "c.csv";
  const auto r = test::memwall(words + " --requests 2");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(test::read_file(dir / "c.csv"),
            "cycle,command,channel,rank,bank_group,bank,row,column\n1,ACT,0,0,0,0,0,-1\n5,ACT,0,0,1,0,0,-1\n"
            "23,RD,0,0,0,0,0,0\n27,RD,0,0,1,0,0,0\n");
  std::ofstream(dir / "trace") << "0x0 R 1\nno request\n";
  std::filesystem::remove(dir / "c.csv");
  EXPECT_EQ(test::memwall(words + " --trace " + dir / "trace").exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(dir / "c.csv"));
  EXPECT_FALSE(std::filesystem::exists(dir / "c.csv.partial"));
}

// Keys of the standard and of the controller; FAW = 100 clocks let the fifth bank's ACT wait, in the first four
// nothing.
TEST(commands, a_dram_is_changed_by_key) {
  const auto time = [](const std::string& more) {
    const auto r =
        test::memwall("dram --standard DDR4-3200 --refresh none --map 'row column bank bankgroup' --json " + more);
    EXPECT_EQ(r.exit_code, 0) << more << r.err;
    return r.exit_code == 0 ? r.json()["time_ns"].get<double>() : -1;
  };
  EXPECT_DOUBLE_EQ(time("--requests 4 --set timing.FAW=100"), time("--requests 4"));
  EXPECT_DOUBLE_EQ(time("--requests 5 --set timing.FAW=100"), (1 + 100 + 22 + 22 + 4) * 0.625);
  // A clock of 1.25 ns, of which RCD's 13.75 ns are 11, and CL's 22 clocks of 625 ps too.
  EXPECT_DOUBLE_EQ(time("--requests 1 --set data_rate='1600 Mbps'"), (1 + 11 + 11 + 4) * 1.25);
  EXPECT_DOUBLE_EQ(time("--requests 9 --set controller.page_policy=closed"),
                   time("--requests 9 --set page_policy=closed"));
  EXPECT_EQ(test::memwall("dram --set FAW").exit_code, 2);
  EXPECT_EQ(test::memwall("dram --set =3").exit_code, 2);
}

// A request smaller than an access is one access, whatever its neighbours are and whether there are pauses.
TEST(commands, small_requests_are_accesses_of_their_own) {
  for (const char* more : {"", "--load 0.5", "--replay off"}) {
    const auto r = test::memwall(std::string("dram --standard DDR4-3200 --requests 1000 --bytes 32 --json ") + more);
    ASSERT_EQ(r.exit_code, 0) << r.err;
    EXPECT_EQ(r.json()["commands"]["RD"], 1000) << more;
  }
}

TEST(commands, what_is_no_number_is_in_no_range) {
  for (const char* words : {"dram --load nan", "run --platform von_neumann_h100 --model gpt-2 --reuse-error nan",
                            "accuracy --platform cim_analog --layer 64x32 --ages 1,nan",
                            "infer --model tiny-llama --platform cim_analog --prompt x --age nan"}) {
    const auto r = test::memwall(words);
    EXPECT_EQ(r.exit_code, 2) << words;
    EXPECT_NE(r.err.find("nan"), std::string::npos) << r.err;
  }
}

// What changes nothing is refused, and says beside which option it would.
TEST(commands, options_that_say_nothing_are_refused) {
  const std::string gpt = " --model gpt-2 --quiet ", h100 = " --platform von_neumann_h100",
                    served = " --requests poisson:rate=1,n=2,input=8,output=2 ";
  const std::string two = "compare" + h100 + " --platform von_neumann_a100 --out unused" + gpt;
  const std::pair<std::string, const char*> table[] = {
      {"run" + h100 + gpt + "--vcd-channels 1", "--vcd-channels: says nothing without --vcd or --timeline"},
      {"run" + h100 + gpt + "--vcd-commands 5", "--vcd-commands: says nothing without --vcd or --timeline"},
      {"run" + h100 + gpt + "--vcd-limit '1 GB'", "--vcd-limit: says nothing without --vcd"},
      {"run" + h100 + gpt + "--factors 2", "--factors: says nothing without --whatif"},
      {"run" + h100 + gpt + "--reuse-error 2", "--reuse-error: says nothing where all is simulated"},
      {"run" + h100 + gpt + "--reuse off --reuse-error 2", "--reuse-error: says nothing where all is simulated"},
      {"serve" + h100 + gpt + served + "--reuse off --reuse-error 2", "--reuse-error: says nothing where all is"},
      {"serve" + h100 + gpt + served + "--vcd-channels 1", "--vcd-channels: says nothing without --vcd"},
      {"serve" + h100 + gpt + served + "--factors 2", "--factors: says nothing without --whatif"},
      {"validate --only none --reuse-error 2", "--reuse-error: says nothing where all is simulated"},
      {two + "--reuse-error 2", "--reuse-error: says nothing where all is simulated"},
      {two + "--batch 2 --sweep batch=1,2", "--batch: given together with --sweep batch="},
      {two + "--context 9 --sweep context=8,16", "--context: given together with --sweep context="},
      {two + "--prompt 9 --sweep prompt=8,16", "--prompt: given together with --sweep prompt="},
      {two + "--context 9 --sweep prompt=8,16", "--context: given together with --sweep prompt="},
      {two + "--phase decode --sweep prompt=8,16", "--phase: got 'decode', which computes no prompt to sweep"},
      {"run" + h100 + gpt + "--set =3", "--set =3: has no path"},
      {"run" + h100 + gpt + "--set gpu.expert_tile.depth=0", "gpu.expert_tile: got a map with a value out of range"},
      {"describe module gqu", "unknown module type 'gqu' (did you mean 'gpu'?"},
      {"describe module gqu", "one of: bus, dram, link"}};
  for (const auto& [words, message] : table) {
    const auto r = test::memwall(words);
    EXPECT_EQ(r.exit_code, 2) << words;
    EXPECT_NE(r.err.find(message), std::string::npos) << words << ": " << r.err;
  }
  // Beside what they belong to they are taken: the context is another axis' here.
  for (const std::string& words :
       {"run" + h100 + gpt + "--reuse on --reuse-error 2", "whatif" + h100 + gpt + "--factors 2",
        "serve" + h100 + gpt + served + "--reuse-error 2"})
    EXPECT_EQ(test::memwall(words).exit_code, 0) << words;
  const test::temp_dir dir;
  const auto axes = test::memwall("compare" + h100 +
                                  " --platform von_neumann_a100 --quiet --model gpt-2 --context 9 "
                                  "--sweep batch=1,2 --sweep context=8,16 --out " +
                                  (dir / "c"));
  EXPECT_EQ(axes.exit_code, 0) << axes.err;
}

// A run of a comparison says why it ended, as it would alone. 122 GB of weights are on neither card.
TEST(commands, a_comparison_tells_what_its_runs_say) {
  const test::temp_dir dir;
  const std::string both = "compare --platform von_neumann_h100 --platform von_neumann_a100 --context 64 ";
  const auto wrong = test::memwall(both + "--model gpt-2 --batch 0 --out " + (dir / "w"));
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE((wrong.out + wrong.err).find("--batch: got '0'"), std::string::npos) << wrong.out << wrong.err;
  const auto large = test::memwall(both + "--model llama-65b --json --out " + (dir / "l"));
  EXPECT_EQ(large.exit_code, 3);
  const auto told = large.json();  // outlives the loop over a part of it
  ASSERT_EQ(told["platforms"].size(), 2u);
  for (const auto& p : told["platforms"])
    EXPECT_NE(p.value("message", "").find("does not fit"), std::string::npos) << p.dump();
  for (const char* left : {"w", "l"})
    for (const char* platform : {"von_neumann_h100", "von_neumann_a100"})
      EXPECT_FALSE(std::filesystem::exists(dir / left + "/" + platform + "/run.log"));
}

// What is run stands in a trace: nothing of it can be asked for beside it. An all-reduce in it is one, whatever its
// rows are called: two devices send half of 2 MiB twice each.
TEST(commands, a_trace_says_what_is_run) {
  const test::temp_dir dir;
  std::ofstream(dir / "c.jsonl") << R"({"memwall_trace":1,"workload":{"dtype":"int8/fp16/fp16"}}
{"tensor":"x","class":"activations","dtype":"fp16","shape":[1048576]}
{"op":"c","kind":"collective","m":1,"n":1048576,"reads":["x"],"writes":["x"]}
{"end":1}
)";
  const auto both = test::memwall("run --platform von_neumann_h100x2 --json --trace " + (dir / "c.jsonl"));
  ASSERT_EQ(both.exit_code, 0) << both.err;
  EXPECT_EQ(both.json()["summary"]["link_bytes"], 2 * 2 * (2 << 20) / 2 * 2) << "up to the switch and down from it";
  EXPECT_LT(both.json()["summary"]["time_ns"], 1e5);
  const auto one = test::memwall("run --platform von_neumann_h100 --json --trace " + (dir / "c.jsonl"));
  ASSERT_EQ(one.exit_code, 0) << one.err;
  EXPECT_LT(one.json()["summary"]["time_ns"], 1e4) << "nobody to meet";
  for (const char* word : {"--batch 2", "--dtype int8", "--tokens 3", "--context 9", "--phase prefill", "--prompt 8"}) {
    const auto r = test::memwall("run --platform von_neumann_h100 --trace " + (dir / "c.jsonl") + " " + word);
    EXPECT_EQ(r.exit_code, 2) << word;
    EXPECT_NE(r.err.find("--trace"), std::string::npos) << r.err;
  }
  std::ofstream(dir / "e.jsonl") << "{\"memwall_trace\":1,\"workload\":{\"dtype\":\"fp16\"}}\n{\"end\":0}\n";
  const auto none = test::memwall("run --platform von_neumann_h100 --trace " + (dir / "e.jsonl"));
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_NE(none.err.find("e.jsonl: has no operators"), std::string::npos) << none.err;
}

// In a manual page a dash is a hyphen and a dot begins a command, unless a backslash says otherwise.
TEST(commands, the_manual_page_shows_dashes_as_they_are_typed) {
  const std::string page = test::memwall("print man").out;
  EXPECT_NE(page.find(".SH MEMWALL dram\n"), std::string::npos);
  EXPECT_NE(page.find("\n.TP\n.B \\-\\-standard"), std::string::npos);
  EXPECT_EQ(page.find("\n.B --"), std::string::npos);
}

// The same in words and for programs: a line a point, an error of 1 being 100 %, which lies by its definition
// 20 log10(error) below the signal.
TEST(commands, errors_of_a_macro_are_told_in_percent) {
  const std::string words = "accuracy --macro hermes --layer 64x20";
  const auto text = test::memwall(words), json = test::memwall(words + " --json");
  ASSERT_EQ(text.exit_code, 0) << text.err;
  ASSERT_EQ(json.exit_code, 0) << json.err;
  const auto points = json.json()["macros"][0]["points"];
  ASSERT_GT(points.size(), 3U);
  for (const auto& p : points) {
    const double error = p["relative_error"];
    EXPECT_NEAR(p["snr_db"], -20 * std::log10(error), 1e-6);
    char cell[64];
    std::snprintf(cell, sizeof cell, " %.4f %% ", 100 * error);
    EXPECT_NE(text.out.find(cell), std::string::npos) << cell << text.out;
  }
}

// With the converter of the preset varied to 5 bits, and with a preset of 5 bits: the same macro.
TEST(commands, a_macro_is_changed_by_key) {
  const std::string words = "accuracy --macro hermes --layer 64x20 --json";
  const auto preset = test::memwall(words), changed = test::memwall(words + " --set adc_bits=5");
  ASSERT_EQ(changed.exit_code, 0) << changed.err;
  const auto points = preset.json()["macros"][0]["points"];
  const auto varied = std::find_if(points.begin(), points.end(),
                                   [](const auto& p) { return p["varied"] == "adc_bits" && p["value"] == 5; });
  ASSERT_NE(varied, points.end());
  const auto now = changed.json()["macros"][0]["points"][0];
  EXPECT_EQ(now["varied"], "preset");
  EXPECT_EQ(now["snr_db"], (*varied)["snr_db"]);
  EXPECT_NE(now["snr_db"], points[0]["snr_db"]);
  const auto no_value = test::memwall(words + " --set adc_bits"), no_key = test::memwall(words + " --set adc_bit=5");
  EXPECT_EQ(no_value.exit_code, 2);
  EXPECT_NE(no_value.err.find("--set: adc_bits: has no '=' (expected key=value)"), std::string::npos) << no_value.err;
  EXPECT_EQ(no_key.exit_code, 2);
  EXPECT_NE(no_key.err.find("--set: adc_bit: unknown key"), std::string::npos) << no_key.err;
}

TEST(commands, a_prompt_is_run_in_the_chunks_asked_for) {
  const auto r = test::memwall(
      "run --platform von_neumann_h100 --model gpt-2 --dtype fp16 --phase prefill --prompt 64 --prefill-chunk 16 "
      "--quiet --json");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.json()["config"]["workload"]["prefill_chunk"], 16);
}

/// Platforms of the runs on a page, in their order.
std::vector<std::string> platforms_on(const std::string& page) {
  std::vector<std::string> out;
  const std::string key = "\"platform\":\"", text = test::read_file(page);
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
    const std::size_t begin = at + key.size();
    const std::string name = text.substr(begin, text.find('"', begin) - begin);
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  }
  return out;
}

// A page compares with its first run: of a comparison in its order; of a folder of runs with a von Neumann platform,
// then by name.
TEST(commands, a_page_has_the_runs_of_a_comparison_in_its_order) {
  if (!std::filesystem::exists(std::string(MEMWALL_BINARY_DIR) + "/share/memwall/tools/report/template.html"))
    GTEST_SKIP() << "there is no page to fill";
  using names = std::vector<std::string>;
  const test::temp_dir dir;
  const std::string out = dir / "c", page = dir / "page.html";
  const auto compared = test::memwall(
      "compare --platform von_neumann_rtx4090 --platform cim_sram --platform "
      "von_neumann_h100 --model " MEMWALL_SOURCE_DIR "/tests/platforms/data/mini --context 64 --quiet --out " +
      out);
  ASSERT_EQ(compared.exit_code, 0) << compared.err;
  const auto report = [&](const std::string& of) { return test::memwall("report " + of + " -o " + page); };
  const auto all = report(out);
  ASSERT_EQ(all.exit_code, 0) << all.err;
  EXPECT_EQ(all.out.rfind(page + ": 3 runs, 0 sweeps, ", 0), 0U) << all.out;
  EXPECT_EQ(platforms_on(page), (names{"von_neumann_rtx4090", "cim_sram", "von_neumann_h100"}));
  // Without a comparison, or with one that names nothing.
  const names by_name = {"von_neumann_h100", "von_neumann_rtx4090", "cim_sram"};
  for (const char* other : {"{}", "[]", "{\"platforms\": 3}", "{\"platforms\": [3, {\"platform\": 4}]}"}) {
    std::ofstream(out + "/compare.json") << other;
    ASSERT_EQ(report(out).exit_code, 0) << other;
    EXPECT_EQ(platforms_on(page), by_name) << other;
  }
  std::filesystem::remove(out + "/compare.json");
  ASSERT_EQ(report(out).exit_code, 0);
  EXPECT_EQ(platforms_on(page), by_name);
  const auto one = report(out + "/cim_sram/result.json");
  EXPECT_EQ(one.out.rfind(page + ": 1 run, 0 sweeps, ", 0), 0U) << one.out << one.err;
  EXPECT_EQ(platforms_on(page), names{"cim_sram"});
  std::filesystem::create_directories(dir / "empty/inside");
  for (const auto& [of, why] : std::map<std::string, std::string>{{dir / "empty", "holds no result.json"},
                                                                  {dir / "nowhere", "does not exist"}}) {
    const auto r = report(of);
    EXPECT_EQ(r.exit_code, 2);
    EXPECT_NE(r.err.find(why), std::string::npos) << r.err;
  }
}

// The error stream is for what is wrong, not for what the kernel below has to tell of itself.
TEST(commands, a_run_that_goes_well_says_nothing_on_the_error_stream) {
  const auto r = test::memwall("run --platform cim_sram --model gpt-2 --dtype int8 --context 16 --quiet --json");
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_EQ(r.err, "");
}

// Eight bits over a range of some four deviations leave 6.02 x 8 + 4.77 - 20 log(4) = 41 dB, for weights and inputs
// each.
TEST(commands, a_layers_error_in_eight_bits_is_what_eight_bits_leave) {
  const auto r = test::memwall("infer --model " MEMWALL_SOURCE_DIR
                               "/tests/values/data/small --random-weights --platform cim_sram --prompt \"It was\" "
                               "--tokens 2 --json");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto layers = r.json()["layers"];
  ASSERT_GT(layers.size(), 4U);
  for (const auto& l : layers) {
    EXPECT_GT(l["snr_db"], 28) << l["name"];
    EXPECT_LT(l["snr_db"], 50) << l["name"];
  }
}

TEST(commands, a_platform_is_described_by_what_its_file_says) {
  const auto r = test::memwall("describe platform cim_sram");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.out.substr(0, r.out.find('\n')),
            "cim_sram: Digital SRAM compute-in-memory accelerator (64 MiB of macros) on 80 GB of HBM3; weights that do "
            "not fit stream through");
  for (const char* line :
       {"\n  sources: TSMC digital CIM macro (ISSCC 2022, 5 nm, 64 kb); memory as von_neumann_h100\n",
        "\n  mem            dram  standard=HBM3  channels=160  size=80 GB\n", "\n  cim -> fabric\n",
        "\n  fabric -> mem\n", "\n  operators run on cim: weights in mem, KV cache in mem, activations in mem\n"})
    EXPECT_NE(r.out.find(line), std::string::npos) << line << '\n' << r.out;
}

// One token in the midst of the window that a text is scored in: half of the window, or of the text where that is
// shorter.
TEST(commands, what_a_scored_text_costs_is_told_in_the_midst_of_its_window) {
  const test::temp_dir dir;
  std::ofstream(dir / "text") << std::string(200, 'a');
  const std::string words =
      "infer --model " MEMWALL_SOURCE_DIR
      "/tests/values/data/small --random-weights --platform cim_sram --no-compare --json --text " +
      dir / "text";
  const auto at = [&](const std::string& more) {
    const auto r = test::memwall(words + more);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return r.exit_code == 0 ? r.json()["simulated"]["context"].get<int>() : -1;
  };
  EXPECT_EQ(at(" --context 16 --tokens 40"), 8);
  EXPECT_EQ(at(" --context 32 --tokens 12"), 6);
  EXPECT_EQ(at(" --context 32 --tokens 3"), 2) << "not less than two";
}

// Five measured products, two of which a parameter was fitted to: each with its error, then by kind and all together
// the median (of two: their mean) of the errors' sizes and the one that nine in ten do not exceed (of five: the
// largest).
TEST(commands, validation_tells_each_row_and_sums_up_by_kind) {
  const test::temp_dir dir;
  const auto r = test::memwall("validate --only 'KRN-rtx4090-2-*' --out " + dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto v = nlohmann::ordered_json::parse(test::read_file(dir / "validation.json"));
  const std::string page = test::read_file(dir / "validation.md");
  ASSERT_EQ(v["rows"].size(), 5U);
  std::map<std::string, std::vector<double>> errors;
  for (const auto& row : v["rows"]) {
    const double error = row["simulated"].get<double>() / row["measured"].get<double>() - 1;
    EXPECT_NEAR(row["error"], error, 1e-12);
    for (const std::string& kind : {row["kind"].get<std::string>(), std::string("both")})
      errors[kind].push_back(std::abs(error));
    char percent[32];
    std::snprintf(percent, sizeof percent, "%+.1f %%", 100 * error);
    const std::string id = row["id"];
    const std::string line = r.out.substr(r.out.find(id), r.out.find('\n', r.out.find(id)) - r.out.find(id));
    EXPECT_NE(line.find(std::string(" ") + percent + " " + row["kind"].get<std::string>()), std::string::npos) << line;
    EXPECT_NE(page.find("| " + id + " | RTX 4090 | " + row["workload"].get<std::string>() + " | "), std::string::npos);
  }
  ASSERT_EQ(errors["calibration"].size(), 2U);
  ASSERT_EQ(errors["validation"].size(), 3U);
  ASSERT_EQ(v["summary"].size(), 3U);
  for (std::size_t k = 0; k < 3; ++k) {
    const auto& e = v["summary"][k];
    const std::string kind = e["kind"];
    EXPECT_EQ(kind, (std::vector<std::string>{"calibration", "validation", "both"})[k]);
    auto& sizes = errors[kind];
    std::sort(sizes.begin(), sizes.end());
    const std::size_t half = sizes.size() / 2;
    const double median = sizes.size() % 2 == 1 ? sizes[half] : (sizes[half - 1] + sizes[half]) / 2,
                 most = sizes.back();
    EXPECT_EQ(e["category"], "kernel M>1");
    EXPECT_EQ(e["rows"], sizes.size());
    EXPECT_EQ(e["failed"], 0);
    EXPECT_NEAR(e["median_abs_error"], median, 1e-12) << kind;
    EXPECT_NEAR(e["p90_abs_error"], most, 1e-12) << kind;
    char line[128];
    std::snprintf(line, sizeof line, "| kernel M>1 | %s | %zu | %.1f %% | %.1f %% |\n", kind.c_str(), sizes.size(),
                  100 * median, 100 * most);
    EXPECT_NE(page.find(line), std::string::npos) << line;
    std::snprintf(line, sizeof line, "\n%-22s %-12s %6zu %12.1f %% %14.1f %%\n", "kernel M>1", kind.c_str(),
                  sizes.size(), 100 * median, 100 * most);
    EXPECT_NE(r.out.find(line), std::string::npos) << line << r.out;
  }
}

// A completion knows every command and its options, though it is asked of one.
TEST(commands, are_all_there_for_completions) {
  const std::string bash = test::memwall("print completion bash").out;
  for (const auto& [name, unused] : commands()) EXPECT_NE(bash.find(name), std::string::npos) << name;
  for (const char* option : {"--transfer-bytes", "--pattern", "--rate"})
    EXPECT_NE(bash.find(option), std::string::npos) << option;
}

// What may follow an option is offered in each shell's own words, where it is one of a few; a number or a file is not.
TEST(commands, words_that_may_follow_an_option_are_offered_by_each_shell) {
  const std::string bash = test::memwall("print completion bash").out, zsh = test::memwall("print completion zsh").out,
                    fish = test::memwall("print completion fish").out;
  for (const auto& [option, words] :
       {std::pair<std::string, std::string>{"phase", "prefill decode both"}, {"replay", "on off"}}) {
    EXPECT_NE(bash.find("    --" + option + ") COMPREPLY=($(compgen -f -W '" + words + "' -- \"$word\")); return ;;\n"),
              std::string::npos)
        << option << " in " << bash;
    const auto in_zsh = zsh.find("'*--" + option + "[");
    ASSERT_NE(in_zsh, std::string::npos) << option;
    const std::string zsh_line = zsh.substr(in_zsh, zsh.find('\n', in_zsh) - in_zsh);
    EXPECT_NE(zsh_line.find("]:value:(" + words + ")'"), std::string::npos) << zsh_line;
    const auto in_fish = fish.find("'__fish_seen_subcommand_from run' -l " + option + " ");
    ASSERT_NE(in_fish, std::string::npos) << option;
    const std::string fish_line = fish.substr(in_fish, fish.find('\n', in_fish) - in_fish);
    EXPECT_NE(fish_line.find(" -r -a '" + words + "'"), std::string::npos) << fish_line;
  }
  for (const char* option : {"--platform", "--model"})
    EXPECT_NE(bash.find("    " + std::string(option) + ") COMPREPLY="), std::string::npos) << option;
  EXPECT_EQ(bash.find("    --batch)"), std::string::npos);
  EXPECT_NE(zsh.find("'*--batch["), std::string::npos);
}

TEST(commands, near_misses_are_told) {
  const auto command = test::memwall("srve");
  EXPECT_EQ(command.exit_code, 2);
  EXPECT_NE(command.err.find("did you mean 'serve'"), std::string::npos) << command.err;
  const auto option = test::memwall("run --platfrom x --model gpt-2");
  EXPECT_EQ(option.exit_code, 2);
  EXPECT_NE(option.err.find("did you mean '--platform'"), std::string::npos) << option.err;
  const auto others = test::memwall("dram --tokens 3");  // an option of another command
  EXPECT_EQ(others.exit_code, 2);
}

TEST(commands, the_program_holds_its_rooms) {
  std::FILE* pipe =
      popen(("LD_TRACE_LOADED_OBJECTS=1 " + std::string(MEMWALL_BINARY_DIR) + "/bin/memwall").c_str(), "r");
  std::string loaded(65536, '\0');
  loaded.resize(std::fread(loaded.data(), 1, loaded.size(), pipe));
  pclose(pipe);
  EXPECT_NE(loaded.find("libsystemc"), std::string::npos) << loaded;
  EXPECT_EQ(loaded.find("libmemwall"), std::string::npos) << loaded;
}

// Law 7, as the command measures it: the step of a preset as it is simulated alone, burst by burst and not.
TEST(commands, validation_compares_sizes_of_transfers) {
  const auto r = test::memwall("validate --fidelity --only 'cim_dram_ai?' --json");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto v = nlohmann::ordered_json::parse(r.out);
  ASSERT_EQ(v["presets"].size(), 1U) << v;
  const auto& p = v["presets"][0];
  EXPECT_EQ(p["platform"], "cim_dram_aim");
  for (const std::string size : {"burst", "auto"}) {
    const auto alone = test::memwall(
        "run --platform cim_dram_aim --model gpt-2 --dtype fp16 --phase decode --context 256 --tokens 1 --json "
        "--quiet --transfer-bytes " +
        size);
    EXPECT_NEAR(p[size + "_ns"].get<double>(), alone.json()["summary"]["time_ns"].get<double>(), 1e-3);
    EXPECT_GT(p[size + "_wall_s"].get<double>(), 0);
  }
  const double difference = p["auto_ns"].get<double>() / p["burst_ns"].get<double>() - 1;
  EXPECT_NEAR(p["difference"].get<double>(), difference, 1e-12);
  EXPECT_NEAR(v["largest_difference"].get<double>(), std::abs(difference), 1e-12);
  const auto none = test::memwall("validate --fidelity --only 'cim_dram_ai'");
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_NE(none.err.find("matches no preset"), std::string::npos) << none.err;
}

// Each axis has a --sweep of its own: a word behind one is no second axis.
TEST(commands, an_axis_takes_one_word) {
  const test::temp_dir dir;
  const auto r = test::memwall(
      "compare --platform cim_sram --platform cim_dram --model gpt-2 --sweep batch=1,2 prompt=1,2 --out " +
      (dir / "o"));
  EXPECT_EQ(r.exit_code, 2);
  EXPECT_NE(r.err.find("prompt=1,2"), std::string::npos) << r.err;
  EXPECT_FALSE(std::filesystem::exists(dir / "o"));
}

}  // namespace
}  // namespace memwall
