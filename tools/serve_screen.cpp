// SPDX-License-Identifier: Apache-2.0
#include "tools/serve_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

std::string row(const std::string& name, const json& d) {
  std::string out = fmt::format("  {:<22}", name);
  for (const char* key : {"mean", "p50", "p90", "p95", "p99"})
    out += fmt::format("{:>11}", d[key].is_null() ? "" : human_time(d[key].get<double>() * 1e6));
  return out + "\n";
}

/// What twice of each part would do for a request.
std::string whatif_text(const json& r) {
  if (!r.contains("whatif")) return "";
  std::string out = r["summary"]["bound_by"].is_string()
                        ? fmt::format("the wall: {}\n", r["summary"]["bound_by"].get<std::string>())
                        : "no part alone would make a request faster\n";
  for (const auto& w : r["whatif"])
    if (w["factor"] == 2 && w["speedup"].get<double>() > 1.005)
      out += fmt::format("  {:<22}{:>6.2f}x at twice: a request takes {}\n", w["resource"].get<std::string>(),
                         w["speedup"].get<double>(), human_time(w["time_ns"]));
  return out;
}

}  // namespace

std::string serve_screen(const json& r, const terminal_style& style) {
  const json &s = r["serving"], &summary = r["summary"];
  std::string out =
      fmt::format("{} on {}: {} of {} requests in {}, {} steps\n", r["model"].get<std::string>(),
                  r["platform"].get<std::string>(), s["completed"].get<std::int64_t>(),
                  s["requests"].get<std::int64_t>(), human_time(s["duration_ns"]), s["steps"].get<std::int64_t>());
  out += fmt::format("  {:<22}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "", "mean", "p50", "p90", "p95", "p99");
  out += row("time to first token", s["ttft_ms"]);
  out += row("time a token after it", s["tpot_ms"]);
  out += row("between tokens", s["itl_ms"]);
  out += row("end to end", s["e2e_ms"]);
  out += fmt::format(
      "  requests/s {:.4g}, output tokens/s {:.4g}; KV blocks {} of {} at most; {} preemptions; {:.1f} % of "
      "prompts found in the prefix cache\n",
      s["requests_per_s"].get<double>(), s["output_tokens_per_s"].get<double>(),
      s["kv"]["peak_blocks"].get<std::int64_t>(), s["kv"]["blocks"].get<std::int64_t>(),
      s["preemptions"].get<std::int64_t>(), 100 * s["prefix_hit_rate"].get<double>());
  if (const json& g = s["goodput"]; !g.empty())
    out += fmt::format("  goodput {:.4g} requests/s: {:.1f} % of the requests within the service level\n",
                       g["requests_per_s"].get<double>(), 100 * g["share"].get<double>());
  out += fmt::format("  energy {} a token, {} a request\n", human_energy(summary["energy_per_token_pj"]),
                     human_energy(summary["energy_per_request_pj"]));
  out += "where the time goes\n";
  std::vector<std::pair<double, std::string>> parts;
  double sum = 0;
  for (const auto& [name, v] : r["stall_stack_ns"].items()) {
    parts.emplace_back(v.get<double>(), name);
    sum += v.get<double>();
  }
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [v, name] : parts)
    if (sum > 0 && v > 0.005 * sum)
      out += fmt::format("  {:<20}{} {:>5.1f} %\n", name, bar(v / sum, 12, style), 100 * v / sum);
  out += whatif_text(r);
  return out + reuse_line(r["fidelity"]["reuse"], "steps");
}

}  // namespace memwall::tools
