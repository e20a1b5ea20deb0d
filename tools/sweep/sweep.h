// SPDX-License-Identifier: Apache-2.0
// A sweep from file to database: what `memwall sweep` does.
#pragma once
#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "tools/sweep/executor.h"

namespace memwall::sweep {

struct sweep_request {
  std::string file;                    ///< the sweep file
  std::vector<std::string> overrides;  ///< "path=value"
  std::string version;                 ///< of this program
  std::string executor = "local";
  sweep_options run;  ///< directory may be "" for a dry run
  bool dry_run = false;
  bool collect_only = false;            ///< make the database of what is there
  std::vector<std::string> objectives;  ///< with a budget: search instead of running all points
  std::size_t budget = 0;
  bool whatif = false;          ///< what bounds every point, by simulation
  std::string chunk_file;       ///< a node's share: numbers of points, one a line; no lock, no database
  std::string base_directory;   ///< where relative paths of a frozen sweep file are looked for
  std::string expected_digest;  ///< a node refuses to run another plan than the submitter's
};

/// Returns an exit code. Prints the outcome to `out`. Throws input_error.
int run_sweep(const sweep_request& request, std::ostream& out);

}  // namespace memwall::sweep
