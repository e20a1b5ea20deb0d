// SPDX-License-Identifier: Apache-2.0
#include "tools/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace memwall::tools {
namespace {

constexpr double left = 80, top = 44, width = 480, height = 300, names = 230;

/// A logarithmic axis that holds all values it was shown.
struct axis {
  double low = HUGE_VAL, high = 0;
  void see(double v) {
    if (v > 0) low = std::min(low, v), high = std::max(high, v);
  }
  void widen(double times) {
    if (high <= 0) low = high = 1;
    low /= times, high *= times;
  }
  double share(double v) const { return std::log(v / low) / std::log(high / low); }
  /// Round values inside, from 1, 2 and 5 times a power of ten.
  std::vector<double> ticks() const {
    std::vector<double> out;
    for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10)
      for (const double step : {1.0, 2.0, 5.0})
        if (const double t = decade * step; t >= low && t <= high) out.push_back(t);
    // More than two decades: the powers of ten say enough.
    if (out.size() > 9)
      out.erase(std::remove_if(out.begin(), out.end(),
                               [](double t) { return std::abs(std::log10(t) - std::round(std::log10(t))) > 1e-9; }),
                out.end());
    return out;
  }
};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

}  // namespace

std::string svg_of(const line_chart& c) {
  // Okabe and Ito's colours, told apart by everyone.
  static const char* const colours[] = {"#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
  axis horizontal, vertical;
  for (const auto& line : c.lines)
    for (const auto& [at, value] : line.points)
      if (at > 0 && value > 0) horizontal.see(at), vertical.see(value);
  if (c.limit) vertical.see(*c.limit);
  horizontal.widen(1.05);
  vertical.widen(1.2);
  const auto x = [&](double v) { return left + width * horizontal.share(v); };
  const auto y = [&](double v) { return top + height * (1 - vertical.share(v)); };
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n<text x=\"{2}\" y=\"20\" font-size=\"14\">{3}</text>\n",
      left + width + names, top + height + 50, left, escaped(c.title));
  const auto add = [&out](const std::string& element) { out += element + "\n"; };
  for (const double t : horizontal.ticks()) {
    add(fmt::format("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#e5e5e5\"/>", x(t), top,
                    top + height));
    add(fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>", x(t), top + height + 18, t));
  }
  for (const double t : vertical.ticks()) {
    add(fmt::format("<line x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\" stroke=\"#e5e5e5\"/>", left, y(t),
                    left + width));
    add(fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 6, y(t) + 4,
                    escaped(c.y_text != nullptr ? c.y_text(t) : fmt::format("{:g}", t))));
  }
  add(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>", left, top,
                  width, height));
  add(fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>", left + width / 2, top + height + 40,
                  escaped(c.x_name)));
  add(fmt::format("<text x=\"{}\" y=\"{}\" fill=\"#555\">{}</text>", left, top - 8, escaped(c.y_name)));
  std::vector<std::pair<double, std::string>> ends;  // names at the ends of lines
  const auto name_at = [&ends](double at, const std::string& name, const std::string& colour) {
    ends.emplace_back(at, fmt::format("fill=\"{}\">{}", colour, escaped(name)));
  };
  if (c.limit) {
    add(fmt::format(
        "<line x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\" stroke=\"#888\" stroke-dasharray=\"6 4\"/>", left,
        y(*c.limit), left + width));
    name_at(y(*c.limit), c.limit_name, "#666");
  }
  for (std::size_t i = 0; i < c.lines.size(); ++i) {
    const std::string colour = colours[i % std::size(colours)];
    std::string points;
    double end_y = top + height;
    for (const auto& [at, value] : c.lines[i].points) {
      if (!(at > 0) || !(value > 0)) continue;
      end_y = y(value);
      points += fmt::format("{:.1f},{:.1f} ", x(at), end_y);
      add(fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>", x(at), end_y, colour));
    }
    add(fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>", points, colour));
    if (const auto& ring = c.lines[i].ring; ring && ring->first > 0 && ring->second > 0)
      add(fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"7\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>",
                      x(ring->first), y(ring->second), colour));
    name_at(end_y, c.lines[i].name, colour);
  }
  std::sort(ends.begin(), ends.end());
  double free_from = top - 20;
  for (const auto& [at, text] : ends) {
    const double line = std::max(at + 4, free_from + 15);  // apart where lines end close together
    free_from = line;
    add(fmt::format("<text x=\"{}\" y=\"{:.1f}\" {}</text>", left + width + 8, line, text));
  }
  return out + "</svg>\n";
}

}  // namespace memwall::tools
