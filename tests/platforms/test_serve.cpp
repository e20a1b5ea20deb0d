// SPDX-License-Identifier: Apache-2.0
// `memwall serve` as a user runs it: what it writes, that its parts sum, that reuse says how wrong it is and is not
// more wrong than that, and what it refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "platforms/tell/serving_result.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace memwall {
namespace {

using json = nlohmann::ordered_json;

const std::string gpt2 = "serve --platform von_neumann_rtx4090 --model gpt-2 --set software=vllm ";

struct table {
  std::map<std::string, std::vector<std::string>> column;
  std::size_t rows = 0;
};

table read_csv(const std::string& path) {
  table out;
  std::ifstream in(path);
  std::string line, cell;
  std::vector<std::string> names;
  const auto cells = [](const std::string& text) {
    std::vector<std::string> v;
    std::stringstream s(text);
    for (std::string c; std::getline(s, c, ',');) v.push_back(c);
    return v;
  };
  std::getline(in, line);
  names = cells(line);
  while (std::getline(in, line)) {
    const auto v = cells(line);
    for (std::size_t i = 0; i < names.size(); ++i) out.column[names[i]].push_back(i < v.size() ? v[i] : "");
    ++out.rows;
  }
  return out;
}

/// "1.000000000002" in picoseconds.
std::int64_t picoseconds(const std::string& seconds) {
  const std::size_t dot = seconds.find('.');
  return std::stoll(seconds.substr(0, dot)) * 1'000'000'000'000 + std::stoll(seconds.substr(dot + 1));
}

TEST(serve, writes_what_happened_and_its_parts_sum) {
  const test::temp_dir dir;
  const auto r = test::memwall(gpt2 +
                               "--requests poisson:rate=200,n=40,input=uniform:20-200,output=uniform:1-30,prefix=16:2 "
                               "--set server.kv_blocks=80 --slo ttft=50ms,tpot=5ms --json --out " +
                               dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.err, "");
  const json d = r.json(), s = d["serving"];
  for (const char* key : {"requests", "completed", "duration_ns", "preemptions", "prefix_hit_rate", "requests_per_s",
                          "output_tokens_per_s", "ttft_ms", "tpot_ms", "itl_ms", "e2e_ms", "kv", "goodput"})
    EXPECT_TRUE(s.contains(key)) << key;
  EXPECT_EQ(s["requests"], 40);
  EXPECT_EQ(s["completed"], 40);
  EXPECT_EQ(s["kv"]["blocks"], 80);
  EXPECT_LE(s["kv"]["peak_blocks"], 80);
  EXPECT_GT(s["prefix_hit_rate"], 0.0);
  EXPECT_GT(d["summary"]["energy_per_token_pj"], 0.0);
  // The software preset derives from another one: what it does not say is the other's.
  const json& gpu = d["config"]["platform"]["modules"]["gpu"];
  EXPECT_EQ(gpu["attention"], "flash3");
  EXPECT_EQ(gpu["load"], "sustained");
  EXPECT_EQ(gpu["step_overhead"].dump().find("1.1"), std::string::npos) << gpu["step_overhead"];
  double stack = 0;
  for (const auto& [unused, part] : d["stall_stack_ns"].items()) stack += part.get<double>();
  EXPECT_NEAR(stack, s["duration_ns"].get<double>(), 1e-3);

  const table requests = read_csv(dir / "requests.csv");
  ASSERT_EQ(requests.rows, 40u);
  double ttft = 0, e2e = 0, tokens = 0;
  for (std::size_t i = 0; i < requests.rows; ++i) {
    const auto at = [&](const char* name) { return picoseconds(requests.column.at(name)[i]); };
    std::int64_t sum = 0;
    for (const auto& [name, values] : requests.column)
      if (name.size() > 3 && name.substr(name.size() - 3) == "_ps") sum += std::stoll(values[i]);
    EXPECT_EQ(sum, at("last_token_s") - at("arrival_s")) << "request " << i;
    EXPECT_LE(at("arrival_s"), at("scheduled_s"));
    EXPECT_LT(at("scheduled_s"), at("first_token_s"));
    EXPECT_LE(at("first_token_s"), at("last_token_s"));
    ttft += static_cast<double>(at("first_token_s") - at("arrival_s")) * 1e-9 / 40;
    e2e += static_cast<double>(at("last_token_s") - at("arrival_s")) * 1e-9 / 40;
    tokens += std::stod(requests.column.at("output_tokens")[i]);
  }
  EXPECT_NEAR(s["ttft_ms"]["mean"], ttft, 1e-6 * ttft);
  EXPECT_NEAR(s["e2e_ms"]["mean"], e2e, 1e-6 * e2e);
  EXPECT_EQ(d["summary"]["tokens"], tokens);

  const table steps = read_csv(dir / "steps.csv");
  EXPECT_EQ(steps.rows, s["steps"].get<std::size_t>());
  for (std::size_t i = 0; i < steps.rows; ++i) {
    std::int64_t sum = 0;
    for (const auto& [name, values] : steps.column)
      if (name.size() > 3 && name.substr(name.size() - 3) == "_ps") sum += std::stoll(values[i]);
    EXPECT_EQ(sum, picoseconds(steps.column.at("end_s")[i]) - picoseconds(steps.column.at("start_s")[i]));
  }

  // What it wrote is a list of requests, too.
  const auto again = test::memwall(gpt2 + "--set server.kv_blocks=80 --json --requests " + (dir / "requests.csv"));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.json()["serving"]["completed"], 40);
}

/// Between two values percentiles lie on a straight line: that of `share` at place share x (n - 1) of them in order.
double percentile(std::vector<double> v, double share) {
  std::sort(v.begin(), v.end());
  const double place = share * static_cast<double>(v.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(place));
  const double high = v[std::min(below + 1, v.size() - 1)];
  return v[below] + (high - v[below]) * (place - std::floor(place));
}

TEST(serve, distributions_are_those_of_the_values) {
  using platforms::distribution_json;
  // 1, 2, 3, 4, 10: half of four steps is the third value; 0.9 x 4 = 3.6 lies between 4 and 10.
  const json five = distribution_json({{3, 1}, {10, 1}, {1, 1}, {2, 1}, {4, 1}});
  EXPECT_DOUBLE_EQ(five["mean"], 4);
  EXPECT_DOUBLE_EQ(five["p50"], 3);
  EXPECT_DOUBLE_EQ(five["p90"], 4 + 0.6 * 6);
  EXPECT_DOUBLE_EQ(five["p95"], 4 + 0.8 * 6);
  EXPECT_DOUBLE_EQ(five["p99"], 4 + 0.96 * 6);
  // 5 nine times and 15 once: the places of 50 % and 90 % (8.1) are inside the nine, or a tenth on the way to 15.
  const json ten = distribution_json({{15, 1}, {5, 9}});
  EXPECT_DOUBLE_EQ(ten["mean"], 6);
  EXPECT_DOUBLE_EQ(ten["p50"], 5);
  EXPECT_DOUBLE_EQ(ten["p90"], 5 + 0.1 * 10);
  const json one = distribution_json({{7, 1}});
  for (const char* key : {"mean", "p50", "p99"}) EXPECT_DOUBLE_EQ(one[key], 7) << key;
  const json none = distribution_json({});
  for (const auto& [key, value] : none.items()) EXPECT_TRUE(value.is_null()) << key;
}

/// What the result says of all requests and of each class, from the times of each that stand beside it. The first three
/// warm the server up and do not count.
TEST(serve, figures_are_those_of_its_requests) {
  const test::temp_dir dir;
  {
    std::ofstream list(dir / "list.csv");
    list << "arrival_s,input_tokens,output_tokens,class\n";
    for (int i = 0; i < 12; ++i)
      list << 0.004 * i << ',' << 20 + i % 7 * 16 << ',' << (i % 10 == 9 ? 1 : 2 + i % 3) << ','
           << (i % 3 == 0 ? "a" : "b") << '\n';
  }
  const auto r = test::memwall(gpt2 + "--warm-up 3 --slo ttft=11ms,tpot=1.6ms,e2e=15ms --json --requests " +
                               (dir / "list.csv") + " --out " + (dir / "o"));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json whole = r.json(), s = whole["serving"];
  const table t = read_csv(dir / "o/requests.csv");
  ASSERT_EQ(t.rows, 12u);
  EXPECT_EQ(s["warm_up"], 3);
  struct group {
    std::vector<double> ttft, tpot, e2e;
  };
  std::map<std::string, group> groups;
  double good = 0, input = 0, output = 0, first = 1e30, last = 0;
  for (std::size_t i = 3; i < 12; ++i) {
    const auto at = [&](const char* name) { return static_cast<double>(picoseconds(t.column.at(name)[i])) * 1e-9; };
    const double tokens = std::stod(t.column.at("output_tokens")[i]);
    const double ttft = at("first_token_s") - at("arrival_s"), e2e = at("last_token_s") - at("arrival_s"),
                 tpot = tokens > 1 ? (at("last_token_s") - at("first_token_s")) / (tokens - 1) : 0;
    for (const std::string& name : {std::string(), t.column.at("class")[i]}) {
      groups[name].ttft.push_back(ttft);
      groups[name].e2e.push_back(e2e);
      if (tokens > 1) groups[name].tpot.push_back(tpot);
    }
    good += ttft <= 11 && tpot <= 1.6 && e2e <= 15 ? 1 : 0;
    input += std::stod(t.column.at("input_tokens")[i]);
    output += tokens;
    first = std::min(first, at("arrival_s"));
    last = std::max(last, at("last_token_s"));
  }
  ASSERT_EQ(groups.size(), 3u);
  for (const auto& [name, g] : groups) {
    const json& of = name.empty() ? s : s["classes"][name];
    for (const auto& [key, values] : {std::pair{"ttft_ms", &g.ttft}, {"tpot_ms", &g.tpot}, {"e2e_ms", &g.e2e}}) {
      double mean = 0;
      for (const double v : *values) mean += v / static_cast<double>(values->size());
      EXPECT_NEAR(of[key]["mean"], mean, 1e-6 * mean) << name << key;
      for (const auto& [part, share] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}})
        EXPECT_NEAR(of[key][part], percentile(*values, share), 1e-6 * mean) << name << key << part;
    }
    if (!name.empty()) {
      EXPECT_EQ(of["requests"], g.ttft.size());
    }
  }
  // What requests took of the machine, and what the machine takes of itself all the time: as in any other run.
  double pj = 0;
  for (const auto& text : t.column.at("energy_pj")) pj += std::stod(text);
  const json other =
      test::memwall("run --platform von_neumann_rtx4090 --model gpt-2 --context 16 --json --quiet").json();
  const double idle = other["energy"]["idle_pj"].get<double>() / other["summary"]["time_ns"].get<double>();
  EXPECT_NEAR((whole["summary"]["energy_pj"].get<double>() - pj) / s["duration_ns"].get<double>(), idle, 1e-6 * idle);
  // Parts by module are those of everything that was served, pauses included.
  const json& energy = whole["energy"];
  double parts = 0;
  for (const auto& [unused, part] : energy["by_component_pj"].items()) parts += part.get<double>();
  EXPECT_EQ(energy["total_pj"], whole["summary"]["energy_pj"]);
  EXPECT_NEAR(parts, energy["total_pj"], 1e-9 * parts);
  EXPECT_NEAR(energy["idle_pj"].get<double>() / s["duration_ns"].get<double>(), idle, 1e-6 * idle);
  const double seconds = (last - first) * 1e-3;
  EXPECT_NEAR(s["requests_per_s"], 9 / seconds, 1e-6 * 9 / seconds);
  EXPECT_NEAR(s["input_tokens_per_s"], input / seconds, 1e-6 * input / seconds);
  EXPECT_NEAR(s["output_tokens_per_s"], output / seconds, 1e-6 * output / seconds);
  ASSERT_GT(good, 0);
  ASSERT_LT(good, 9) << "limits that some meet and some do not";
  EXPECT_NEAR(s["goodput"]["share"], good / 9, 1e-9);
  EXPECT_NEAR(s["goodput"]["requests_per_s"], good / seconds, 1e-6 * good / seconds);
}

TEST(serve, the_same_bytes_twice) {
  const test::temp_dir a, b;
  std::string results[2];
  for (int i = 0; i < 2; ++i) {
    const auto& dir = i == 0 ? a : b;
    ASSERT_EQ(test::memwall(gpt2 + "--quiet --requests gamma:rate=90,cv=2,n=30,input=40,output=8 --out " + dir.path())
                  .exit_code,
              0);
    json d = json::parse(test::read_file(dir / "result.json"));
    d.erase("host");
    results[i] = d.dump() + test::read_file(dir / "requests.csv") + test::read_file(dir / "steps.csv");
  }
  EXPECT_EQ(results[0], results[1]);
}

/// Law 12.
TEST(serve, reuse_is_as_wrong_as_it_says) {
  // More weights than any cache holds: of a smaller model every probe has all layers, which pays for itself later only.
  const std::string words =
      "serve --platform von_neumann_rtx4090 --model opt-1.3b --set software=vllm --json "
      "--requests closed:users=6,n=18,input=uniform:16-96,output=uniform:4-24 ";
  const auto with = test::memwall(words), without = test::memwall(words + "--reuse off");
  ASSERT_EQ(with.exit_code, 0) << with.err;
  ASSERT_EQ(without.exit_code, 0) << without.err;
  const json a = with.json(), b = without.json();
  const json& reuse = a["fidelity"]["reuse"];
  EXPECT_EQ(reuse["mode"], "on");
  EXPECT_EQ(b["fidelity"]["reuse"]["mode"], "off");
  EXPECT_EQ(b["fidelity"]["reuse"]["operators"], b["fidelity"]["reuse"]["simulated"]);
  EXPECT_LT(reuse["simulated"], reuse["operators"]);
  EXPECT_GT(reuse["audited"], 2);
  EXPECT_EQ(a["serving"]["steps"], b["serving"]["steps"]);
  const double bound = (reuse["error_mean_pct"].get<double>() + reuse["confidence_pct"].get<double>() +
                        reuse["bound_pct"].get<double>()) /
                       100;
  EXPECT_LT(bound, 0.05);
  for (const char* path : {"/summary/time_ns", "/serving/tpot_ms/mean", "/serving/e2e_ms/mean"}) {
    const double x = a.at(json::json_pointer(path)), y = b.at(json::json_pointer(path));
    EXPECT_NEAR(x, y, bound * y) << path;
  }
  // What a board draws outside of its cores goes with the bytes in all, not with each operator's.
  EXPECT_NEAR(a["summary"]["energy_pj"], b["summary"]["energy_pj"], 0.05 * b["summary"]["energy_pj"].get<double>());
  // The same arithmetic, whoever was simulated.
  EXPECT_NEAR(a["summary"]["flops"], b["summary"]["flops"], 1e-2 * b["summary"]["flops"].get<double>());
}

TEST(serve, more_requests_wait_longer_and_more_replicas_less) {
  const auto mean = [](const std::string& words) {
    const auto r = test::memwall(gpt2 + "--json --requests poisson:rate=50,n=60,input=100,output=40 " + words);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return r.json()["serving"]["e2e_ms"]["mean"].get<double>();
  };
  const double alone = mean(""), crowded = mean("--rate 2000 --set server.max_num_seqs=8"),
               shared = mean("--rate 2000 --set server.max_num_seqs=8 --replicas 4");
  EXPECT_LT(alone, crowded);
  EXPECT_LT(shared, crowded);
}

/// Four replicas are four machines, and draw what their energy over the time says.
TEST(serve, the_machine_counts_its_replicas) {
  const std::string words = gpt2 + "--json --requests poisson:rate=400,n=40,input=32,output=8 ";
  const json one = test::memwall(words).json(), four = test::memwall(words + "--replicas 4").json();
  for (const char* key : {"chips", "memory_capacity_bytes", "memory_bandwidth_gbps"})
    EXPECT_EQ(four["machine"][key].get<double>(), 4 * one["machine"][key].get<double>()) << key;
  for (const json& d : {one, four})
    EXPECT_NEAR(d["machine"]["power_w"],
                d["summary"]["energy_pj"].get<double>() / d["serving"]["duration_ns"].get<double>() * 1e-3, 1e-6);
}

/// The viewer's file: every request has its phases end to end, every step its slice, in the time of the service.
TEST(serve, the_timeline_is_that_of_requests_and_steps) {
  const test::temp_dir dir;
  const auto r =
      test::memwall(gpt2 + "--requests poisson:rate=60,n=12,input=40,output=6 --timeline --json --out " + dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto events = json::parse(test::read_file(dir / "timeline.json"))["traceEvents"];
  const table requests = read_csv(dir / "requests.csv"), steps = read_csv(dir / "steps.csv");
  std::size_t slices = 0;
  double phases = 0, slice_us = 0;
  std::map<std::string, double> open;
  for (const auto& e : events) {
    const std::string kind = e["ph"];
    if (kind == "X") ++slices, slice_us += e["dur"].get<double>();
    if (kind == "b") open[e["id"].dump()] = e["ts"].get<double>();
    if (kind == "e") phases += e["ts"].get<double>() - open.at(e["id"].dump());
  }
  EXPECT_EQ(slices, steps.rows);
  double latency = 0, step_us = 0;
  for (std::size_t i = 0; i < requests.rows; ++i)
    latency += static_cast<double>(picoseconds(requests.column.at("last_token_s")[i]) -
                                   picoseconds(requests.column.at("arrival_s")[i])) *
               1e-6;
  for (std::size_t i = 0; i < steps.rows; ++i)
    step_us +=
        static_cast<double>(picoseconds(steps.column.at("end_s")[i]) - picoseconds(steps.column.at("start_s")[i])) *
        1e-6;
  EXPECT_NEAR(phases, latency, 1e-6 * latency);
  EXPECT_NEAR(slice_us, step_us, 1e-6 * step_us);
}

/// Law 6: looking changes nothing. With --vcd every device is simulated, which is why it is one device here.
TEST(serve, waves_and_timelines_leave_the_result_as_it_is) {
  const test::temp_dir dir;
  const std::string words = gpt2 + "--requests closed:users=2,n=4,input=24,output=4 --json ";
  json plain = test::memwall(words).json(),
       watched = test::memwall(words + "--vcd=0us:20us --timeline --out " + (dir / "o")).json();
  for (json* d : {&plain, &watched})
    for (const char* key : {"host", "outputs"}) d->erase(key);  // of the host; files that were written
  EXPECT_TRUE(plain == watched);                                // a difference would print both
  EXPECT_TRUE(std::filesystem::file_size(dir / "o/waves.vcd") > 1000);
  const auto nowhere = test::memwall(words + "--timeline");
  EXPECT_EQ(nowhere.exit_code, 2);
  EXPECT_NE(nowhere.err.find("--out DIR"), std::string::npos);
}

/// Law 11: what whatif prints is what a run with that part changed says.
TEST(serve, a_printed_gain_is_a_simulated_gain) {
  const std::string words = gpt2 + "--json --requests poisson:rate=40,n=20,input=64,output=8 ";
  const auto r = test::memwall(words + "--whatif --factors 2 -j 2");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json d = r.json();
  ASSERT_FALSE(d["whatif"].empty());
  const json& most = d["whatif"][0];
  std::string sets;
  for (const auto& s : most["set"]) sets += " --set '" + s.get<std::string>() + "'";
  const json again = test::memwall(words + sets).json();
  const double before = d["serving"]["e2e_ms"]["mean"], after = again["serving"]["e2e_ms"]["mean"];
  EXPECT_NEAR(before / after, most["speedup"], 0.01 * before / after) << sets;
  EXPECT_NEAR(after * 1e6, most["time_ns"], 1e-6 * after * 1e6);
}

TEST(serve, refuses_what_cannot_be_served) {
  const test::temp_dir dir;
  const auto file = [&](const std::string& lines) {
    std::ofstream(dir / "r.csv") << "arrival_s,input_tokens,output_tokens\n" << lines;
    return test::memwall(gpt2 + "--quiet --requests " + (dir / "r.csv"));
  };
  const auto told = [](const test::program_output& r, int code, const std::string& part) {
    EXPECT_EQ(r.exit_code, code) << r.err;
    EXPECT_NE(r.err.find(part), std::string::npos) << r.err;
  };
  told(file("0,10,0\n"), 2, "r.csv:2: output_tokens");
  told(file("-1,10,5\n"), 2, "r.csv:2: arrival");
  told(file(""), 2, "no requests");
  told(file("0,1000,100\n"), 2, "r.csv:2: request 0: 1000 tokens in and 100 out are 1100 positions");
  std::ofstream(dir / "r.csv") << "arrival_s,input_tokens,output_tokens\n0,500,100\n";
  told(test::memwall(gpt2 + "--set server.kv_blocks=20 --requests " + (dir / "r.csv")), 3, "needs 38 KV blocks of 16");
  told(test::memwall(gpt2 + "--requests poisson:rat=5"), 2, "did you mean 'rate'");
  told(test::memwall(gpt2 + "--requests " + (dir / "none.csv")), 2, "cannot be read");
  told(test::memwall(gpt2 + "--requests constant:rate=1 --set server.polcy=fcfs"), 2, "did you mean 'policy'");
  told(test::memwall(gpt2 + "--requests constant:rate=1 --set server.policy=fcsf"), 2, "did you mean 'fcfs'");
  told(test::memwall(gpt2 + "--requests constant:rate=1,n=5 --slo ttf=3ms"), 2, "did you mean 'ttft'");
  // 24,176 MiB are 23.61 GiB of 1024 MiB each. Keys and values of 16 tokens are 16 x 2 x 12 x 768 numbers of two bytes,
  // 0.5625 MiB, told to three digits.
  const auto no_block = test::memwall(gpt2 + "--requests constant:rate=1,n=2 --set server.gpu_memory_utilization=0.01");
  told(no_block, 3, "no KV block fits: 'gddr' has 23.61 GiB, the engine takes 1 % of it");
  told(no_block, 3, "a KV block of 16 tokens takes 0.562 MiB");
  // One setting a --set: a second one behind it is no part of the command line.
  told(test::memwall(gpt2 + "--requests constant:rate=1,n=2 --set server.kv_blocks=20 server.block_size=32"), 2,
       "server.block_size=32");
  told(test::memwall("serve --platform von_neumann_rtx4090 --model llama-2-13b --requests constant:rate=1,n=2"), 3,
       "'llama-2-13b' does not fit platform");
}

// 40 blocks of 16 tokens, prompts of 100: five sequences of 8 blocks each. At 129 positions they need 45, and the last
// one's 8 blocks go to the host's memory over PCIe and come back. GPT-2 keeps 2 x 12 x 768 values of 2 bytes a token.
TEST(serve, swapped_sequences_cross_the_link_to_the_hosts_memory) {
  const std::string requests =
      "--set server.kv_blocks=40 --requests constant:rate=1000,n=8,input=100,output=60 --reuse off --json ";
  const auto served = [&](const std::string& sets) {
    const auto r = test::memwall(gpt2 + requests + sets);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return r.json();
  };
  const json again = served("--set server.preemption=recompute"), swap = served("--set server.preemption=swap"),
             narrow = served("--set server.preemption=swap --set pcie.lanes=8");
  EXPECT_EQ(again["serving"]["preemptions"], 1);
  EXPECT_EQ(swap["serving"]["preemptions"], 1);
  EXPECT_EQ(again["summary"]["link_bytes"], 0);
  const double bytes = 2 * 8 * 16 * (2.0 * 12 * 768 * 2);
  EXPECT_EQ(swap["summary"]["link_bytes"], bytes);
  // 16 lanes of PCIe 4 carry at most 31.5 GB/s; half of them take twice as long.
  const auto step_times = [](const json& d) { return d["serving"]["duration_ns"].get<double>(); };
  const double link = swap["stall_stack_ns"]["link"], narrow_link = narrow["stall_stack_ns"]["link"];
  EXPECT_GT(link, 0.7 * bytes / 31.5);
  EXPECT_NEAR(narrow_link / link, 2, 0.25);
  EXPECT_NEAR(step_times(narrow) - step_times(swap), bytes / 31.5, 0.25 * bytes / 31.5);
  // With nowhere to go, it says so.
  const auto none =
      test::memwall("serve --platform von_neumann_m1 --model gpt-2 --set server.preemption=swap " + requests);
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_NE(none.err.find("server.preemption"), std::string::npos) << none.err;
}

TEST(serve, the_summary_tells_of_requests) {
  const auto r = test::memwall(gpt2 + "--requests constant:rate=50,n=6,input=40,output=5 --json");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json d = r.json();
  EXPECT_DOUBLE_EQ(d["summary"]["ttft_ns"], 1e6 * d["serving"]["ttft_ms"]["mean"].get<double>());
  EXPECT_DOUBLE_EQ(d["summary"]["tpot_ns"], 1e6 * d["serving"]["tpot_ms"]["mean"].get<double>());
}

// A checkpoint of GPTQ's is served in its own types, as it is run.
TEST(serve, a_quantised_checkpoint_keeps_its_types) {
  const test::temp_dir dir;
  std::ofstream(dir / "config.json") << R"({"model_type":"llama","hidden_size":512,"intermediate_size":1024,
      "num_hidden_layers":2,"num_attention_heads":8,"vocab_size":1000,"max_position_embeddings":512,
      "quantization_config":{"quant_method":"gptq","bits":4,"group_size":128}})";
  const std::string platform = "--platform von_neumann_rtx4090 --json --model " + dir.path();
  const auto served = test::memwall("serve " + platform + " --requests constant:rate=50,n=2,input=10,output=2"),
             ran = test::memwall("run " + platform + " --context 10");
  ASSERT_EQ(served.exit_code, 0) << served.err;
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(served.json()["workload"]["dtype"], "int4g128z4@fp16/fp16/fp16");
  EXPECT_EQ(served.json()["summary"]["weight_bytes"], ran.json()["summary"]["weight_bytes"]);
}

}  // namespace
}  // namespace memwall
