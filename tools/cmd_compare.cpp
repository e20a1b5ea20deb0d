// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <tuple>

#include "hw/common/error.h"
#include "platforms/describe/description.h"
#include "tools/commands.h"
#include "tools/crossover.h"
#include "tools/run_command.h"
#include "tools/terminal.h"

extern char** environ;

namespace memwall::tools {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

/// SystemC runs one simulation a process: each platform is a `memwall run` of its own. Returns its exit code; what it
/// printed to its error stream goes to `log`.
int run_process(const std::vector<std::string>& words, const std::string& log) {
  std::vector<char*> argv;
  for (const auto& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  pid_t pid = 0;
  const int failure = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw std::runtime_error("cannot start a process for a platform");
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : internal_error;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Runs one platform into `dir`. The result, or {platform, exit_code, message}.
json run_platform(const std::string& platform, const std::string& name, const std::string& dir,
                  const run_arguments& a) {
  const std::string log = dir + ".log";
  std::vector<std::string> words{"memwall", "run", "--platform", platform, "--out", dir, "--quiet"};
  for (const auto& w : a.words()) words.push_back(w);
  const int code = run_process(words, log);
  if (code != done) return {{"platform", name}, {"exit_code", code}, {"message", read_text(log)}};
  json r = json::parse(read_text(dir + "/result.json"));
  r["platform"] = name;
  fs::remove(log);
  return r;
}

/// One name for each platform: the file's, numbered where two are alike.
std::vector<std::string> short_names(const std::vector<std::string>& platforms) {
  std::vector<std::string> out;
  for (const auto& p : platforms) {
    const std::string stem = fs::path(p).stem().string();
    std::string name = stem;
    for (int i = 2; std::find(out.begin(), out.end(), name) != out.end(); ++i) name = stem + "-" + std::to_string(i);
    out.push_back(name);
  }
  return out;
}

void compare_command(const std::vector<std::string>& platforms, const run_arguments& a) {
  make_output_directory(a.out);
  const auto names = short_names(platforms);
  std::vector<json> results;
  int worst = done;
  for (std::size_t p = 0; p < platforms.size(); ++p) {
    results.push_back(run_platform(platforms[p], names[p], a.out + "/" + names[p], a));
    const int code = results.back().value("exit_code", static_cast<int>(done));
    worst = std::max(worst == interrupted ? interrupted : worst, code);
    if (code == bad_input) {
      std::cerr << results.back()["message"].get<std::string>();
      exit_status = code;
      return;
    }
  }
  json summary = json::array();
  for (const auto& r : results) {
    json entry{{"platform", r["platform"]}};
    for (const char* key : {"summary", "stall_stack_ns", "message", "exit_code"})
      if (r.contains(key)) entry[key] = r[key];
    summary.push_back(entry);
  }
  const json out{{"schema", "memwall-compare-1"}, {"platforms", summary}};
  write_whole(a.out + "/compare.json", out.dump(1) + "\n");
  if (a.json)
    std::cout << out.dump(1) << '\n';
  else if (!a.quiet)
    std::cout << compare_screen(results, terminal_style::of_stdout());
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

void sweep_command(const std::vector<std::string>& platforms, const std::vector<std::string>& axes_text,
                   const run_arguments& a) {
  std::vector<sweep_axis> axes;
  for (const auto& t : axes_text) axes.push_back(parse_axis(t));
  make_output_directory(a.out);
  const auto names = short_names(platforms);
  json out{{"schema", "memwall-crossover-1"}, {"axes", json::array()}};
  int worst = done;
  for (const auto& axis : axes) {
    crossover_curves time{axis.key, axis.values, names, {}}, energy = time;
    json points = json::array();
    time.value.assign(names.size(), std::vector<std::optional<double>>(axis.values.size()));
    energy.value = time.value;
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      const run_arguments here = at_point(a, axis.key, axis.values[i]);
      here.workload.resolve();  // words that contradict each other are told before anything runs
      for (std::size_t p = 0; p < platforms.size(); ++p) {
        const std::string dir = a.out + "/" + names[p] + "/" + axis.key + "-" + std::to_string(axis.values[i]);
        make_output_directory(dir);
        const json r = run_platform(platforms[p], names[p], dir, here);
        json point{{"platform", names[p]}, {axis.key, axis.values[i]}};
        const int code = r.value("exit_code", static_cast<int>(done));
        if (code == done) {
          point["summary"] = r["summary"];
          time.value[p][i] = r["summary"]["time_per_token_ns"].get<double>();
          energy.value[p][i] = r["summary"]["energy_per_token_pj"].get<double>();
        } else {
          point["exit_code"] = code;
          point["message"] = r["message"];
          if (code != does_not_fit) {
            std::cerr << names[p] << ", " << axis.key << " " << axis.values[i] << ": "
                      << r["message"].get<std::string>();
            worst = std::max(worst, code);
          }
          if (code == bad_input || code == interrupted) {
            exit_status = code;
            return;
          }
        }
        points.push_back(std::move(point));
      }
    }
    const run_arguments first = at_point(a, axis.key, axis.values.front());
    const std::string title = first.workload.model + " " + first.workload.phase + ", " + a.workload.types();
    json said = json::array();
    for (std::size_t p = 1; p < names.size(); ++p)
      for (const auto& [curves, better, worse] :
           {std::tuple{&time, "faster", "slower"}, std::tuple{&energy, "thriftier in energy", "hungrier"}})
        said.push_back(verdict(*curves, p, better, worse));
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
    out["axes"].push_back(std::move(entry));
  }
  write_whole(a.out + "/compare.json", out.dump(1) + "\n");
  if (a.json) std::cout << out.dump(1) << '\n';
  exit_status = worst;
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
  arguments->add_to(*sub);
  sub->callback([arguments, names, axes] {
    for (const auto& p : *names) platforms::load_platform(p, arguments->sets);  // all errors before any run
    if (axes->empty())
      compare_command(*names, *arguments);
    else
      sweep_command(*names, *axes, *arguments);
  });
}

}  // namespace memwall::tools
