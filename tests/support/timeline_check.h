// SPDX-License-Identifier: Apache-2.0
// Checks a timeline against the Trace Event Format as its viewers read it, independently of the writer.
#pragma once
#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace memwall::test {

struct timeline_facts {
  std::vector<std::string> problems;      ///< empty: the file is valid
  std::map<char, std::size_t> events;     ///< by phase
  std::map<std::string, double> busy_us;  ///< sum of the outermost slices, by "process/track"
  std::vector<nlohmann::json> slices;     ///< the X events
  bool cut = false;
};

/// The same events as Perfetto's JSON importer takes them: times cut to whole nanoseconds, events sorted by them (equal
/// ones in the order of the file), one stack of slices a track. It drops a slice that crosses the end of one on its
/// stack, hangs an arrow on what lies on top, and finds the name of a track by the thread's number alone.
inline void check_as_importer(const nlohmann::json& events, std::vector<std::string>& problems) {
  using nlohmann::json;
  struct event {
    std::int64_t ts;
    const json* e;
  };
  const auto cut = [](const json& us) { return static_cast<std::int64_t>(us.get<double>() * 1000.0); };
  std::vector<event> sorted;
  std::map<int, int> process_of;
  for (const auto& e : events) {
    if (!e.is_object() || !e.contains("ph") || !e.contains("pid") || !e.contains("tid")) continue;
    const auto [known, fresh] = process_of.emplace(e["tid"].get<int>(), e["pid"].get<int>());
    if (!fresh && known->second != e["pid"].get<int>())
      problems.push_back("threads of two processes share the number " + e["tid"].dump());
    if (problems.size() > 20) return;
    if (e["ph"] != "M" && e.contains("ts") && e["ts"].is_number()) sorted.push_back({cut(e["ts"]), &e});
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const event& a, const event& b) { return a.ts < b.ts; });
  struct slice {
    std::int64_t ts, end;
    const json* e;
  };
  std::map<int, std::vector<slice>> stacks;
  std::map<std::pair<std::string, std::string>, bool> started;
  for (const auto& [ts, e] : sorted) {
    auto& stack = stacks[(*e)["tid"].get<int>()];
    const auto phase = (*e)["ph"].get<std::string>();
    if (phase == "X" && e->contains("dur") && (*e)["dur"].is_number()) {
      const std::int64_t duration = cut((*e)["dur"]);
      while (!stack.empty() && stack.back().end <= ts &&
             !(stack.back().end == ts && stack.back().ts == ts && duration == 0))
        stack.pop_back();
      if (!stack.empty() && ts < stack.back().end && ts + duration > stack.back().end)
        problems.push_back("dropped by the importer: " + e->dump().substr(0, 200) + " crosses " +
                           stack.back().e->dump().substr(0, 200));
      else
        stack.push_back({ts, ts + duration, e});
    } else if (phase == "s" || phase == "f") {
      const double at = (*e)["ts"].get<double>();
      constexpr double grain = 0.5e-6;
      const json* top = stack.empty() ? nullptr : stack.back().e;
      if (top == nullptr || (*top)["ts"].get<double>() > at + grain ||
          (*top)["ts"].get<double>() + (*top)["dur"].get<double>() < at - grain)
        problems.push_back("an arrow hangs on another slice: " + e->dump().substr(0, 200));
      const auto key = std::pair(e->value("name", ""), e->value("id", ""));
      if (phase == "s" && !started.emplace(key, true).second)
        problems.push_back("two arrows with one number: " + e->dump().substr(0, 200));
      if (phase == "f" && started.count(key) == 0)
        problems.push_back("the end of an arrow comes before its start: " + e->dump().substr(0, 200));
    }
    if (problems.size() > 20) return;
  }
}

inline timeline_facts check_timeline_text(const std::string& text) {
  using nlohmann::json;
  timeline_facts out;
  const auto problem = [&](const json& e, const std::string& what) {
    if (out.problems.size() < 20) out.problems.push_back(what + ": " + e.dump().substr(0, 200));
  };
  const json root = json::parse(text, nullptr, false);
  if (root.is_discarded() || !root.is_object() || !root.contains("traceEvents") || !root["traceEvents"].is_array()) {
    out.problems.push_back("not a JSON object with an array traceEvents");
    return out;
  }
  out.cut = root.value("otherData", json::object()).value("cut", false);
  std::map<int, std::string> processes;
  std::map<std::pair<int, int>, std::string> threads;
  struct slice {
    double start, end;
  };
  std::map<std::pair<int, int>, std::vector<slice>> tracks;
  std::map<std::pair<std::string, std::string>, double> open;
  std::map<std::pair<std::string, std::string>, std::tuple<int, int, double>> flows;
  std::vector<std::tuple<int, int, double, json>> bindings;
  for (const auto& e : root["traceEvents"]) {
    const bool whole = e.is_object() && e.contains("ph") && e["ph"].is_string() &&
                       e["ph"].get<std::string>().size() == 1 && e.contains("name") && e["name"].is_string() &&
                       e.contains("pid") && e["pid"].is_number_integer() && e.contains("tid") &&
                       e["tid"].is_number_integer();
    if (!whole) {
      problem(e, "ph, name, pid or tid is missing or of the wrong type");
      continue;
    }
    const char phase = e["ph"].get<std::string>()[0];
    const int pid = e["pid"], tid = e["tid"];
    ++out.events[phase];
    if (phase == 'M') {
      const auto name = e["name"].get<std::string>();
      if (name == "process_name") processes[pid] = e["args"].value("name", "");
      if (name == "thread_name") threads[{pid, tid}] = e["args"].value("name", "");
      continue;
    }
    if (!e.contains("ts") || !e["ts"].is_number() || e["ts"].get<double>() < 0) {
      problem(e, "ts is missing or negative");
      continue;
    }
    const double ts = e["ts"];
    const auto key =
        std::pair(e.value("cat", ""), e.contains("id") && e["id"].is_string() ? e["id"].get<std::string>() : "");
    switch (phase) {
      case 'X':
        if (!e.contains("dur") || !e["dur"].is_number() || e["dur"].get<double>() < 0) {
          problem(e, "dur is missing or negative");
          break;
        }
        tracks[{pid, tid}].push_back({ts, ts + e["dur"].get<double>()});
        out.slices.push_back(e);
        break;
      case 'b':
        if (key.first.empty() || key.second.empty()) problem(e, "an async event needs cat and id");
        if (!open.emplace(key, ts).second) problem(e, "begun twice");
        break;
      case 'e': {
        const auto it = open.find(key);
        if (it == open.end()) {
          problem(e, "ends without having begun");
          break;
        }
        if (ts < it->second) problem(e, "ends before it begins");
        open.erase(it);
        break;
      }
      case 'C':
        if (!e.contains("args") || e["args"].empty()) problem(e, "a counter without values");
        for (const auto& v : e.value("args", json::object()))
          if (!v.is_number()) problem(e, "a counter's value is not a number");
        break;
      case 's':
        flows[key] = {pid, tid, ts};
        bindings.emplace_back(pid, tid, ts, e);
        break;
      case 'f': {
        const auto it = flows.find(key);
        if (it == flows.end()) {
          problem(e, "a flow ends that never started");
          break;
        }
        if (ts < std::get<2>(it->second)) problem(e, "a flow runs backwards");
        if (e.value("bp", "") != "e") problem(e, "a flow's end needs bp:e to bind to the slice around it");
        bindings.emplace_back(pid, tid, ts, e);
        break;
      }
      case 'i':
        if (e.value("s", "t").find_first_of("gpt") != 0) problem(e, "scope of an instant");
        break;
      default:
        problem(e, "unknown phase");
    }
  }
  for (const auto& [key, ts] : open) out.problems.push_back("never ends: " + key.first + " " + key.second);
  // Times are decimal microseconds: two that are equal in picoseconds may differ in the last bit of a double.
  constexpr double grain = 1e-6 * 0.5;
  for (auto& [where, list] : tracks) {
    if (processes.count(where.first) == 0)
      out.problems.push_back("process " + std::to_string(where.first) + " has no name");
    if (threads.count(where) == 0) out.problems.push_back("track " + std::to_string(where.second) + " has no name");
    std::sort(list.begin(), list.end(),
              [](auto a, auto b) { return a.start != b.start ? a.start < b.start : a.end > b.end; });
    std::vector<double> stack;
    double busy = 0;
    for (const auto& s : list) {
      while (!stack.empty() && stack.back() <= s.start + grain) stack.pop_back();
      if (!stack.empty() && s.end > stack.back() + grain)
        out.problems.push_back("slices overlap without nesting on " + threads[where] + " at " +
                               std::to_string(s.start) + " us");
      if (stack.empty()) busy += s.end - s.start;
      stack.push_back(s.end);
    }
    out.busy_us[processes[where.first] + "/" + threads[where]] += busy;
  }
  for (const auto& [pid, tid, ts, e] : bindings) {
    const auto& list = tracks[{pid, tid}];
    bool inside = false;
    for (const auto& s : list) inside = inside || (s.start <= ts + grain && ts <= s.end + grain);
    if (!inside) problem(e, "a flow starts or ends outside any slice");
  }
  if (out.problems.empty()) check_as_importer(root["traceEvents"], out.problems);
  return out;
}

inline timeline_facts check_timeline(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return check_timeline_text(text.str());
}

}  // namespace memwall::test
