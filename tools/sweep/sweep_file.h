// SPDX-License-Identifier: Apache-2.0
// The sweep file: what is varied, over what, with which constraints. See README.md for the format.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hw/common/error.h"
#include "tools/sweep/expression.h"

namespace memwall::sweep {

/// One configured value: a path and its text. Paths are "platform", "model", "trace", "workload.KEY",
/// "options.KEY" or else a --set path.
struct setting {
  std::string path, text, where;
};

/// A range without steps; only samples can draw from it.
struct interval {
  double low = 0, high = 0;
  std::string dimension;  ///< of the quantity; "" for bare numbers
  bool logarithmic = false, integer = false;

  /// The value at `u` in [0, 1).
  std::string at(double u) const;
};

struct axis {
  std::string path, where;
  std::vector<std::optional<std::string>> values;  ///< nothing: leave it at the base value
  std::optional<interval> continuous;              ///< then `values` is empty
};

/// Axes that step together (one, unless zipped). With a condition that does not hold, the group stays out of
/// the point.
struct axis_group {
  std::vector<axis> axes;
  std::optional<expression> when;  ///< over spec::names
  std::size_t size() const { return axes.front().values.size(); }
};

enum class sample_method { none, random, latin_hypercube };

struct spec {
  std::string name, description;
  std::string file;       ///< as given
  std::string directory;  ///< relative paths in the file are looked for here first
  std::string text;       ///< the file's contents
  std::vector<setting> base;
  std::vector<axis_group> groups;  ///< the first varies slowest
  std::vector<expression> when;    ///< over `names`; all must hold
  std::vector<std::string> names;  ///< every path that an expression may name: axes first, then base values
  sample_method sample = sample_method::none;
  std::size_t sample_count = 0;
  std::uint64_t seed = 0;
  std::vector<std::string> objectives;       ///< e.g. "time_ns", "max:tokens_per_s"
  bool whatif = false;                       ///< every point with --whatif
  double timeout_s = 0;                      ///< per point; 0: none
  std::uint64_t memory_bytes = 0;            ///< address space per point; 0: none
  std::map<std::string, std::string> slurm;  ///< partition, account, time, ... -> sbatch --KEY=VALUE
};

/// Reads a sweep file. `overrides` ("path=value", from the command line) replace or add base values.
/// Throws input_error with every problem found.
spec read_spec(const std::string& file, const std::vector<std::string>& overrides = {});
/// The same from text; `directory` is where relative paths are looked for.
spec parse_spec(const std::string& text, const std::string& name, const std::string& directory,
                const std::vector<std::string>& overrides = {});

/// Values of an axis from its YAML form as text, e.g. "{log: [1 GB/s, 1 TB/s], count: 4}". For tests and
/// tools.
std::vector<std::string> axis_values(const std::string& yaml);

}  // namespace memwall::sweep
