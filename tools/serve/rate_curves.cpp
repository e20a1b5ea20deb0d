// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/rate_curves.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <utility>

#include "tools/line_chart.h"
#include "tools/serve/rate_range.h"
#include "tools/terminal.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

double number(const json& j) {
  return j.is_number() ? j.get<double>() : 0.0;
}

double mean_ms(const json& point) {
  return point.contains("e2e_ms") ? number(point["e2e_ms"]["mean"]) : 0.0;
}

std::string ms_text(double ms) {
  return human_time(ms * 1e6);
}

}  // namespace

json curve_json(const rate_curve& c) {
  json out{{"platform", c.platform}, {"points", json::array()}};
  std::vector<std::pair<double, double>> points;
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < c.rates.size(); ++i) {
    const json& r = c.results[i];
    json point{{"rate", c.rates[i]}};
    if (!r.contains("serving")) {
      for (const char* key : {"exit_code", "message"})
        if (r.contains(key)) point[key] = r[key];
      out["points"].push_back(std::move(point));
      continue;
    }
    const json& s = r["serving"];
    for (const char* key : {"requests_per_s", "output_tokens_per_s", "preemptions", "ttft_ms", "tpot_ms", "e2e_ms"})
      point[key] = s[key];
    if (s["goodput"].contains("share")) point["within"] = s["goodput"]["share"];
    point["energy_per_token_pj"] = r["summary"]["energy_per_token_pj"];
    point["power_w"] = r["machine"]["power_w"];
    point["booked_most"] = r["summary"]["booked_most"];
    points.emplace_back(number(s["requests_per_s"]), mean_ms(point));
    at.push_back(i);
    out["points"].push_back(std::move(point));
  }
  out["knee"] = nullptr;
  if (const auto knee = knee_of(points))
    out["knee"] = {{"rate", c.rates[at[*knee]]}, {"e2e_mean_ms", points[*knee].second}};
  return out;
}

json rate_crossings(const json& first, const json& second) {
  json out = json::array();
  std::optional<std::pair<double, double>> last;  // logarithms of the rate, and of the second's time over the first's
  for (std::size_t i = 0; i < first["points"].size(); ++i) {
    const double a = mean_ms(first["points"][i]), b = mean_ms(second["points"][i]);
    if (a <= 0 || b <= 0) continue;
    const double x = std::log(number(first["points"][i]["rate"])), ratio = std::log(b / a);
    if (last && (last->second < 0) != (ratio < 0)) {
      const double at = last->first + (x - last->first) * last->second / (last->second - ratio);
      out.push_back({{"rate", std::exp(at)}, {"loses_beyond", ratio >= 0}});
    }
    last = {x, ratio};
  }
  return out;
}

std::string rate_verdict(const json& first, const json& second) {
  const std::string name = second["platform"], base = first["platform"];
  std::vector<std::pair<double, double>> ratios;  // how many times as fast the second is, by rate
  for (std::size_t i = 0; i < first["points"].size(); ++i) {
    const double a = mean_ms(first["points"][i]), b = mean_ms(second["points"][i]);
    if (a > 0 && b > 0) ratios.emplace_back(number(first["points"][i]["rate"]), a / b);
  }
  if (ratios.empty()) return fmt::format("{}: no rate was served by both it and {}", name, base);
  const auto word = [](bool faster) { return faster ? "faster" : "slower"; };
  std::string out = fmt::format("{} answers {} than {}", name, word(ratios.front().second > 1), base);
  const json found = rate_crossings(first, second);
  if (found.empty())
    return out + fmt::format(" at every rate from {:g} ({:.3g}x) to {:g} ({:.3g}x)", ratios.front().first,
                             ratios.front().second, ratios.back().first, ratios.back().second);
  for (const auto& k : found)
    out += fmt::format(" up to {:.3g} requests/s, {}", number(k["rate"]), word(!k["loses_beyond"].get<bool>()));
  return out + " beyond";
}

std::string curve_table(const json& curve) {
  std::string out = fmt::format("{:<12}{:>11}{:>12}{:>12}{:>12}{:>12}{:>12}{:>9}{:>12}\n", "requests/s", "served/s",
                                "first token", "p99", "a token", "end to end", "p99", "within", "energy/tok");
  for (const auto& p : curve["points"]) {
    out += fmt::format("{:<12g}", number(p["rate"]));
    if (!p.contains("e2e_ms")) {
      out += p.value("exit_code", 0) == 3 ? "does not fit\n" : "not run to its end\n";
      continue;
    }
    out += fmt::format("{:>11.4g}{:>12}{:>12}{:>12}{:>12}{:>12}{:>9}{:>12}", number(p["requests_per_s"]),
                       ms_text(number(p["ttft_ms"]["mean"])), ms_text(number(p["ttft_ms"]["p99"])),
                       ms_text(number(p["tpot_ms"]["mean"])), ms_text(number(p["e2e_ms"]["mean"])),
                       ms_text(number(p["e2e_ms"]["p99"])),
                       p.contains("within") ? fmt::format("{:.0f} %", 100 * number(p["within"])) : "-",
                       human_energy(number(p["energy_per_token_pj"])));
    if (curve["knee"].is_object() && curve["knee"]["rate"] == p["rate"]) out += "  <- knee";
    out += "\n";
  }
  return out;
}

std::string curve_svg(const json& curves, const std::string& title) {
  line_chart c;
  c.title = title;
  c.x_name = "requests a second";
  c.y_text = ms_text;
  const bool one = curves.size() == 1;
  c.y_name = one ? "end to end; the ring is the knee" : "end to end, mean; rings are knees";
  const auto add = [&](const json& curve, const std::string& name, const char* part, bool ring) {
    chart_line line;
    line.name = name;
    for (const auto& p : curve["points"])
      if (p.contains("e2e_ms")) {
        line.points.emplace_back(number(p["rate"]), number(p["e2e_ms"][part]));
        if (ring && curve["knee"].is_object() && curve["knee"]["rate"] == p["rate"]) line.ring = line.points.back();
      }
    c.lines.push_back(std::move(line));
  };
  for (const auto& curve : curves) {
    const std::string name = curve["platform"];
    if (one) {
      add(curve, "mean", "mean", true);
      add(curve, "p50", "p50", false);
      add(curve, "p99", "p99", false);
    } else {
      add(curve, name, "mean", true);
    }
  }
  return svg_of(c);
}

}  // namespace memwall::tools
