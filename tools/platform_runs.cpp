// SPDX-License-Identifier: Apache-2.0
#include "tools/platform_runs.h"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "hw/common/io_error.h"
#include "tools/process/children.h"
#include "tools/process/files.h"

namespace memwall::tools {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

child_setup setup_of(const platform_run& r) {
  child_setup out;
  out.program = own_program();
  out.arguments = r.words;
  out.arguments.insert(out.arguments.end(), {"--out", r.folder, "--quiet"});
  out.error_file = r.folder + "/run.log";
  return out;
}

void read_result(platform_run& r, const child_end& end) {
  const std::string log = r.folder + "/run.log";
  if (end.exit_code == done && end.signal == 0) {
    r.result = json::parse(read_text(r.folder + "/result.json").value_or(""), nullptr, false);
    if (!r.result.is_object()) throw io_error(r.folder + "/result.json: cannot be read");
    r.result["platform"] = r.name;
  } else {
    std::string message = read_text(log).value_or("");
    // One that was only just starting dies of the signal that it was sent on.
    const bool stopped = end.stopped || end.signal == SIGTERM || end.signal == SIGINT || end.signal == SIGHUP;
    if (end.exit_code == interrupted || stopped) message = "interrupted\n";
    r.result = {{"platform", r.name},
                {"exit_code", stopped           ? interrupted
                              : end.signal != 0 ? internal_error
                                                : end.exit_code},
                {"message", message}};
  }
  std::error_code ignored;
  fs::remove(log, ignored);
}

}  // namespace

int exit_code_of(const json& result) {
  return result.value("exit_code", static_cast<int>(done));
}

bool run_platforms(std::vector<platform_run>& runs, int jobs) {
  child_jobs children;
  children.count = runs.size();
  children.at_once = jobs;
  bool refused = false;
  children.start = [&](std::size_t i) {
    fs::create_directories(runs[i].folder);
    return setup_of(runs[i]);
  };
  children.ended = [&](std::size_t i, const child_end& end) {
    read_result(runs[i], end);
    refused = refused || end.exit_code == bad_input;
    return !refused;
  };
  const bool complete = run_children(children);
  for (auto& r : runs)
    if (r.result.is_null())
      r.result = {{"platform", r.name}, {"exit_code", interrupted}, {"message", "not run: interrupted\n"}};
  return complete || refused;
}

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

}  // namespace memwall::tools
