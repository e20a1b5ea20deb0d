// SPDX-License-Identifier: Apache-2.0
// Served runs of several platforms at several loads, a process each.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/process/exit_code.h"
#include "tools/serve/serve_arguments.h"

namespace memwall::tools {

/// One simulation.
struct served_point {
  std::string platform;  ///< as it was given
  std::string name, folder;
  serve_arguments arguments;
  nlohmann::ordered_json result;  ///< result.json, or {platform, exit_code, message}
};

/// How a result of a served point ended.
int exit_code_of(const nlohmann::ordered_json& result);

/// Runs them, `jobs` at a time; none is started after one that found the input bad. False when a signal cut it short.
bool run_points(std::vector<served_point>& points, int jobs);

/// One name for each platform: the file's, numbered where two are alike.
std::vector<std::string> short_names(const std::vector<std::string>& platforms);

}  // namespace memwall::tools
