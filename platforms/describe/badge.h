// SPDX-License-Identifier: Apache-2.0
// How far a platform's figures have been checked: what the validation found when it was last run over every row, as
// stored in platforms/validation/badges.csv.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace memwall::platforms {

/// Errors of one preset against published measurements, of one kind of figure ("decode", "prefill", "energy").
struct badge_row {
  std::string platform, figure;
  std::int64_t rows = 0;                   ///< measurements
  double median_error = 0, p90_error = 0;  ///< absolute, 0.03 for 3 %
};

/// What stands beside a figure. Without a measurement of its own a preset has neighbours: the nearest relatives by
/// `base:` that have any.
struct badge {
  std::string figure;
  std::optional<badge_row> own;
  std::optional<std::pair<double, double>> neighbours;  ///< lowest and highest of their median errors

  /// What it is worth for something near: a preset with a part changed, another workload.
  badge of_neighbour() const;
  /// "decode measured within 3.4 % (n = 97)", "decode extrapolated (n = 0), neighbours err by 4 to 15 %"
  std::string text() const;
};

/// Reads the columns platform,figure,rows,median_error,p90_error; throws input_error naming file and line.
std::vector<badge_row> read_badges(const std::string& file);
/// The rows as that file.
std::string write_badges(const std::vector<badge_row>& rows);

/// The badge of a preset, from given rows, or from those stored among the data files (none: nothing was measured).
/// A platform that is no preset has neighbours only if it names a base; then ask for the base's.
badge badge_of(const std::string& platform, const std::string& figure, const std::vector<badge_row>& rows);
badge badge_of(const std::string& platform, const std::string& figure);

}  // namespace memwall::platforms
