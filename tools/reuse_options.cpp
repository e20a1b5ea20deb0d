// SPDX-License-Identifier: Apache-2.0
#include "tools/reuse_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "hw/common/error.h"
#include "tools/number_between.h"

namespace memwall::tools {

void reuse_options::add_to(CLI::App& app, const char* otherwise) {
  app.add_option("--reuse", mode,
                 fmt::format("on: of operators that are alike a few are simulated, the others take as long as those "
                             "did, and some are simulated to measure the error; off: all are simulated (default: {})",
                             otherwise))
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--reuse-error", error, "percent that reuse may be off: decides how many are simulated")
      ->check(number_between(0.01, 50.0))
      ->capture_default_str();
}

void reuse_options::check(const CLI::App& app, bool otherwise) const {
  if (app.get_option("--reuse-error")->count() > 0 && !is_on(otherwise))
    throw input_error(problem{"--reuse-error", "", "says nothing where all is simulated", "--reuse on", ""});
}

std::vector<std::string> reuse_options::words() const {
  std::vector<std::string> out;
  if (!mode.empty()) out = {"--reuse", mode};
  if (error != 1) out.insert(out.end(), {"--reuse-error", fmt::format("{}", error)});
  return out;
}

}  // namespace memwall::tools
