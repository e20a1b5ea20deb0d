// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/rate_sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <optional>

#include "hw/common/error.h"
#include "tools/commands.h"
#include "tools/platform_runs.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/process/scratch.h"
#include "tools/serve/rate_curves.h"
#include "tools/serve/rate_range.h"
#include "tools/sweep/csv_table.h"
#include "tools/sweep/served_figures.h"
#include "traces/serving/request_file.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

std::string results_table(const std::vector<platform_run>& points, const std::vector<double>& rates) {
  sweep::csv_table table({"point", "status"});
  for (std::size_t i = 0; i < points.size(); ++i) {
    json r = points[i].result;
    const int code = exit_code_of(r);
    table.begin_row();
    table.set("point", i);
    table.set("status", code == done ? "ok" : code == does_not_fit ? "does_not_fit" : "crashed");
    table.set("axis.platform", points[i].name);
    table.set("axis.rate", rates[i % rates.size()]);
    sweep::add_served_figures(r);
    if (r.contains("summary"))
      for (const auto& [key, value] : r["summary"].items())
        if (!value.is_structured()) table.set("summary." + key, value);
    table.set("platform", points[i].name);
    for (const char* key : {"model", "seed", "memwall_version", "exit_code", "message"})
      if (r.contains(key)) table.set(key, r[key]);
  }
  return table.text();
}

}  // namespace

void sweep_rates(const rate_sweep_request& asked) {
  // What is wrong with them is told before anything runs.
  serving::open_requests(with_some_rate(asked.service.requests), static_cast<std::uint64_t>(asked.service.seed));
  if (asked.service.requests.rfind("closed", 0) == 0)
    throw input_error(problem{"--rate", "", "a closed loop has no arrival rate: its users send when they are answered",
                              "poisson, constant, gamma or a file", ""});
  const auto names = short_names(asked.platforms);
  std::optional<output_directory> folder;
  std::optional<scratch> nowhere;
  std::string root = asked.out;
  if (root.empty()) {
    nowhere.emplace("memwall-rates");
    root = nowhere->file("rates");
  } else {
    folder.emplace(root, asked.by_platform ? "compare" : "serve");
  }
  std::vector<platform_run> points;
  for (std::size_t p = 0; p < names.size(); ++p)
    for (const double rate : asked.rates) {
      serve_arguments service = asked.service;
      service.rate = fmt::format("{:.6g}", rate);
      points.push_back({names[p], root + (asked.by_platform ? "/" + names[p] : "") + "/rate-" + service.rate,
                        service.command(asked.platforms[p])});
    }
  if (folder) {
    std::vector<std::string> inside;
    for (const auto& p : points) inside.push_back(p.folder.substr(root.size() + 1));
    folder->clear_results(inside);
  }
  int worst = run_platforms(points, asked.jobs) ? done : interrupted;
  for (const auto& p : points) {
    const int code = exit_code_of(p.result);
    if (code == done || code == does_not_fit) continue;
    if (code != interrupted) std::cerr << p.folder << ": " << p.result["message"].get<std::string>();
    worst = std::max(worst, code);
  }
  if (worst == bad_input || worst == interrupted) {
    exit_status = worst;
    return;
  }
  json out{{"schema", "memwall-rates-1"},
           {"model", asked.service.model},
           {"requests", asked.service.requests},
           {"platforms", json::array()}};
  const std::size_t n = asked.rates.size();
  for (std::size_t p = 0; p < names.size(); ++p) {
    rate_curve c{names[p], asked.rates, {}};
    for (std::size_t i = 0; i < n; ++i) c.results.push_back(points[p * n + i].result);
    out["platforms"].push_back(curve_json(c));
    for (std::size_t i = 0; i < n; ++i)
      out["platforms"][p]["points"][i]["folder"] = points[p * n + i].folder.substr(root.size() + 1);
    if (std::all_of(c.results.begin(), c.results.end(), [](const json& r) { return exit_code_of(r) == does_not_fit; }))
      worst = std::max<int>(worst, does_not_fit);
  }
  out["verdicts"] = json::array();
  out["crossings"] = json::array();
  for (std::size_t p = 1; p < names.size(); ++p) {
    out["verdicts"].push_back(rate_verdict(out["platforms"][0], out["platforms"][p]));
    for (auto& k : rate_crossings(out["platforms"][0], out["platforms"][p])) {
      json crossing{{"platform", names[p]}, {"against", names[0]}};
      crossing.update(k);
      out["crossings"].push_back(std::move(crossing));
    }
  }
  const std::string title = fmt::format("{}, {}", asked.service.model, asked.service.types());
  if (folder) {
    write_whole(root + "/results.csv", results_table(points, asked.rates));
    write_whole(root + "/latency.svg",
                curve_svg(out["platforms"], names.size() == 1 ? title + " on " + names[0] : title));
    write_whole(root + (asked.by_platform ? "/compare.json" : "/rates.json"), out.dump(1) + "\n");
  }
  if (asked.json) {
    std::cout << out.dump(1) << '\n';
  } else if (!asked.quiet) {
    for (const auto& c : out["platforms"]) {
      std::cout << fmt::format("{} on {}: {}\n", title, c["platform"].get<std::string>(), asked.service.requests)
                << curve_table(c);
      if (c["knee"].is_null())
        std::cout << "  the knee (most requests/s for the time that one takes) lies beyond these rates\n";
    }
    for (const auto& v : out["verdicts"]) std::cout << "  " << v.get<std::string>() << "\n";
  }
  exit_status = worst;
}

}  // namespace memwall::tools
