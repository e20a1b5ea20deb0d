// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/goodput_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>

#include "hw/common/error.h"
#include "platforms/tell/serving_result.h"
#include "tools/commands.h"
#include "tools/iso.h"
#include "tools/platform_runs.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/serve/goodput.h"
#include "tools/serve/load_search.h"
#include "tools/serve/rate_range.h"
#include "tools/sweep/csv_table.h"
#include "tools/sweep/served_figures.h"
#include "traces/serving/request_file.h"

namespace memwall::tools {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

constexpr double all_at_once = 1e9;  // requests a second

/// A platform that is searched.
struct candidate {
  std::string platform, folder;
  serve_arguments service;
  found_load found;
  std::vector<std::string> folders;  // of found.tried
  std::optional<load_search> search;
  bool over = false;
};

/// What is the same for all of them.
struct search_plan {
  bool users = false;
  std::int64_t requests = 0;
  double precision = 0.05;
  int share = 90, jobs = 1;
  std::function<void(const std::vector<platform_run>&)> about_to_run;
};

bool is_closed(const std::string& requests) {
  return requests.rfind("closed", 0) == 0;
}

platform_run point_of(const candidate& c, const search_plan& plan, double load) {
  serve_arguments service = c.service;
  std::string folder;
  if (plan.users) {
    const auto users = static_cast<std::int64_t>(load);
    service.requests = with_users(c.service.requests, users);
    folder = fmt::format("{}/users-{}", c.folder, users);
  } else {
    service.rate = fmt::format("{:.6g}", load);
    folder = c.folder + "/rate-" + service.rate;
  }
  if (load >= all_at_once) folder = c.folder + "/at-once";
  return {c.found.platform, folder, service.command(c.platform)};
}

/// The loads that a candidate wants simulated now.
std::optional<double> wanted(const candidate& c, const search_plan& plan) {
  if (c.over) return std::nullopt;
  if (!c.search) return plan.users ? static_cast<double>(plan.requests) : all_at_once;
  return c.search->next();
}

void take(candidate& c, const search_plan& plan, const platform_run& p, double load) {
  if (exit_code_of(p.result) != done) {
    c.found.at_once = p.result;  // one that does not fit, or was interrupted, has no figures
    c.over = true;
    return;
  }
  if (!c.search) {
    c.found.at_once = p.result;
    const double ceiling = plan.users ? load : p.result["serving"]["requests_per_s"].get<double>();
    c.search.emplace(ceiling, plan.precision, plan.users);
    c.found.ceiling = ceiling;
    if (!within_limits(p.result, plan.share)) return;
    // All of them at once are served in time: there is no telling how many more would be.
    c.found.carried = ceiling;
    c.found.tried.push_back({ceiling, p.result});
    c.folders.push_back(p.folder);
    c.over = true;
    return;
  }
  c.search->told(load, within_limits(p.result, plan.share));
  c.found.carried = c.search->carried();
  c.found.tried.push_back({load, p.result});
  c.folders.push_back(p.folder);
}

/// All candidates side by side, a load each at a time: what is simulated does not depend on the number of jobs. False
/// when a signal cut it short, or when the input is bad.
bool search_all(std::vector<candidate>& candidates, const search_plan& plan) {
  while (true) {
    std::vector<platform_run> points;
    std::vector<std::pair<candidate*, double>> whose;
    for (auto& c : candidates)
      if (const auto load = wanted(c, plan)) {
        points.push_back(point_of(c, plan, *load));
        whose.emplace_back(&c, *load);
      }
    if (points.empty()) return true;
    plan.about_to_run(points);
    const bool complete = run_platforms(points, plan.jobs);
    for (std::size_t i = 0; i < points.size(); ++i) take(*whose[i].first, plan, points[i], whose[i].second);
    if (!complete) return false;
    for (const auto& p : points)
      if (exit_code_of(p.result) == bad_input) {
        std::cerr << p.result["message"].get<std::string>();
        exit_status = bad_input;
        return false;
      }
  }
}

/// What the first platform has of a quantity, or a candidate.
double value_of(const candidate& c, const std::string& quantity) {
  const json* r = &c.found.at_once;
  for (const auto& t : c.found.tried)
    if (t.load == c.found.carried) r = &t.result;
  return iso_value(*r, quantity);
}

/// --iso: counts of every platform but the first are scaled, and it is searched again.
bool make_equal(std::vector<candidate>& candidates, const search_plan& plan, const std::string& quantity, json& told) {
  if (candidates[0].found.at_once.contains("exit_code")) return true;  // told as it is
  const double goal = value_of(candidates[0], quantity);
  told = {{"quantity", quantity}, {"value", goal}, {"scaled", json::array()}};
  std::vector<candidate> again;
  std::vector<std::size_t> place;
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    candidate& c = candidates[i];
    if (c.found.at_once.contains("exit_code")) continue;
    const double had = value_of(c, quantity);
    const auto sets = scaled_counts(c.found.at_once, goal / had);
    told["scaled"].push_back(
        {{"platform", c.found.platform}, {"had", had}, {"set", sets}, {"carried_before", c.found.carried}});
    candidate scaled;
    scaled.platform = c.platform;
    scaled.folder = c.folder + "/equal";
    scaled.service = c.service;
    scaled.service.sets.insert(scaled.service.sets.end(), sets.begin(), sets.end());
    scaled.found.platform = c.found.platform;
    scaled.found.users = plan.users;
    scaled.found.share = plan.share;
    again.push_back(std::move(scaled));
    place.push_back(i);
  }
  const bool complete = search_all(again, plan);
  for (std::size_t i = 0; i < again.size(); ++i) {
    candidates[place[i]] = std::move(again[i]);
    if (candidates[place[i]].found.at_once.contains("exit_code")) continue;
    told["scaled"][i]["has"] = value_of(candidates[place[i]], quantity);
  }
  return complete;
}

/// A row a simulation, as report and the Python module know tables of sweeps.
std::string results_table(const std::vector<candidate>& candidates, bool users) {
  sweep::csv_table table({"point", "status"});
  std::size_t number = 0;
  const auto add = [&](const candidate& c, const json& load, json r) {
    sweep::add_served_figures(r);
    const int code = exit_code_of(r);
    table.begin_row();
    table.set("point", number++);
    table.set("status", code == done ? "ok" : code == does_not_fit ? "does_not_fit" : "crashed");
    table.set("axis.platform", c.found.platform);
    table.set(users ? "axis.users" : "axis.rate", load);
    if (r.contains("summary"))
      for (const auto& [key, value] : r["summary"].items())
        if (!value.is_structured()) table.set("summary." + key, value);
    table.set("platform", c.found.platform);
    for (const char* key : {"model", "seed", "memwall_version", "exit_code", "message"})
      if (r.contains(key)) table.set(key, r[key]);
  };
  for (const auto& c : candidates) {
    std::vector<const tried_load*> tried;
    for (const auto& t : c.found.tried) tried.push_back(&t);
    std::sort(tried.begin(), tried.end(), [](const auto* a, const auto* b) { return a->load < b->load; });
    for (const auto* t : tried) add(c, t->load, t->result);
    if (c.found.at_once.contains("exit_code")) add(c, nullptr, c.found.at_once);
  }
  return table.text();
}

/// Lists of requests and steps are kept of the run that a platform is told by; the others' would be large.
void drop_lists(const candidate& c) {
  std::error_code ignored;
  for (std::size_t i = 0; i < c.folders.size(); ++i)
    if (c.found.tried[i].load != c.found.carried)
      for (const char* file : {"/requests.csv", "/steps.csv"}) fs::remove(c.folders[i] + file, ignored);
  for (const char* file : {"/requests.csv", "/steps.csv"}) fs::remove(c.folder + "/at-once" + file, ignored);
}

void check(const goodput_request& a, const search_plan& plan) {
  problem_list problems;
  const auto level = platforms::service_level::parse(a.service.slo);
  if (!level.any()) problems.add({"--slo", "", "is missing", "what clients want, such as ttft=500ms,tpot=50ms", ""});
  if (plan.share != 50 && plan.share != 90 && plan.share != 95 && plan.share != 99)
    problems.add({"--slo-share", "", "got " + std::to_string(plan.share), "50, 90, 95 or 99 percent", ""});
  if (plan.users && plan.requests < 2)
    problems.add({"--requests", "n", "has one request", "more, to be shared among users", ""});
  problems.check();
}

}  // namespace

void find_goodput(const goodput_request& asked) {
  search_plan plan;
  plan.users = is_closed(asked.service.requests);
  auto list = serving::open_requests(
      plan.users ? with_users(asked.service.requests, 1) : with_some_rate(asked.service.requests),
      static_cast<std::uint64_t>(asked.service.seed));
  if (asked.service.first > 0) serving::keep_first(list, asked.service.first);
  plan.requests = static_cast<std::int64_t>(list.requests.size());
  plan.precision = asked.precision;
  plan.share = asked.share;
  plan.jobs = asked.jobs;
  check(asked, plan);

  const auto names = short_names(asked.platforms);
  output_directory folder(asked.out, "compare");
  std::vector<candidate> candidates(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    candidate& c = candidates[i];
    c.platform = asked.platforms[i];
    c.folder = asked.out + "/" + names[i];
    c.service = asked.service;
    c.found.platform = names[i];
    c.found.users = plan.users;
    c.found.share = plan.share;
  }
  folder.clear_results(names);
  plan.about_to_run = [&](const std::vector<platform_run>& points) {
    std::vector<std::string> inside;
    for (const auto& p : points) inside.push_back(p.folder.substr(asked.out.size() + 1));
    folder.add_folders(inside);
  };
  json equal;
  bool complete = search_all(candidates, plan);
  if (exit_status == bad_input) return;
  if (complete && !asked.iso.empty()) complete = make_equal(candidates, plan, asked.iso, equal);
  if (exit_status == bad_input) return;

  json out{{"schema", "memwall-goodput-1"},
           {"model", asked.service.model},
           {"requests", asked.service.requests},
           {"slo", asked.service.slo},
           {"share_pct", plan.share},
           {"load", plan.users ? "users" : "requests_per_s"},
           {"precision_pct", 100 * plan.precision}};
  int worst = complete ? done : interrupted;
  if (!complete) out["partial"] = true;
  if (!equal.is_null()) out["iso"] = equal;
  out["platforms"] = json::array();
  for (const auto& c : candidates) {
    json entry = goodput_json(c.found);
    for (std::size_t i = 0; i < c.folders.size(); ++i)
      if (c.found.tried[i].load == c.found.carried) entry["folder"] = c.folders[i].substr(asked.out.size() + 1);
    worst = std::max(worst, exit_code_of(entry));
    out["platforms"].push_back(std::move(entry));
    drop_lists(c);
  }
  out["verdicts"] = json::array();
  for (std::size_t i = 1; i < names.size(); ++i)
    out["verdicts"].push_back(goodput_verdict(out["platforms"][i], out["platforms"][0]));
  const std::string title = fmt::format("{}, {}, {}", asked.service.model, asked.service.types(), asked.service.slo);
  write_whole(asked.out + "/results.csv", results_table(candidates, plan.users));
  write_whole(asked.out + "/goodput.svg", goodput_svg(out["platforms"], title));
  write_whole(asked.out + "/compare.json", out.dump(1) + "\n");
  if (asked.json)
    std::cout << out.dump(1) << '\n';
  else if (!asked.quiet) {
    std::cout << fmt::format("{}, {}: {}\nwithin {} for {} % of the requests\n", asked.service.model,
                             asked.service.types(), asked.service.requests, asked.service.slo, plan.share);
    if (!equal.is_null()) std::cout << iso_lines(equal);
    std::cout << goodput_table(out["platforms"]);
    for (const auto& v : out["verdicts"]) std::cout << "  " << v.get<std::string>() << "\n";
  }
  exit_status = worst;
}

}  // namespace memwall::tools
