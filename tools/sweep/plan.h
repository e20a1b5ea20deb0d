// SPDX-License-Identifier: Apache-2.0
// The points of a sweep, in their order. A plan holds a few bytes a point; points are made when asked for.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/sweep/sweep_file.h"

namespace memwall::sweep {

/// What identifies the program that simulates: a point is run again when this changes.
struct program {
  std::string path;     ///< executable
  std::string version;  ///< as `memwall --version`
  std::string digest;   ///< of the executable, memwall's libraries and data files of the hardware
};

/// The running program, or `runner` in its place when not empty. Throws input_error when it cannot be read.
program identify_program(const std::string& runner, const std::string& version);

struct point {
  std::size_t number = 0;
  std::vector<std::optional<std::string>> values;  ///< one a column; nothing: left at the base value
  std::vector<std::string> arguments;              ///< of `memwall`, without --out: run --platform ...
  std::string key;                                 ///< content hash of everything that the result depends on
};

class plan {
 public:
  /// Lays out the points. Throws input_error when there are none or too many, or a condition cannot be
  /// evaluated.
  plan(spec s, program p);

  std::size_t size() const { return m_points.size(); }
  point at(std::size_t number) const;
  /// Paths of the axes, in the order of point::values.
  const std::vector<std::string>& columns() const { return m_columns; }
  const spec& sweep() const { return m_spec; }
  const sweep::program& program() const { return m_program; }

  /// Where the point lies on each group's axis, 0 (first value) to 1 (last), by rank; NaN where the group is
  /// left out.
  std::vector<double> coordinates(std::size_t number) const;
  /// Whether the group's values are names without an order (platforms, models, data types).
  bool is_nominal(std::size_t group) const;
  /// A hash of all points' keys is too slow for each start; this one covers what they are made of.
  std::string digest() const;

 private:
  void lay_out_grid();
  void lay_out_samples();
  std::size_t index_of(std::size_t group, std::uint64_t code) const;
  double draw(std::size_t group, std::uint64_t code) const;
  bool allowed(std::uint64_t code) const;
  bool active(std::size_t group, std::uint64_t code) const;
  value name_value(std::size_t name, std::uint64_t code) const;
  const std::string& content_digest(const std::string& kind, const std::string& name) const;
  std::string resolved(const std::string& path, const std::string& text) const;

  spec m_spec;
  sweep::program m_program;
  std::vector<std::string> m_columns;
  std::vector<std::pair<std::size_t, std::size_t>> m_column_axis;  ///< group and axis of each column
  std::vector<std::uint64_t> m_points;                             ///< grid ordinal, or number of the draw
  std::vector<std::uint64_t> m_strides;
  std::vector<std::vector<std::uint32_t>> m_strata;       ///< of the Latin hypercube, a group
  std::vector<std::vector<std::vector<value>>> m_values;  ///< of discrete axes, a group and axis
  std::vector<value> m_base_values;
  mutable std::map<std::string, std::string> m_digests;  ///< of input files; filled on first use
};

}  // namespace memwall::sweep
