// SPDX-License-Identifier: Apache-2.0
#include "tools/crossover.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hw/common/error.h"
#include "hw/common/params.h"

namespace memwall::tools {
namespace {

const std::vector<std::string> axis_names = {"batch", "prompt", "context"};
constexpr std::int64_t largest = std::int64_t{1} << 24;

[[noreturn]] void refuse(const std::string& text, const std::string& what, const std::string& nearest = {}) {
  throw input_error(problem{"--sweep", text, what,
                            "batch=1..256, prompt=128..4096, context=512..32768 or a list batch=1,3,9", nearest});
}

std::int64_t number(const std::string& text, const std::string& digits) {
  std::int64_t v = 0;
  if (!detail::read_integer(digits, 1, largest, v))
    refuse(text, "'" + digits + "' is not an integer from 1 to " + std::to_string(largest));
  return v;
}

/// A power of ten, or of two, that starts at or below `low` and steps until `high`.
std::vector<double> ticks(double low, double high, double base) {
  std::vector<double> out;
  for (double t = std::pow(base, std::floor(std::log(low) / std::log(base) + 1e-9)); t <= high * 1.0001; t *= base)
    if (t >= low * 0.9999) out.push_back(t);
  return out;
}

}  // namespace

sweep_axis parse_axis(const std::string& text) {
  sweep_axis out;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) refuse(text, "has no '='");
  out.key = text.substr(0, equals);
  if (std::find(axis_names.begin(), axis_names.end(), out.key) == axis_names.end())
    refuse(text, "unknown axis '" + out.key + "'", nearest_name(out.key, axis_names));
  const std::string range = text.substr(equals + 1);
  if (const std::size_t dots = range.find(".."); dots != std::string::npos) {
    const std::int64_t low = number(text, range.substr(0, dots)), high = number(text, range.substr(dots + 2));
    if (high <= low) refuse(text, "the range ends before it begins");
    for (std::int64_t v = low; v < high; v *= 2) out.values.push_back(v);
    out.values.push_back(high);
    return out;
  }
  for (std::size_t at = 0; at <= range.size();) {
    const std::size_t comma = std::min(range.find(',', at), range.size());
    out.values.push_back(number(text, range.substr(at, comma - at)));
    at = comma + 1;
  }
  std::sort(out.values.begin(), out.values.end());
  out.values.erase(std::unique(out.values.begin(), out.values.end()), out.values.end());
  return out;
}

std::vector<crossing> crossings(const crossover_curves& c, std::size_t platform) {
  std::vector<crossing> out;
  std::optional<std::pair<double, double>> last;  // ln of the point, ln of the ratio to the first platform
  for (std::size_t i = 0; i < c.at.size(); ++i) {
    if (!c.value[0][i] || !c.value[platform][i]) continue;
    const double x = std::log(static_cast<double>(c.at[i])), ratio = std::log(*c.value[platform][i] / *c.value[0][i]);
    if (last && (last->second < 0) != (ratio < 0)) {
      const double at = last->first + (x - last->first) * last->second / (last->second - ratio);
      out.push_back({std::exp(at), ratio >= 0});
    }
    last = {x, ratio};
  }
  return out;
}

std::string verdict(const crossover_curves& c, std::size_t platform, const std::string& better,
                    const std::string& worse) {
  const std::string& name = c.platforms[platform];
  const std::string& first = c.platforms[0];
  std::vector<std::size_t> both;
  for (std::size_t i = 0; i < c.at.size(); ++i)
    if (c.value[0][i] && c.value[platform][i]) both.push_back(i);
  if (both.empty()) return fmt::format("{}: no point fits both it and {}", name, first);
  const auto ratio = [&](std::size_t i) { return *c.value[0][i] / *c.value[platform][i]; };
  const auto found = crossings(c, platform);
  const bool starts_better = ratio(both.front()) > 1;
  std::string out = fmt::format("{} is {} than {}", name, starts_better ? better : worse, first);
  if (found.empty()) {
    const double a = ratio(both.front()), b = ratio(both.back());
    out += fmt::format(" at every {} from {} ({:.3g}x) to {} ({:.3g}x)", c.axis, c.at[both.front()], a > 1 ? a : 1 / a,
                       c.at[both.back()], b > 1 ? b : 1 / b);
  } else {
    for (std::size_t i = 0; i < found.size(); ++i)
      out += fmt::format("{} {} {:.3g}, {}", i == 0 ? " up to" : " up to", c.axis, found[i].at,
                         found[i].loses_beyond ? worse : better);
    out += " beyond";
  }
  const std::size_t next = both.back() + 1;
  if (next < c.at.size() && (c.has_failed(platform, next) || c.has_failed(0, next)))
    return out + fmt::format("; the run at {} {} failed", c.axis, c.at[next]);
  if (next < c.at.size()) {
    const bool mine = !c.value[platform][next].has_value(), theirs = !c.value[0][next].has_value();
    out += fmt::format("; from {} {} on it does not fit {}", c.axis, c.at[next],
                       mine && theirs ? "either"
                       : mine         ? name
                                      : first);
  }
  return out;
}

std::string crossover_table(const crossover_curves& c, std::string (*text)(double)) {
  std::vector<std::size_t> width;
  for (const auto& p : c.platforms) width.push_back(std::max<std::size_t>(p.size(), 20) + 2);
  std::string out = fmt::format("{:<10}", c.axis);
  for (std::size_t p = 0; p < c.platforms.size(); ++p) out += fmt::format("{:<{}}", c.platforms[p], width[p]);
  out += "\n";
  for (std::size_t i = 0; i < c.at.size(); ++i) {
    out += fmt::format("{:<10}", c.at[i]);
    for (std::size_t p = 0; p < c.platforms.size(); ++p) {
      std::string cell = c.has_failed(p, i) ? "failed" : "does not fit";
      if (const auto& v = c.value[p][i]) {
        cell = text(*v);
        if (p > 0 && c.value[0][i]) cell += fmt::format("  {:.3g}x", *c.value[0][i] / *v);
      }
      out += fmt::format("{:<{}}", cell, width[p]);
    }
    out += "\n";
  }
  return out;
}

std::string crossover_svg(const crossover_curves& c, const std::string& title, const std::string& quantity,
                          std::string (*text)(double)) {
  // Okabe and Ito's colours, told apart by everyone.
  static const char* const colours[] = {"#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
  constexpr double left = 80, top = 44, width = 480, height = 300, names = 230;
  double low = HUGE_VAL, high = 0;
  for (const auto& line : c.value)
    for (const auto& v : line)
      if (v) low = std::min(low, *v), high = std::max(high, *v);
  if (high <= 0) low = high = 1;
  low /= 1.2, high *= 1.2;
  const double x0 = static_cast<double>(c.at.front()), x1 = std::max(static_cast<double>(c.at.back()), x0 * 1.0001);
  const auto x = [&](double v) { return left + width * std::log(v / x0) / std::log(x1 / x0); };
  const auto y = [&](double v) { return top + height * (1 - std::log(v / low) / std::log(high / low)); };
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n<text x=\"{2}\" y=\"20\" font-size=\"14\">{3}</text>\n",
      left + width + names, top + height + 50, left, title);
  const auto add = [&out](const std::string& element) { out += element + "\n"; };
  for (const double t : ticks(x0, x1, 2)) {
    add(fmt::format("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#e5e5e5\"/>", x(t), top,
                    top + height));
    add(fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>", x(t), top + height + 18, t));
  }
  for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10)
    for (const double step : {1.0, 2.0, 5.0})
      if (const double t = decade * step; t >= low && t <= high) {
        add(fmt::format("<line x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\" stroke=\"#e5e5e5\"/>", left, y(t),
                        left + width));
        add(fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 6, y(t) + 4, text(t)));
      }
  add(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>", left, top,
                  width, height));
  add(fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>", left + width / 2, top + height + 40,
                  c.axis));
  add(fmt::format("<text x=\"{}\" y=\"{}\" fill=\"#555\">{}</text>", left, top - 8, quantity));
  // Names at the ends of their lines, moved apart where lines end close together.
  std::vector<std::pair<double, std::size_t>> ends;
  for (std::size_t p = 0; p < c.platforms.size(); ++p) {
    std::string points;
    double end_x = left, end_y = top + height;
    for (std::size_t i = 0; i < c.at.size(); ++i)
      if (const auto& v = c.value[p][i]) {
        end_x = x(static_cast<double>(c.at[i])), end_y = y(*v);
        points += fmt::format("{:.1f},{:.1f} ", end_x, end_y);
        add(fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>", end_x, end_y,
                        colours[p % std::size(colours)]));
      }
    add(fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>", points,
                    colours[p % std::size(colours)]));
    ends.emplace_back(end_y, p);
    if (p == 0) continue;
    for (const auto& k : crossings(c, p)) {
      const auto after = std::upper_bound(c.at.begin(), c.at.end(), static_cast<std::int64_t>(k.at)) - c.at.begin();
      const auto i =
          static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(after, 1, static_cast<std::ptrdiff_t>(c.at.size()) - 1));
      if (!c.value[0][i] || !c.value[0][i - 1]) continue;
      const double share = std::log(k.at / static_cast<double>(c.at[i - 1])) /
                           std::log(static_cast<double>(c.at[i]) / static_cast<double>(c.at[i - 1]));
      const double v = *c.value[0][i - 1] * std::pow(*c.value[0][i] / *c.value[0][i - 1], share);
      add(fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"7\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>",
                      x(k.at), y(v), colours[p % std::size(colours)]));
    }
  }
  std::sort(ends.begin(), ends.end());
  double free_from = top - 20;
  for (const auto& [at, p] : ends) {
    const double line = std::max(at + 4, free_from + 15);
    free_from = line;
    add(fmt::format("<text x=\"{}\" y=\"{:.1f}\" fill=\"{}\">{}</text>", left + width + 8, line,
                    colours[p % std::size(colours)], c.platforms[p]));
  }
  return out + "</svg>\n";
}

}  // namespace memwall::tools
