// SPDX-License-Identifier: Apache-2.0
// What serve prints.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "tools/terminal.h"

namespace memwall::tools {

std::string serve_screen(const nlohmann::ordered_json& result, const terminal_style& style);

}  // namespace memwall::tools
