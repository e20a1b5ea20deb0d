// SPDX-License-Identifier: Apache-2.0
// Options that say something only beside others.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "hw/common/error.h"

namespace memwall::tools {

/// Refuses each of `options` that was given without any of `needed`: it would change nothing.
inline void refuse_alone(const CLI::App& app, const std::vector<std::string>& options,
                         const std::vector<std::string>& needed, problem_list& problems) {
  std::string names;
  for (const auto& n : needed) {
    if (app.get_option(n)->count() > 0) return;
    names += (names.empty() ? "" : " or ") + n;
  }
  for (const auto& o : options)
    if (app.get_option(o)->count() > 0) problems.add({o, "", "says nothing without " + names, names, ""});
}

}  // namespace memwall::tools
