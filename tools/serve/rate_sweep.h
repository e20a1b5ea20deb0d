// SPDX-License-Identifier: Apache-2.0
// `memwall serve --rate A..B` and `memwall compare --requests SPEC --sweep rate=A..B`.
#pragma once
#include <string>
#include <vector>

#include "tools/serve/serve_arguments.h"

namespace memwall::tools {

struct rate_sweep_request {
  std::vector<std::string> platforms;
  serve_arguments service;
  std::vector<double> rates;
  std::string out;  ///< "": nothing is kept
  int jobs = 1;
  bool by_platform = false;  ///< a folder a platform, as compare has them
  bool quiet = false, json = false;
};

/// Serves at each rate, a process each. Sets exit_status.
void sweep_rates(const rate_sweep_request& asked);

}  // namespace memwall::tools
