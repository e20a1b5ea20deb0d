// SPDX-License-Identifier: Apache-2.0
// From the errors of a validation to the badges that stand beside figures.
#pragma once
#include <string>
#include <vector>

#include "platforms/describe/badge.h"

namespace memwall::tools {

/// The `part` quantile of absolute errors: the smallest error that at least this part of the rows does not exceed.
double quantile(std::vector<double> errors, double part);
double median(std::vector<double> errors);

/// A measurement and what came of it.
struct validated {
  std::string platform;  ///< the preset that stands for its hardware
  std::string metric;
  double error = 0;  ///< relative, signed
};

/// What a metric tells of: "decode", "prefill" or "energy"; empty: no badge (kernels, capacity).
std::string figure_of(const std::string& metric);

/// A row a platform and figure, in that order.
std::vector<platforms::badge_row> badges_of(const std::vector<validated>& rows);

/// `fresh` in place of what `stored` says of the same platforms and figures.
std::vector<platforms::badge_row> merge_badges(std::vector<platforms::badge_row> stored,
                                               const std::vector<platforms::badge_row>& fresh);

}  // namespace memwall::tools
