// SPDX-License-Identifier: Apache-2.0
#include "tools/infer_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tools/terminal.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

/// Perplexity over a cost, both logarithmic; the front is filled, whiskers are the 95 % interval.
std::string picture(const json& points, const char* cost, const std::string& title, std::string (*text)(double)) {
  constexpr double width = 620, height = 380, left = 70, right = 20, top = 30, bottom = 50;
  double x0 = INFINITY, x1 = 0, y0 = INFINITY, y1 = 0;
  for (const auto& p : points) {
    const double x = p[cost].get<double>(), y = p["perplexity"].get<double>();
    x0 = std::min(x0, x), x1 = std::max(x1, x), y0 = std::min(y0, y), y1 = std::max(y1, y);
  }
  // A margin of the range, so that points that differ little stand apart; a range that is none gets one.
  const auto widened = [](double& a, double& b) {
    const double by = std::max(std::pow(b / a, 0.08), 1.01);
    a /= by, b *= by;
  };
  widened(x0, x1);
  widened(y0, y1);
  const auto at_x = [&](double v) { return left + (width - left - right) * std::log(v / x0) / std::log(x1 / x0); };
  const auto at_y = [&](double v) {
    return height - bottom - (height - top - bottom) * std::log(std::clamp(v, y0, y1) / y0) / std::log(y1 / y0);
  };
  std::string out = fmt::format(
      "<svg viewBox='0 0 {0} {1}' width='{0}' height='{1}'><text x='{2}' y='18'>{3}</text>"
      "<path d='M{4} {5}V{6}H{7}' fill='none' stroke='#888'/>",
      width, height, left, title, left, top, height - bottom, width - right);
  for (int i = 0; i <= 4; ++i) {
    const double x = x0 * std::pow(x1 / x0, i / 4.0), y = y0 * std::pow(y1 / y0, i / 4.0);
    out += fmt::format("<text class='tick' x='{:.0f}' y='{}' text-anchor='middle'>{}</text>", at_x(x), height - 30,
                       text(x));
    out +=
        fmt::format("<text class='tick' x='{}' y='{:.0f}' text-anchor='end'>{:.3g}</text>", left - 6, at_y(y) + 4, y);
  }
  for (const auto& p : points) {
    const double x = at_x(p[cost].get<double>()), v = p["perplexity"].get<double>(),
                 half = p["perplexity_interval_95"].get<double>();
    out += fmt::format(
        "<path d='M{0:.1f} {1:.1f}V{2:.1f}' stroke='#999'/><circle cx='{0:.1f}' cy='{3:.1f}' r='5' fill='{4}' "
        "stroke='#1f5fa8'><title>{5} {6}: {7:.4f}, {8}</title></circle>",
        x, at_y(v + half), at_y(std::max(v - half, y0)), at_y(v), p["pareto"].get<bool>() ? "#1f5fa8" : "#fff",
        escaped(p["varied"].get<std::string>()), escaped(p["value"].get<std::string>()), v,
        text(p[cost].get<double>()));
  }
  return out + "</svg>";
}

}  // namespace

std::string infer_csv(const json& sweep) {
  std::string out =
      "varied,value,perplexity,perplexity_deviation,perplexity_interval_95,top1_agreement,time_per_token_ns,"
      "energy_per_token_pj,"
      "working_energy_per_token_pj,converter_energy_per_token_pj,pareto\n";
  for (const auto& p : sweep["points"])
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", p["varied"].get<std::string>(),
                       p["value"].get<std::string>(), p["perplexity"].dump(), p["perplexity_deviation"].dump(),
                       p["perplexity_interval_95"].dump(), p["top1_agreement"].dump(), p["time_per_token_ns"].dump(),
                       p["energy_per_token_pj"].dump(), p["working_energy_per_token_pj"].dump(),
                       p["converter_energy_per_token_pj"].dump(), p["pareto"].get<bool>() ? 1 : 0);
  return out;
}

std::string infer_page(const json& sweep) {
  std::string out = fmt::format(
      "<!doctype html><html lang='en'><meta charset='utf-8'><title>{0} on {1}</title><style>body{{font:15px sans-serif;"
      "max-width:1300px;margin:2em auto}}table{{border-collapse:collapse}}td,th{{padding:2px 12px;text-align:right;"
      "border-bottom:1px solid #ddd}}svg{{font:13px sans-serif}}.tick{{fill:#555;font-size:11px}}</style>"
      "<h1>{0} on {1}: accuracy, time and energy</h1><p>Perplexity of {2}, reference (single precision) {3:.4f}; mean "
      "of "
      "{4} seeds with its 95 % interval. Filled points: no other is better in perplexity, time and energy.</p>",
      escaped(sweep["model"].get<std::string>()), escaped(sweep["platform"].get<std::string>()),
      escaped(sweep["text"].get<std::string>()), sweep["reference_perplexity"].get<double>(),
      sweep["seeds"].get<int>());
  out += picture(sweep["points"], "energy_per_token_pj", "perplexity over energy a token", human_energy);
  out += picture(sweep["points"], "time_per_token_ns", "perplexity over time a token", human_time);
  // Leakage is often most of the energy and the same for all points; converters tell what their bits cost.
  const auto& points = sweep["points"];
  if (std::all_of(points.begin(), points.end(),
                  [](const json& p) { return p["converter_energy_per_token_pj"].get<double>() > 0; }))
    out += picture(points, "converter_energy_per_token_pj", "perplexity over converters' energy a token", human_energy);
  out +=
      "<table><tr><th>varied<th>value<th>perplexity<th>95 %<th>top 1<th>time a token<th>energy a token<th>but "
      "leakage<th>converters<th>front</tr>";
  for (const auto& p : sweep["points"])
    out += fmt::format(
        "<tr><td>{}<td>{}<td>{:.4f}<td>+- {:.4f}<td>{:.2f} %<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
        escaped(p["varied"].get<std::string>()), escaped(p["value"].get<std::string>()), p["perplexity"].get<double>(),
        p["perplexity_interval_95"].get<double>(), 100 * p["top1_agreement"].get<double>(),
        human_time(p["time_per_token_ns"].get<double>()), human_energy(p["energy_per_token_pj"].get<double>()),
        human_energy(p["working_energy_per_token_pj"].get<double>()),
        human_energy(p["converter_energy_per_token_pj"].get<double>()), p["pareto"].get<bool>() ? "*" : "");
  out += "</table>";
  if (sweep.contains("sensitivity")) {
    out +=
        "<h2>Sensitivity: one layer on the macros, the others exact on the same integers</h2><table>"
        "<tr><th>layer<th>perplexity<th>95 %<th>nats added</tr>";
    for (const auto& p : sweep["sensitivity"])
      out += fmt::format("<tr><td>{}<td>{:.4f}<td>+- {:.4f}<td>{:.5f}</tr>",
                         p["layer"].is_string() ? p["layer"].get<std::string>() : p["layer"].dump(),
                         p["perplexity"].get<double>(), p["perplexity_interval_95"].get<double>(),
                         p["nll_added"].get<double>());
    out += "</table>";
  }
  out +=
      "<h2>Other models on analog arrays, as published</h2><p>Of other models, tasks and chips: to stand beside the "
      "above, not to be matched. (*): of the paper's tables, as told by others' notes on its "
      "text.</p><table><tr><th>model<th>what<th>condition<th>figure<th>source</tr>";
  for (const auto& p : sweep["published"])
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td>{}</tr>", escaped(p["model"].get<std::string>()),
                       escaped(p["what"].get<std::string>()), escaped(p["condition"].get<std::string>()),
                       escaped(p["figure"].get<std::string>()), escaped(p["source"].get<std::string>()));
  out += "</table>";
  return out + "</html>\n";
}

}  // namespace memwall::tools
