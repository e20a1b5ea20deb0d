// SPDX-License-Identifier: Apache-2.0
// Where one platform overtakes another as the workload grows: points, crossings, a table and a picture.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace memwall::tools {

/// A word of the workload and its values: `batch=1..256` (powers of two, ends included) or `batch=1,3,9`.
struct sweep_axis {
  std::string key;  ///< batch, prompt or context
  std::vector<std::int64_t> values;
};
/// Throws input_error (option --sweep).
sweep_axis parse_axis(const std::string& text);

/// One quantity of every platform over an axis. Nothing where a point does not fit the platform, or has failed.
struct crossover_curves {
  std::string axis;  ///< what the values are
  std::vector<std::int64_t> at;
  std::vector<std::string> platforms;
  std::vector<std::vector<std::optional<double>>> value;  ///< by platform, by point; smaller is better
  std::vector<std::vector<bool>> failed;                  ///< likewise; empty: none
  bool has_failed(std::size_t platform, std::size_t point) const {
    return platform < failed.size() && failed[platform][point];
  }
};

/// Where `platform` and the first platform are equal: between neighbouring points, straight lines in logarithms.
struct crossing {
  double at = 0;
  bool loses_beyond = false;  ///< the first platform is better on the far side
};
std::vector<crossing> crossings(const crossover_curves& c, std::size_t platform);
/// What an architect says of it: "faster than A up to batch 5.3, slower beyond".
std::string verdict(const crossover_curves& c, std::size_t platform, const std::string& better,
                    const std::string& worse);

/// Rows by point, columns by platform; `text` prints a value.
std::string crossover_table(const crossover_curves& c, std::string (*text)(double));
/// Logarithmic axes, a line a platform, crossings marked.
std::string crossover_svg(const crossover_curves& c, const std::string& title, const std::string& quantity,
                          std::string (*text)(double));

}  // namespace memwall::tools
