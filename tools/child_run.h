// SPDX-License-Identifier: Apache-2.0
// Simulations from within a command: SystemC runs once a process.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>

namespace memwall::tools {

/// Calls `f` in a child process and returns what it returned. What it throws is thrown here: input_error and
/// capacity_error as such, anything else as std::runtime_error. No thread may be running.
nlohmann::ordered_json in_child(const std::function<nlohmann::ordered_json()>& f);

}  // namespace memwall::tools
