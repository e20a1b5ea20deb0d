// SPDX-License-Identifier: Apache-2.0
// A picture of lines over logarithmic axes, as SVG.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace memwall::tools {

struct chart_line {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< both above 0; others are left out
  std::optional<std::pair<double, double>> ring;  ///< a place to look at
};

struct line_chart {
  std::string title, x_name, y_name;
  std::string (*y_text)(double) = nullptr;  ///< prints a value of the vertical axis
  std::optional<double> limit;              ///< a horizontal line, with its name behind it
  std::string limit_name;
  std::vector<chart_line> lines;
};

std::string svg_of(const line_chart& c);

}  // namespace memwall::tools
