// SPDX-License-Identifier: Apache-2.0
// Simulations of several platforms, a process each (SystemC runs one a process), each with a folder of its own.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/process/child.h"
#include "tools/process/exit_code.h"

namespace memwall::tools {

/// One of them.
struct platform_run {
  std::string name, folder;            ///< as it is called in tables; where its files go
  std::vector<std::string> words;      ///< of the command line: run or serve, and all options but --out and --quiet
  nlohmann::ordered_json result = {};  ///< result.json with `platform`, or {platform, exit_code, message}
};

/// How a run ended.
int exit_code_of(const nlohmann::ordered_json& result);

/// Runs them, `jobs` at a time; none is started after one that found the input bad. False when a signal cut it short.
bool run_platforms(std::vector<platform_run>& runs, int jobs);

/// One name for each platform: the file's, numbered where two are alike.
std::vector<std::string> short_names(const std::vector<std::string>& platforms);

}  // namespace memwall::tools
