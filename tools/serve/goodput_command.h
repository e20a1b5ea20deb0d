// SPDX-License-Identifier: Apache-2.0
// `memwall compare --requests`: how many requests each platform serves within a service level.
#pragma once
#include <string>
#include <vector>

#include "tools/serve/serve_arguments.h"

namespace memwall::tools {

struct goodput_request {
  std::vector<std::string> platforms;
  serve_arguments service;  ///< without a rate: that is what is looked for
  std::string iso, out;
  int share = 90, jobs = 1;
  double precision = 0.05;
  bool quiet = false, json = false;
};

/// Sets exit_status. Throws input_error for what contradicts itself before anything runs.
void find_goodput(const goodput_request& asked);

}  // namespace memwall::tools
