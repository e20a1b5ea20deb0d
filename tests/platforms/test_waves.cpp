// SPDX-License-Identifier: Apache-2.0
// Waveforms and timelines against the result of the same run, by readers that share no code with the writers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "platforms/watch/observe.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/timeline_check.h"
#include "tests/support/vcd_reader.h"

using namespace memwall;
using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

const std::string mini = " --model " + std::string(MEMWALL_SOURCE_DIR) +
                         "/tests/platforms/data/mini --context 256 --dtype int8/fp16/fp16 --quiet ";

json run_into(const test::temp_dir& dir, const std::string& platform, const std::string& options) {
  const auto r = test::memwall("run --platform " + platform + mini + options + " --out " + dir.path());
  if (r.exit_code != 0) throw std::runtime_error(r.err);
  return json::parse(test::read_file(dir / "result.json"));
}

std::int64_t ps(const json& ns) {
  return std::llround(ns.get<double>() * 1000);
}
std::int64_t sum_where(const test::vcd_signal& s, const std::vector<std::string>& values, std::int64_t end) {
  return s.time_where([&](const std::string& v) { return std::find(values.begin(), values.end(), v) != values.end(); },
                      0, end);
}

class waves : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(platforms, waves,
                         testing::Values("von_neumann_cpu", "cim_analog", "cim_dram", "von_neumann_unified"));

TEST_P(waves, busy_time_is_what_the_result_reports) {
  const test::temp_dir dir;
  const json r = run_into(dir, GetParam(), "--vcd --vcd-channels all --vcd-commands 100000000 --vcd-limit '1 GB'");
  for (const char* key : {"note", "detail_note", "late_changes"})
    ASSERT_FALSE(r["outputs"]["vcd"].contains(key)) << key;
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  const std::int64_t end = ps(r["summary"]["time_ns"]);
  EXPECT_EQ(f.first_ps(), 0);
  EXPECT_EQ(f.last_ps(), end);
  const std::string top = "memwall.";
  for (const auto& m : r["memories"]) {
    const std::string name = top + m["name"].get<std::string>();
    if (!m.contains("standard") || m["standard"] == "SRAM") {
      EXPECT_NEAR(static_cast<double>(f[name + ".busy"].busy_ps(0, end)) / static_cast<double>(end),
                  m["utilization"].get<double>(), 1e-9)
          << name;
      continue;
    }
    // Transfers in flight, to the picosecond; beats on the data buses, over what the buses could carry. A burst that
    // was read ahead may end after the run: half a nanosecond a channel is more than any has.
    EXPECT_EQ(f[name + ".busy"].busy_ps(0, end), ps(m["busy_ns"])) << name;
    std::int64_t beats = 0, buses = 0, activations = 0;
    for (int c = 0; c < m["channels"].get<int>(); ++c) {
      const std::string channel = fmt::format("{}.channel{}.", name, c);
      for (const auto& n : f.names(channel + "data_bus")) {
        beats += sum_where(f[n], {"read", "write"}, end);
        ++buses;
      }
      for (const auto& change : *f[channel + "row_command"].changes) activations += change.value == "ACT" ? 1 : 0;
    }
    ASSERT_GT(buses, 0) << name;
    if (m["read_bytes"].get<double>() == 0) continue;
    EXPECT_NEAR(static_cast<double>(beats) / static_cast<double>(buses * end), m["utilization"].get<double>(), 1e-4)
        << name;
    EXPECT_EQ(activations, m["commands"]["ACT"].get<std::int64_t>()) << name;
  }
  for (const char* list : {"buses", "links"})
    for (const auto& b : r[list]) {
      const auto& busy = f[top + b["name"].get<std::string>() + ".busy_time"];
      EXPECT_NEAR(static_cast<double>(busy.number_at(end)) / static_cast<double>(end), b["utilization"].get<double>(),
                  1e-6)
          << b["name"];
      // What is moving is seen, or unknown while large transfers are on their way; never "nothing".
      std::int64_t seen = 0;
      for (const char* signal : {".busy", ".forward_busy", ".backward_busy"})
        if (const std::string name = top + b["name"].get<std::string>() + signal; f.has(name))
          seen += f[name].busy_ps(0, end) + f[name].time_at("x", 0, end);
      EXPECT_GE(static_cast<double>(seen) / static_cast<double>(end), b["utilization"].get<double>() - 1e-6)
          << b["name"];
    }
  for (const auto& e : r["executors"]) {
    const std::string name = top + e["name"].get<std::string>();
    EXPECT_EQ(sum_where(f[name + ".state"], {"launch", "stream", "drain"}, end), ps(e["busy_ns"])) << name;
    if (e["operations"] == 0) continue;
    const std::pair<const char*, const char*> phases[] = {{"compute", "compute"}, {"program", "cim_program"},
                                                          {"input", "cim_input"}, {"array", "cim_array"},
                                                          {"adc", "cim_adc"},     {"accumulate", "cim_digital"}};
    for (const auto& [state, cause] : phases)
      EXPECT_EQ(sum_where(f[name + ".arithmetic"], {state}, end),
                e["stall_stack_ns"].contains(cause) ? ps(e["stall_stack_ns"][cause]) : 0)
          << name << " " << state;
    if (e["kind"] == "gpu" || e["kind"] == "cpu") {
      EXPECT_NEAR(static_cast<double>(sum_where(f[name + ".arithmetic"], {"compute"}, end)) / static_cast<double>(end),
                  e["utilization"].get<double>(), 1e-9);
    }
  }
}

// What the banks may do: data only while a row is open or just closed by an automatic precharge, a row number exactly
// while it is open, nothing but refresh where a bank refreshes.
TEST(waves, banks_behave_as_banks) {
  const test::temp_dir dir;
  run_into(dir, "von_neumann_cpu", "--vcd=:60us --vcd-channels 0,3");
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  EXPECT_FALSE(f.names("memwall.mem.channel3.").empty());
  EXPECT_TRUE(f.names("memwall.mem.channel1.").empty());
  int banks = 0, refreshed = 0;
  for (const auto& name : f.names("memwall.mem.channel0.")) {
    const auto at = name.rfind("_state");
    if (at == std::string::npos) continue;
    ++banks;
    const auto& state = f[name];
    const auto& row = f[name.substr(0, at) + "_row"];
    for (const auto& c : *state.changes) {
      const bool known = row.at(c.at_ps).find('x') == std::string::npos;
      EXPECT_EQ(known, c.value == "activating" || c.value == "open") << name << " " << c.value << " at " << c.at_ps;
      refreshed += c.value == "refreshing" ? 1 : 0;
    }
  }
  EXPECT_GT(banks, 8);
  EXPECT_GT(refreshed, 0);
}

TEST(waves, nothing_is_told_too_late_where_windows_open_and_close) {
  const test::temp_dir dir;
  const json r = run_into(dir, "von_neumann_cpu", "--vcd='layers.*.qkv' --vcd-channels all");
  EXPECT_FALSE(r["outputs"]["vcd"].contains("late_changes"));
  // Two operators match; outside of them everything is unknown.
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  const std::int64_t end = ps(r["summary"]["time_ns"]);
  std::int64_t inside = 0;
  for (const auto& l : r["layers"])
    if (l["name"].get<std::string>().find("qkv") != std::string::npos) inside += ps(l["end_ns"]) - ps(l["start_ns"]);
  const auto& state = f["memwall.cpu.state"];
  EXPECT_EQ(state.time_where([](const std::string& v) { return v != "?" && v != "x"; }, f.first_ps(), end), inside);
}

TEST(waves, a_window_by_time_holds_that_time_only) {
  const test::temp_dir dir;
  run_into(dir, "von_neumann_cpu", "--vcd=20us:22us");
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  EXPECT_EQ(f.first_ps(), 20'000'000);
  EXPECT_EQ(f.last_ps(), 22'000'000);
  EXPECT_GT(f["memwall.mem.channel0.column_command"].changes->size(), 100u);
}

TEST(waves, the_limits_hold_and_are_told) {
  const test::temp_dir dir;
  const json r = run_into(dir, "von_neumann_cpu", "--vcd --vcd-channels all --vcd-limit '200 kB' --vcd-commands 1000");
  // One buffer of changes may pass the limit before it is noticed, not more than a moment's.
  EXPECT_LT(fs::file_size(dir / "waves.vcd"), 210'000u);
  EXPECT_GT(fs::file_size(dir / "waves.vcd"), 190'000u);
  EXPECT_THAT(r["outputs"]["vcd"]["note"].get<std::string>(), testing::HasSubstr("--vcd-limit"));
  EXPECT_THAT(
      r["outputs"]["vcd"]["note"].get<std::string>(),
      testing::HasSubstr(fmt::format("cut at {:.3f} us", r["outputs"]["vcd"]["cut_at_ns"].get<double>() / 1000)));
  EXPECT_GT(r["outputs"]["vcd"]["cut_at_ns"], 0);
  EXPECT_LT(r["outputs"]["vcd"]["cut_at_ns"], r["summary"]["time_ns"]);
  EXPECT_GT(r["outputs"]["vcd"]["detail_until_ns"], 0);
  EXPECT_EQ(test::vcd_file::open(dir / "waves.vcd").last_ps(), ps(r["outputs"]["vcd"]["cut_at_ns"]));
}

// A wave agrees with the result or is unknown: the channel's signals end where the result says, just behind the last
// command that was seen.
TEST(waves, commands_that_nobody_looked_at_are_unknown) {
  const test::temp_dir dir;
  const json r = run_into(dir, "von_neumann_cpu", "--vcd --vcd-commands 1000");
  const std::int64_t until = ps(r["outputs"]["vcd"]["detail_until_ns"]), end = ps(r["summary"]["time_ns"]);
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  std::int64_t last = 0;
  for (const char* name : {"row_command", "column_command", "data_bus", "g0b0_state"}) {
    const auto& s = f[std::string("memwall.mem.channel0.") + name];
    EXPECT_EQ(s.changes->back().at_ps, until) << name;
    EXPECT_EQ(s.at(end), "?") << name;
    if (s.changes->size() > 1) last = std::max(last, (*s.changes)[s.changes->size() - 2].at_ps);
  }
  EXPECT_LT(last, until);
  EXPECT_GT(last, until - 10'000) << "commands follow each other while something is read";
  EXPECT_LT(until, end / 10) << "a thousand of the run's " << r["memories"][0]["commands"]["RD"] << " reads";
}

TEST(waves, operators_go_by_their_names) {
  const test::temp_dir dir;
  const json r = run_into(dir, "von_neumann_cpu", "--vcd --vcd-channels none");
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  const auto& s = f["memwall.cpu.operator"];
  EXPECT_EQ(s.type, "string");
  for (const auto& l : r["layers"])
    EXPECT_EQ(s.at((ps(l["start_ns"]) + ps(l["end_ns"])) / 2), l["name"].get<std::string>());
  EXPECT_THAT(test::read_file(dir / "waves.gtkw"), testing::HasSubstr("@820\nmemwall.cpu.operator\n"))
      << "shown as text";
}

TEST(waves, channels_are_understood) {
  using platforms::parse_channels;
  EXPECT_EQ(parse_channels("0,2-4", 8, false), (std::vector<int>{0, 2, 3, 4}));
  EXPECT_EQ(parse_channels("all", 3, false), (std::vector<int>{0, 1, 2}));
  EXPECT_TRUE(parse_channels("none", 3, false).empty());
  EXPECT_EQ(parse_channels("1,5", 4, true), std::vector<int>{1});
  for (const char* wrong : {"", "5", "3-1", "a", "0,,1", "-1"})
    EXPECT_THROW(parse_channels(wrong, 4, false), input_error) << wrong;
}

/// "process/track" by process and thread.
std::map<std::pair<int, int>, std::string> track_names(const json& root) {
  std::map<int, std::string> processes;
  std::map<std::pair<int, int>, std::string> out;
  for (const auto& e : root["traceEvents"])
    if (e["ph"] == "M" && e["name"] == "process_name") processes[e["pid"]] = e["args"]["name"];
  for (const auto& e : root["traceEvents"])
    if (e["ph"] == "M" && e["name"] == "thread_name")
      out[{e["pid"], e["tid"]}] = processes[e["pid"]] + "/" + e["args"]["name"].get<std::string>();
  return out;
}

/// The time that all channels of a memory moved data, in channel x ns: the counters of its process, up to the run's
/// end.
double data_ns(const json& root, const std::string& memory, int channels) {
  std::map<std::string, std::vector<std::pair<double, double>>> counters;
  int pid = 0;
  for (const auto& e : root["traceEvents"])
    if (e["ph"] == "M" && e["name"] == "process_name" && e["args"]["name"] == memory + " (dram)") pid = e["pid"];
  for (const auto& e : root["traceEvents"])
    if (e["ph"] == "C" && e["pid"] == pid && e["name"].get<std::string>().rfind("channel", 0) == 0)
      counters[e["name"]].emplace_back(e["ts"].get<double>() * 1000, e["args"]["busy %"].get<double>());
  double sum = 0;
  std::set<int> seen;
  for (const auto& [name, values] : counters) {
    // "channels 0-3,7 data bus": the counter is the mean of these.
    std::stringstream list(name.substr(name.find(' ') + 1, name.find(" data") - name.find(' ') - 1));
    int members = 0;
    for (std::string part; std::getline(list, part, ',');) {
      const auto dash = part.find('-');
      const int first = std::stoi(part), last = dash == std::string::npos ? first : std::stoi(part.substr(dash + 1));
      for (int c = first; c <= last; ++c, ++members)
        EXPECT_TRUE(seen.insert(c).second) << "channel " << c << " is in two counters";
    }
    for (std::size_t i = 0; i + 1 < values.size(); ++i) {
      EXPECT_LE(values[i].second, 100);
      sum += members * values[i].second / 100 * (values[i + 1].first - values[i].first);
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(channels)) << memory;
  return sum;
}

class timelines : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(platforms, timelines, testing::Values("von_neumann_cpu", "cim_dram", "cim_analog"));

TEST_P(timelines, a_run_is_valid_and_its_tracks_hold_what_the_result_says) {
  const test::temp_dir dir;
  const json r = run_into(dir, GetParam(), "--timeline='layers.0.*'");
  const auto facts = test::check_timeline(dir / "timeline.json");
  const auto root = json::parse(test::read_file(dir / "timeline.json"));
  EXPECT_THAT(facts.problems, testing::IsEmpty());
  EXPECT_FALSE(facts.cut);
  for (const auto& e : r["executors"])
    if (e["operations"] != 0) {
      EXPECT_NEAR(facts.busy_us.at("operators/" + e["name"].get<std::string>()), e["busy_ns"].get<double>() / 1000,
                  1e-3)
          << e["name"];
    }
  // Bytes of the slices on a memory's tracks are the bytes that it was asked for; arrows go to the window's transfers
  // only.
  for (const auto& m : r["memories"]) {
    if (!m.contains("asked_read_bytes")) continue;
    std::int64_t bytes = 0;
    std::set<std::int64_t> pids;
    for (const auto& e : root["traceEvents"])
      if (e["ph"] == "M" && e["name"] == "process_name" &&
          e["args"]["name"] == m["name"].get<std::string>() + " (dram)")
        pids.insert(e["pid"].get<std::int64_t>());
    ASSERT_EQ(pids.size(), 1u);
    for (const auto& s : facts.slices)
      if (pids.count(s["pid"].get<std::int64_t>()) != 0 && s["cat"] == "transfers")
        bytes += s["args"]["bytes"].get<std::int64_t>();
    EXPECT_EQ(bytes, m["asked_read_bytes"].get<std::int64_t>() + m["asked_write_bytes"].get<std::int64_t>())
        << m["name"];
  }
  const auto names = track_names(root);
  // What cores compute, from the track of their arithmetic.
  for (const auto& e : r["executors"]) {
    double slices = 0, causes = 0;
    for (const auto& s : facts.slices)
      if (names.at({s["pid"], s["tid"]}) == "operators/" + e["name"].get<std::string>() + " arithmetic")
        for (const auto& [key, value] : s["args"].items())
          if (key.size() > 3 && key.compare(key.size() - 3, 3, "_ns") == 0) slices += value.get<double>();
    for (const char* cause : {"compute", "cim_program", "cim_input", "cim_array", "cim_adc", "cim_digital"})
      if (e["stall_stack_ns"].contains(cause)) causes += e["stall_stack_ns"][cause].get<double>();
    EXPECT_NEAR(slices, causes, 1e-3) << e["name"];
  }
  std::size_t singles = 0;
  for (const auto& s : facts.slices) singles += s["cat"] == "transfer" ? 1 : 0;
  EXPECT_GT(singles, 0u);
  EXPECT_EQ(facts.events.at('s'), singles);
  EXPECT_EQ(facts.events.at('f'), singles);
  EXPECT_GT(facts.events.at('C'), 100u);
}

TEST_P(timelines, channels_carry_what_the_result_says) {
  // The counters and the wires tell the same, and the result too. Where much is moved one channel stands for all.
  const test::temp_dir dir;
  const bool all = std::string(GetParam()) != "von_neumann_cpu";
  run_into(dir, GetParam(), "--timeline");
  const auto counters = json::parse(test::read_file(dir / "timeline.json"));
  const json r = run_into(dir, GetParam(),
                          std::string("--timeline=all --vcd-commands 100000000 --vcd-channels ") + (all ? "all" : "0"));
  const auto root = json::parse(test::read_file(dir / "timeline.json"));
  const auto facts = test::check_timeline(dir / "timeline.json");
  EXPECT_THAT(facts.problems, testing::IsEmpty());
  ASSERT_FALSE(facts.cut);
  std::map<std::string, double> data;
  std::map<std::string, std::int64_t> commands, bursts;
  const auto names = track_names(root);
  for (const auto& s : facts.slices) {
    if (s["cat"] != "wires") continue;
    const std::string& name = names.at({s["pid"], s["tid"]});
    const std::string memory = name.substr(0, name.find(' '));
    if (name.find("data bus") != std::string::npos) {
      data[memory] += s["dur"].get<double>() * 1000;
      bursts[memory] += s["args"]["bursts"].get<std::int64_t>();
    } else if (name.find("commands") != std::string::npos) {
      ++commands[memory + " " + s["name"].get<std::string>()];
    }
  }
  for (const auto& m : r["memories"]) {
    const auto name = m["name"].get<std::string>();
    if (!m.contains("channels")) continue;
    // Data time from the result: bytes over the peak bandwidth, times the channels.
    const double bytes = m["read_bytes"].get<double>() + m["write_bytes"].get<double>();
    const double expected = bytes / m["peak_gbps"].get<double>() * m["channels"].get<int>();
    // A burst a channel may be under way at the end; the counters have six digits.
    const double slack = 1e-4 * expected + 10.0 * m["channels"].get<int>();
    EXPECT_NEAR(data_ns(root, name, m["channels"]), expected, slack) << name << ", every command simulated";
    EXPECT_NEAR(data_ns(counters, name, m["channels"]), expected, slack) << name << ", replayed";
    if (bytes == 0) continue;
    int buses = 1;  // pseudo-channels: the counter is their mean, slices are of each
    for (const auto& [unused, track] : names)
      if (track.rfind(name + " ", 0) == 0 && track.find("data bus 1") != std::string::npos) buses = 2;
    if (!all) {
      EXPECT_NEAR(data[name] * m["channels"].get<int>() / buses, expected, 0.01 * expected)
          << name << ", slices of one channel";
      continue;
    }
    EXPECT_NEAR(data[name] / buses, expected, slack) << name << ", slices";
    for (const auto& [kind, count] : m["commands"].items())
      EXPECT_EQ(commands[name + " " + kind], count.get<std::int64_t>()) << name << " " << kind;
  }
}

TEST(timeline_windows, a_pattern_that_matches_nothing_is_told) {
  const test::temp_dir dir;
  const json r = run_into(dir, "von_neumann_cpu", "--vcd='layer.0.*' --timeline='nothing'");
  EXPECT_THAT(r["outputs"]["vcd"]["detail_note"].get<std::string>(), testing::HasSubstr("'layer.0.*'"));
  EXPECT_THAT(r["outputs"]["timeline"]["detail_note"].get<std::string>(), testing::HasSubstr("'nothing'"));
}

TEST(timeline_windows, windows_of_waveform_and_timeline_are_their_own) {
  const test::temp_dir dir;
  run_into(dir, "von_neumann_cpu", "--vcd=10us:12us --timeline=20us:21us");
  const auto f = test::vcd_file::open(dir / "waves.vcd");
  EXPECT_EQ(f.first_ps(), 10'000'000);
  EXPECT_EQ(f.last_ps(), 12'000'000);
  const auto facts = test::check_timeline(dir / "timeline.json");
  EXPECT_THAT(facts.problems, testing::IsEmpty());
  int wires = 0;
  for (const auto& s : facts.slices) {
    if (s["cat"] != "wires") continue;
    ++wires;
    // Data follow their commands by less than 0.1 us; a refresh may be longer.
    EXPECT_GE(s["ts"].get<double>(), 19.9);
    EXPECT_LE(s["ts"].get<double>(), 21.1);
  }
  EXPECT_GT(wires, 100);
}

// At burst level cores tell the progress of tens of thousands of tiles ahead of time: they wait in the writer, which
// must not go through all of them again with each change that comes.
TEST(vcd_writer, changes_told_ahead_are_looked_at_a_few_times) {
  const test::temp_dir dir;
  ps_t now = 0;
  platforms::vcd_writer w(dir / "w.vcd", std::int64_t{1} << 30, [&now] { return now; });
  timed_probe ahead("ahead", probe_base::kind::integer);
  probe<std::uint64_t> count("count");
  w.add("m", ahead);
  w.add("m", count);
  int looks = 0;
  w.catch_up = [&looks] { ++looks; };
  w.open_window();
  constexpr int told = 70'000, changes = 1000;
  for (int i = 0; i < told; ++i) ahead.set(i, 1'000'000 + i);
  for (now = 1; now <= changes; ++now) count.set(static_cast<std::uint64_t>(now));
  EXPECT_LE(looks, 3);  // when the window opened, and when there were many
  now = 2'000'000;
  ASSERT_TRUE(w.close());
  EXPECT_EQ(w.late(), 0);  // nothing came too late for that
  const auto f = test::vcd_file::open(dir / "w.vcd");
  for (const auto& s : f.signals()) {
    const bool first = s.name.find("ahead") != std::string::npos;
    const int n = first ? told : changes;
    EXPECT_EQ(s.changes->size(), static_cast<std::size_t>(n) + 1) << s.name;
    for (const int i : {1, n / 2, n - 1})
      EXPECT_EQ(s.number_at(first ? 1'000'000 + i : i), static_cast<std::uint64_t>(i)) << s.name;
  }
}

// What has been told is written while the simulation goes on, 65,536 changes at a time, and not kept until its end; a
// file that is large enough by then ends there.
TEST(vcd_writer, changes_are_written_as_they_become_many) {
  for (const bool limited : {false, true}) {
    const test::temp_dir dir;
    ps_t now = 0;
    platforms::vcd_writer w(dir / "w.vcd", limited ? 1000 : std::int64_t{1} << 30, [&now] { return now; });
    probe<std::uint64_t> count("count");
    w.add("m", count);
    w.open_window();
    const std::int64_t before = w.bytes();
    for (now = 1; now < 65'536; ++now) count.set(static_cast<std::uint64_t>(now));
    EXPECT_EQ(w.bytes(), before);
    for (; now < 66'000; ++now) count.set(static_cast<std::uint64_t>(now));
    EXPECT_EQ(w.in_window(), !limited);
    EXPECT_EQ(w.cut_at() != never, limited);
    if (limited) {
      EXPECT_LT(w.cut_at(), 1000) << "a change takes more than a byte";
      EXPECT_LT(w.bytes(), 1100);
    } else {
      EXPECT_GT(w.bytes(), before + 65'000);
    }
    ASSERT_TRUE(w.close());
  }
}

// One group a module: those that did something, then details of windows, those with most changes first, and last what
// slept. Each ends where the next begins.
TEST(vcd_writer, the_save_file_has_a_group_for_each_module) {
  const test::temp_dir dir;
  ps_t now = 0;
  platforms::vcd_writer w(dir / "w.vcd", 1 << 20, [&now] { return now; });
  probe<std::uint64_t> slept("slept"), count("count"), few("few"), many("many");
  probe<bool> busy("busy");
  w.add("idle", slept);
  w.add("few", few, true);
  w.add("core", count);
  w.add("core", busy);
  w.add("many", many, true);
  w.open_window();
  for (now = 1; now <= 5; ++now) {
    many.set(static_cast<std::uint64_t>(now));
    if (now % 2 == 0) few.set(static_cast<std::uint64_t>(now));
  }
  count.set(7);
  busy.set(true);
  ASSERT_TRUE(w.close());
  w.write_save_file(dir / "w.gtkw", "w.vcd");
  const std::string text = test::read_file(dir / "w.gtkw");
  const auto group = [](const std::string& module, const std::string& signals) {
    return "@800200\n-" + module + "\n" + signals + "@1000200\n-" + module + "\n";
  };
  const auto number = [](const std::string& name) { return "[color] 2\n@24\nmemwall." + name + "[63:0]\n"; };
  const std::string expected = group("core", number("core.count") + "[color] 4\n@28\nmemwall.core.busy\n") +
                               group("many", number("many.many")) + group("few", number("few.few")) +
                               group("idle", number("idle.slept"));
  EXPECT_EQ(text.substr(text.find("@800200")), expected);
}

}  // namespace
