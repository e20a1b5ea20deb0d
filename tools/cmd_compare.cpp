// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "hw/common/error.h"
#include "platforms/description.h"
#include "tools/commands.h"
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

void compare_command(const std::vector<std::string>& platforms, const run_arguments& a) {
  for (const auto& p : platforms) platforms::load_platform(p, a.sets);  // all errors before any run
  make_output_directory(a.out);
  std::vector<json> results;
  int worst = done;
  for (const auto& p : platforms) {
    std::string name = fs::path(p).stem().string();
    for (int i = 2; std::any_of(results.begin(), results.end(), [&](const json& r) { return r["platform"] == name; }); ++i) name = fs::path(p).stem().string() + "-" + std::to_string(i);
    const std::string dir = a.out + "/" + name, log = a.out + "/" + name + ".log";
    std::vector<std::string> words{"memwall", "run", "--platform", p, "--out", dir, "--quiet"};
    for (const auto& w : a.words()) words.push_back(w);
    const int code = run_process(words, log);
    if (code == done) {
      json r = json::parse(read_text(dir + "/result.json"));
      r["platform"] = name;
      results.push_back(std::move(r));
      fs::remove(log);
    } else {
      results.push_back({{"platform", name}, {"exit_code", code}, {"message", read_text(log)}});
      worst = std::max(worst == interrupted ? interrupted : worst, code);
      if (code == bad_input) {
        std::cerr << read_text(log);
        exit_status = code;
        return;
      }
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

}  // namespace

void add_compare(CLI::App& app) {
  auto* sub = app.add_subcommand("compare", "the same trace on several platforms, side by side");
  auto arguments = std::make_shared<run_arguments>();
  auto names = std::make_shared<std::vector<std::string>>();
  sub->add_option("--platform", *names, "a preset or a YAML file; give it once for each platform")->required();
  sub->add_option("--out", arguments->out, "directory: one folder a platform, and compare.json")->required();
  arguments->add_to(*sub);
  sub->callback([arguments, names] { compare_command(*names, *arguments); });
}

}  // namespace memwall::tools
