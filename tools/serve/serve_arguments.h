// SPDX-License-Identifier: Apache-2.0
// The options of a served model, the same in serve and compare.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tools/reuse_options.h"

namespace CLI {
class App;
}

namespace memwall::tools {

struct serve_arguments {
  std::string model, requests, dtype, rate, slo, transfer_bytes = "auto", replay = "on";
  reuse_options reuse;
  std::int64_t replicas = 1, first = 0, warm_up = -1, seed = 1;
  std::vector<std::string> sets;

  /// What a comparison has not got already: requests, replicas, service level.
  void add_service_to(CLI::App& app);
  /// --dtype, else what the model's checkpoint is stored in, else bf16.
  std::string types() const;
  /// The options as words of a command line, without --platform and --out.
  std::vector<std::string> words() const;
  /// The command line that serves them on a platform.
  std::vector<std::string> command(const std::string& platform) const;
};

}  // namespace memwall::tools
