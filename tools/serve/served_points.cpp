// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/served_points.h"

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

child_setup setup_of(const served_point& p) {
  child_setup out;
  out.program = own_program();
  out.arguments = {"serve", "--platform", p.platform, "--out", p.folder, "--quiet"};
  const auto words = p.arguments.words();
  out.arguments.insert(out.arguments.end(), words.begin(), words.end());
  out.error_file = p.folder + "/run.log";
  return out;
}

void read_result(served_point& p, const child_end& end) {
  const std::string log = p.folder + "/run.log";
  if (end.exit_code == done && end.signal == 0) {
    p.result = json::parse(read_text(p.folder + "/result.json").value_or(""), nullptr, false);
    if (!p.result.is_object()) throw io_error(p.folder + "/result.json: cannot be read");
    p.result["platform"] = p.name;
  } else {
    std::string message = read_text(log).value_or("");
    // One that was only just starting dies of the signal that it was sent on.
    const bool stopped = end.stopped || end.signal == SIGTERM || end.signal == SIGINT || end.signal == SIGHUP;
    if (end.exit_code == interrupted || stopped) message = "interrupted\n";
    p.result = {{"platform", p.name},
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

bool run_points(std::vector<served_point>& points, int jobs) {
  child_jobs children;
  children.count = points.size();
  children.at_once = jobs;
  bool refused = false;
  children.start = [&](std::size_t i) {
    fs::create_directories(points[i].folder);
    return setup_of(points[i]);
  };
  children.ended = [&](std::size_t i, const child_end& end) {
    read_result(points[i], end);
    refused = refused || end.exit_code == bad_input;
    return !refused;
  };
  const bool complete = run_children(children);
  for (auto& p : points)
    if (p.result.is_null())
      p.result = {{"platform", p.name}, {"exit_code", interrupted}, {"message", "not run: interrupted\n"}};
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
