// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "hw/common/error.h"
#include "platforms/describe/description.h"
#include "platforms/tell/serving_result.h"
#include "tools/commands.h"
#include "tools/crossover.h"
#include "tools/iso.h"
#include "tools/number_between.h"
#include "tools/platform_runs.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/run_command.h"
#include "tools/serve/goodput_command.h"
#include "tools/serve/rate_range.h"
#include "tools/serve/rate_sweep.h"
#include "tools/sweep/csv_table.h"
#include "tools/terminal.h"

namespace memwall::tools {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

/// The command line of one of `count` runs side by side. With --whatif each starts children of its own: all of them
/// together are not more than asked for.
std::vector<std::string> words_of(const std::string& platform, const run_arguments& a, std::size_t count) {
  std::vector<std::string> out{"run", "--platform", platform};
  const auto words = a.words();
  out.insert(out.end(), words.begin(), words.end());
  const int side_by_side = std::max(1, std::min(a.jobs, static_cast<int>(count)));
  if (a.whatif) out.insert(out.end(), {"-j", std::to_string(std::max(1, a.jobs / side_by_side))});
  return out;
}

/// --iso: counts of every platform but the first are scaled until it has as much as the first, and it runs again.
/// What was scaled; nothing where a platform did not run, which is told as it is. False when a signal cut it short.
bool make_equal(std::vector<platform_run>& runs, const std::string& quantity, int jobs, json& told) {
  for (const auto& r : runs)
    if (exit_code_of(r.result) != done) return true;
  const double wanted = iso_value(runs[0].result, quantity);
  told = {{"quantity", quantity}, {"value", wanted}, {"scaled", json::array()}};
  std::vector<platform_run> again;
  for (std::size_t p = 1; p < runs.size(); ++p) {
    platform_run r = runs[p];
    const double had = iso_value(r.result, quantity);
    const auto sets = scaled_counts(r.result, wanted / had);
    for (const auto& set : sets) r.words.insert(r.words.end(), {"--set", set});
    told["scaled"].push_back({{"platform", r.name}, {"had", had}, {"set", sets}});
    again.push_back(std::move(r));
  }
  const bool complete = run_platforms(again, jobs);
  for (std::size_t p = 1; p < runs.size(); ++p) {
    runs[p] = std::move(again[p - 1]);
    if (exit_code_of(runs[p].result) == done) told["scaled"][p - 1]["has"] = iso_value(runs[p].result, quantity);
  }
  return complete;
}

/// The `--set`s that make_equal() told of platform `p` of those that were compared.
std::vector<std::string> sets_of(const json& told, std::size_t p) {
  if (told.is_null() || p == 0) return {};
  return told["scaled"][p - 1]["set"].get<std::vector<std::string>>();
}

void compare_command(const std::vector<std::string>& platforms, const run_arguments& a, const std::string& iso) {
  const auto names = short_names(platforms);
  output_directory folder(a.out, "compare");
  folder.clear_results(names);
  std::vector<platform_run> runs;
  for (std::size_t p = 0; p < platforms.size(); ++p)
    runs.push_back({names[p], a.out + "/" + names[p], words_of(platforms[p], a, platforms.size())});
  json equal;
  bool complete = run_platforms(runs, a.jobs);
  if (complete && !iso.empty()) complete = make_equal(runs, iso, a.jobs, equal);
  json summary = json::array();
  std::vector<json> results;
  int worst = complete ? done : interrupted;
  for (auto& run : runs) {
    const json& r = run.result;
    const int code = exit_code_of(r);
    if (code == bad_input) {
      std::cerr << r["message"].get<std::string>();
      exit_status = code;
      return;
    }
    worst = std::max(worst, code);
    json entry{{"platform", run.name}};
    for (const char* key : {"summary", "machine", "stall_stack_ns", "whatif", "whatif_pairs", "message", "exit_code"})
      if (r.contains(key)) entry[key] = r[key];
    summary.push_back(entry);
    results.push_back(std::move(run.result));
  }
  json out{{"schema", "memwall-compare-1"}};
  if (worst == interrupted) out["partial"] = true;
  if (!equal.is_null()) out["iso"] = equal;
  out["platforms"] = summary;
  write_whole(a.out + "/compare.json", out.dump(1) + "\n");
  if (a.json)
    std::cout << out.dump(1) << '\n';
  else if (!a.quiet)
    std::cout << (equal.is_null() ? "" : iso_lines(equal)) << compare_screen(results, terminal_style::of_stdout());
  exit_status = worst;
}

/// The workload with one word changed.
run_arguments at_point(run_arguments a, const std::string& key, std::int64_t value) {
  auto& w = a.workload;
  if (key == "batch") w.batch = std::to_string(value);
  if (key == "context") w.context = std::to_string(value);
  if (key == "prompt") {
    w.prompt = std::to_string(value);
    w.context.clear();
    if (w.phase == "decode") w.phase = "prefill";
  }
  return a;
}

/// Every platform at every value of every axis.
std::vector<platform_run> plan_runs(const std::vector<std::string>& platforms, const std::vector<std::string>& names,
                                    const std::vector<sweep_axis>& axes, const run_arguments& a, const json& equal) {
  std::vector<platform_run> out;
  std::size_t count = 0;
  for (const auto& axis : axes) count += axis.values.size() * platforms.size();
  for (const auto& axis : axes)
    for (const std::int64_t value : axis.values) {
      const run_arguments here = at_point(a, axis.key, value);
      here.workload.resolve();  // words that contradict each other are told before anything runs
      for (std::size_t p = 0; p < platforms.size(); ++p) {
        out.push_back({names[p], a.out + "/" + names[p] + "/" + axis.key + "-" + std::to_string(value),
                       words_of(platforms[p], here, count)});
        for (const auto& set : sets_of(equal, p)) out.back().words.insert(out.back().words.end(), {"--set", set});
      }
    }
  return out;
}

/// The curves of one axis, from its runs in the order of plan_runs.
std::pair<crossover_curves, crossover_curves> curves_of(const sweep_axis& axis, const std::vector<std::string>& names,
                                                        const platform_run* runs) {
  crossover_curves time{axis.key, axis.values, names, {}, {}};
  time.value.assign(names.size(), std::vector<std::optional<double>>(axis.values.size()));
  time.failed.assign(names.size(), std::vector<bool>(axis.values.size()));
  for (std::size_t i = 0; i < axis.values.size(); ++i)
    for (std::size_t p = 0; p < names.size(); ++p) {
      const int code = exit_code_of(runs[i * names.size() + p].result);
      time.failed[p][i] = code != done && code != does_not_fit;
    }
  crossover_curves energy = time;
  for (std::size_t i = 0; i < axis.values.size(); ++i)
    for (std::size_t p = 0; p < names.size(); ++p) {
      const json& r = runs[i * names.size() + p].result;
      if (exit_code_of(r) != done) continue;
      time.value[p][i] = r["summary"]["time_per_token_ns"].get<double>();
      energy.value[p][i] = r["summary"]["energy_per_token_pj"].get<double>();
    }
  return {time, energy};
}

/// Points, verdicts and crossings of one axis; the picture beside them, the tables on the terminal.
json tell_axis(const sweep_axis& axis, const std::vector<std::string>& names, const platform_run* runs,
               const run_arguments& a) {
  const auto [time, energy] = curves_of(axis, names, runs);
  json points = json::array();
  for (std::size_t i = 0; i < axis.values.size() * names.size(); ++i) {
    const json& r = runs[i].result;
    json point{{"platform", runs[i].name}, {axis.key, axis.values[i / names.size()]}};
    for (const char* key : {"summary", "exit_code", "message"})
      if (r.contains(key)) point[key] = r[key];
    points.push_back(std::move(point));
  }
  const run_arguments first = at_point(a, axis.key, axis.values.front());
  const std::string title = first.workload.model + " " + first.workload.phase + ", " + a.workload.types();
  json said = json::array();
  for (std::size_t p = 1; p < names.size(); ++p) {
    said.push_back(verdict(time, p, "faster", "slower"));
    said.push_back(verdict(energy, p, "thriftier in energy", "hungrier"));
  }
  write_whole(a.out + "/crossover-" + axis.key + ".svg", crossover_svg(time, title, "time a token", human_time));
  if (!a.json && !a.quiet) {
    std::cout << title << ": time a token, and how many times faster than " << names[0] << "\n"
              << crossover_table(time, human_time);
    std::cout << "energy a token\n" << crossover_table(energy, human_energy);
    for (const auto& line : said) std::cout << "  " << line.get<std::string>() << "\n";
    std::cout << "\n";
  }
  json entry{
      {"axis", axis.key}, {"points", std::move(points)}, {"verdicts", std::move(said)}, {"crossings", json::array()}};
  for (std::size_t p = 1; p < names.size(); ++p)
    for (const auto& k : crossings(time, p))
      entry["crossings"].push_back(
          {{"platform", names[p]}, {"against", names[0]}, {axis.key, k.at}, {"loses_beyond", k.loses_beyond}});
  return entry;
}

/// The table that `report` and the Python module know from sweeps: a row a run, a column an axis.
std::string results_table(const std::vector<sweep_axis>& axes, std::size_t platforms,
                          const std::vector<platform_run>& runs) {
  sweep::csv_table table({"point", "status"});
  std::size_t at = 0;
  for (const auto& axis : axes)
    for (std::size_t i = 0; i < axis.values.size() * platforms; ++i, ++at) {
      const json& r = runs[at].result;
      const int code = exit_code_of(r);
      table.begin_row();
      table.set("point", at);
      table.set("status", code == done ? "ok" : code == does_not_fit ? "does_not_fit" : "crashed");
      table.set("axis.platform", runs[at].name);
      table.set("axis." + axis.key, axis.values[i / platforms]);
      if (r.contains("summary"))
        for (const auto& [key, value] : r["summary"].items())
          if (!value.is_structured()) table.set("summary." + key, value);
      table.set("platform", runs[at].name);
      for (const char* key : {"model", "seed", "memwall_version", "exit_code", "message"})
        if (r.contains(key)) table.set(key, r[key]);
    }
  return table.text();
}

void sweep_command(const std::vector<std::string>& platforms, const std::vector<std::string>& axes_text,
                   const run_arguments& a, const std::string& iso) {
  std::vector<sweep_axis> axes;
  for (const auto& t : axes_text) axes.push_back(parse_axis(t));
  const auto names = short_names(platforms);
  json equal;
  auto runs = plan_runs(platforms, names, axes, a, equal);
  output_directory folder(a.out, "compare");
  std::vector<std::string> folders;
  for (const auto& r : runs) folders.push_back(r.folder.substr(a.out.size() + 1));
  folder.clear_results(folders);
  bool complete = true;
  if (!iso.empty()) {
    // Equal at the first point: power depends on the work, the other quantities do not.
    std::vector<platform_run> first(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(names.size()));
    complete = run_platforms(first, a.jobs);
    for (const auto& r : first)
      if (const int code = exit_code_of(r.result); complete && code != done) {
        std::cerr << r.name << ": --iso " << iso
                  << " needs its first point: " << r.result["message"].get<std::string>();
        exit_status = code;
        return;
      }
    complete = complete && make_equal(first, iso, a.jobs, equal);
    runs = plan_runs(platforms, names, axes, a, equal);
    if (!a.json && !a.quiet && !equal.is_null()) std::cout << iso_lines(equal);
  }
  int worst = complete && run_platforms(runs, a.jobs) ? done : interrupted;
  for (const auto& r : runs) {
    const int code = exit_code_of(r.result);
    if (code == done || code == does_not_fit) continue;
    if (code != interrupted)
      std::cerr << r.name << ", " << fs::path(r.folder).filename().string() << ": "
                << r.result["message"].get<std::string>();
    worst = std::max(worst, code);
  }
  if (worst == bad_input || worst == interrupted) {
    exit_status = worst;
    return;
  }
  json out{{"schema", "memwall-crossover-1"}};
  if (!equal.is_null()) out["iso"] = equal;
  out["axes"] = json::array();
  std::size_t at = 0;
  for (const auto& axis : axes) {
    out["axes"].push_back(tell_axis(axis, names, &runs[at], a));
    at += axis.values.size() * names.size();
  }
  write_whole(a.out + "/results.csv", results_table(axes, names.size(), runs));
  write_whole(a.out + "/compare.json", out.dump(1) + "\n");
  if (a.json) std::cout << out.dump(1) << '\n';
  exit_status = worst;
}

/// Words of a forward pass say nothing of a service, and the other way round.
void refuse_other_words(const CLI::App& app, bool service) {
  problem_list problems;
  const auto refuse = [&](const char* option, const std::string& expected) {
    if (app.get_option(option)->count() > 0)
      problems.add({option, "", service ? "given together with --requests" : "given without --requests", expected, ""});
  };
  if (service) {
    for (const char* option : {"--phase", "--batch", "--prompt", "--context", "--tokens", "--prefill-chunk", "--trace"})
      refuse(option, "lengths come from the requests: input= and output=, or a file's");
    for (const char* option : {"--whatif", "--vcd", "--timeline"})
      refuse(option, "memwall serve, which runs one of them");
    if (app.get_option("--model")->count() == 0) problems.add({"", "--model", "is missing", "--model NAME", ""});
  } else {
    for (const char* option : {"--slo", "--slo-share", "--precision", "--replicas", "--first", "--warm-up"})
      refuse(option, "--requests FILE or a specification, such as poisson:n=500,input=512,output=128");
  }
  problems.check();
}

/// What the only axis sets cannot be given besides: it would be ignored.
void refuse_swept_words(const CLI::App& app, const std::vector<std::string>& axes) {
  if (axes.empty()) return;
  const std::string key = axes[0].substr(0, axes[0].find('='));
  for (const auto& a : axes)
    if (a.substr(0, a.find('=')) != key) return;
  problem_list problems;
  const auto refuse = [&](const std::string& option) {
    const CLI::Option* o = app.get_option_no_throw(option);
    if (o != nullptr && o->count() > 0)
      problems.add({option, "", "given together with --sweep " + key + "=", "one of them", ""});
  };
  refuse("--" + key);
  if (key == "prompt") {
    refuse("--context");
    if (app.get_option("--phase")->count() > 0 && app.get_option("--phase")->as<std::string>() == "decode")
      problems.add({"--phase", "", "got 'decode', which computes no prompt to sweep", "prefill or both", ""});
  }
  problems.check();
}

goodput_request service_of(const std::vector<std::string>& platforms, const run_arguments& a, const std::string& iso,
                           const goodput_request& words) {
  goodput_request out = words;
  out.platforms = platforms;
  out.iso = iso;
  out.out = a.out;
  out.jobs = a.jobs;
  out.quiet = a.quiet;
  out.json = a.json;
  serve_arguments& s = out.service;
  s.model = a.workload.model;
  if (!a.workload.dtype.empty()) s.dtype = a.workload.dtype;
  problem_list problems;
  if (!a.workload.seed.empty()) s.seed = option_integer(a.workload.seed, "--seed", 0, INT64_MAX, problems);
  problems.check();
  load_model(s.model);  // told before anything runs
  dtypes::parse(s.types(), "--dtype");
  s.sets = a.sets;
  s.transfer_bytes = a.transfer_bytes;
  s.replay = a.replay;
  s.reuse = a.reuse;
  return out;
}

/// --sweep rate=...: the only axis that a service has.
rate_sweep_request rates_of(const std::vector<std::string>& axes, const goodput_request& asked) {
  const std::string key = "rate=";
  if (axes.size() != 1 || axes[0].rfind(key, 0) != 0)
    throw input_error(problem{"--sweep", axes.size() == 1 ? axes[0] : "", "is no sweep of a service",
                              "rate=FROM..TO, rate=FROM..TO:POINTS or rate=1,5,20", "rate"});
  if (!asked.service.slo.empty()) platforms::service_level::parse(asked.service.slo);
  rate_sweep_request out;
  out.platforms = asked.platforms;
  out.service = asked.service;
  out.rates = parse_rates(axes[0].substr(key.size()), "--sweep");
  out.out = asked.out;
  out.jobs = asked.jobs;
  out.by_platform = true;
  out.quiet = asked.quiet;
  out.json = asked.json;
  return out;
}

}  // namespace

void add_compare(CLI::App& app) {
  auto* sub = app.add_subcommand("compare", "the same trace on several platforms, side by side");
  auto arguments = std::make_shared<run_arguments>();
  auto names = std::make_shared<std::vector<std::string>>();
  sub->add_option("--platform", *names, "a preset or a YAML file; give it once for each platform")->required();
  sub->add_option("--out", arguments->out, "directory: one folder a platform, and compare.json")->required();
  auto axes = std::make_shared<std::vector<std::string>>();
  sub->add_option("--sweep", *axes,
                  "where the platforms cross: batch=1..256, prompt=..., context=... (powers of two, or a list); "
                  "tables, crossings against the first platform, and crossover-AXIS.svg")
      ->type_name("AXIS=FROM..TO")
      ->allow_extra_args(false);
  auto iso = std::make_shared<std::string>();
  sub->add_option(
         "--iso", *iso,
         "scale counts of memories and chips until every platform has as much of it as the first; says what was "
         "scaled; with --sweep equal at the first point")
      ->check(CLI::IsMember(iso_quantities()));
  arguments->add_to(*sub);
  auto service = std::make_shared<goodput_request>();
  service->service.add_service_to(*sub);
  sub->add_option("--slo-share", service->share,
                  "percent of the requests that are to be within --slo: 50, 90, 95 or 99")
      ->capture_default_str()
      ->group("Service");
  sub->add_option("--precision", service->precision, "how near the most that is served is found, relative")
      ->check(number_between(0.001, 1.0))
      ->capture_default_str()
      ->group("Service");
  sub->callback([sub, arguments, names, axes, iso, service] {
    if (arguments->jobs == 0) arguments->jobs = cores_here();
    for (const auto& p : *names) platforms::load_platform(p, arguments->sets);  // all errors before any run
    refuse_other_words(*sub, !service->service.requests.empty());
    arguments->check(*sub, !service->service.requests.empty());
    if (service->service.requests.empty()) refuse_swept_words(*sub, *axes);
    if (!service->service.requests.empty() && !axes->empty())
      sweep_rates(rates_of(*axes, service_of(*names, *arguments, *iso, *service)));
    else if (!service->service.requests.empty())
      find_goodput(service_of(*names, *arguments, *iso, *service));
    else if (axes->empty())
      compare_command(*names, *arguments, *iso);
    else
      sweep_command(*names, *axes, *arguments, *iso);
  });
}

}  // namespace memwall::tools
