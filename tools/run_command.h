// SPDX-License-Identifier: Apache-2.0
// The options that run and compare share.
#pragma once
#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/reuse_options.h"
#include "tools/workload_options.h"

namespace memwall::tools {

struct run_arguments {
  workload_options workload;
  std::string trace, out, transfer_bytes = "auto", replay = "on", vcd, vcd_channels = "0", vcd_limit = "100 MB",
                          timeline;
  reuse_options reuse;
  std::int64_t vcd_commands = 2'000'000;
  std::vector<std::string> sets;
  bool quiet = false, json = false, whatif = false;
  std::string factors = "1.1,2,inf";  ///< of whatif
  int jobs = 0;                       ///< simulations at a time, where a command runs several; 0: one a core

  void add_to(CLI::App& app);
  /// Refuses options that say nothing without others. `reused`: what is done when --reuse is not given.
  void check(const CLI::App& app, bool reused) const;
  /// The same options as words of a command line (without --platform, --out, --quiet, --json).
  std::vector<std::string> words() const;
};

/// Prints what the run settled in another way than it was told (the result's `notes`) to the error stream.
void print_notes(const nlohmann::ordered_json& result);

}  // namespace memwall::tools
