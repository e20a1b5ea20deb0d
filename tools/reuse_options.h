// SPDX-License-Identifier: Apache-2.0
// --reuse and --reuse-error, the same wherever something is simulated.
#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace memwall::tools {

struct reuse_options {
  std::string mode;  ///< on, off; "": what the command does when nothing is said
  double error = 1;  ///< percent

  /// `otherwise`: what it does then.
  void add_to(CLI::App& app, const char* otherwise);
  /// Refuses a bound where nothing is reused.
  void check(const CLI::App& app, bool otherwise) const;
  bool is_on(bool otherwise) const { return mode.empty() ? otherwise : mode == "on"; }
  double bound() const { return error / 100; }
  /// As words of a command line.
  std::vector<std::string> words() const;
};

}  // namespace memwall::tools
