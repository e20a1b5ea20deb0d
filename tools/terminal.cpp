// SPDX-License-Identifier: Apache-2.0
#include "tools/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

std::string scaled(double v, const std::vector<std::pair<double, const char*>>& units) {
  for (const auto& [scale, name] : units)
    if (std::fabs(v) >= scale) {
      const double x = v / scale;
      return fmt::format("{:.{}f} {}", x, x >= 100 ? 0 : x >= 10 ? 1 : 2, name);
    }
  return fmt::format("{:.3g} {}", v / units.back().first, units.back().second);
}

std::string bold(const std::string& text, const terminal_style& s) { return s.colour ? "\033[1m" + text + "\033[0m" : text; }

std::vector<std::pair<std::string, double>> stack_of(const json& result) {
  std::vector<std::pair<std::string, double>> out;
  if (const auto found = result.find("stall_stack_ns"); found != result.end())
    for (const auto& [name, value] : found->items()) out.emplace_back(name, value.get<double>());
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

std::string cell(const std::string& text, std::size_t width) {
  return text.size() >= width ? text.substr(0, width) : text + std::string(width - text.size(), ' ');
}

}  // namespace

terminal_style terminal_style::of_stdout() {
  terminal_style s;
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  const char* no_colour = std::getenv("NO_COLOR");
  s.colour = terminal && (no_colour == nullptr || *no_colour == '\0');
  const char* locale = std::getenv("LC_ALL");
  if (locale == nullptr || *locale == '\0') locale = std::getenv("LC_CTYPE");
  if (locale == nullptr || *locale == '\0') locale = std::getenv("LANG");
  const std::string l = locale != nullptr ? locale : "";
  s.unicode = terminal && (l.find("UTF-8") != std::string::npos || l.find("utf8") != std::string::npos);
  return s;
}

std::string human_time(double v) { return scaled(v, {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}}); }
std::string human_bytes(double v) { return scaled(v, {{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}}); }
std::string human_energy(double v) { return scaled(v, {{1e15, "kJ"}, {1e12, "J"}, {1e9, "mJ"}, {1e6, "uJ"}, {1e3, "nJ"}, {1, "pJ"}}); }

std::string bar(double fraction, int width, const terminal_style& style) {
  fraction = std::clamp(fraction, 0.0, 1.0);
  const int eighths = static_cast<int>(std::lround(fraction * width * 8));
  std::string out;
  if (!style.unicode) {
    const int full = static_cast<int>(std::lround(fraction * width));
    return std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(width - full), '.');
  }
  static const char* const part[] = {"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"};
  for (int i = 0; i < eighths / 8; ++i) out += "\u2588";
  out += part[eighths % 8];
  for (int i = (eighths + 7) / 8; i < width; ++i) out += ' ';
  return out;
}

std::string run_screen(const json& r, const terminal_style& style) {
  const json& s = r["summary"];
  const json& w = r["workload"];
  const double time = s["time_ns"];
  std::string out;
  out += bold(fmt::format("{} on {}", r["model"].get<std::string>(), r["platform"].get<std::string>()), style);
  out += fmt::format("   {}, batch {}, {} {}, {}\n", w["phase"].get<std::string>(), w["batch"].dump(), w["phase"] == "prefill" ? "prompt" : "context",
                     w[w["phase"] == "prefill" ? "prompt" : "context"].dump(), w["dtype"].get<std::string>());
  if (r.value("partial", false)) out += "  PARTIAL: interrupted before the end\n";
  out += fmt::format("  time {}   {} tokens   {:.4g} tokens/s   {} a token   energy {} a token\n", human_time(time), s["tokens"].dump(),
                     s["tokens_per_s"].get<double>(), human_time(s["time_per_token_ns"]), human_energy(s["energy_per_token_pj"]));
  out += fmt::format("  bound by {}", bold(s["bound_by"].get<std::string>(), style));
  int shown = 0;
  for (const auto& what : s["what_if"]) {
    if (shown++ == 2) break;
    out += fmt::format("{}without {}: {:.3g}x faster", shown == 1 ? "   (" : ", ", what["cause"].get<std::string>(), what["speedup"].get<double>());
  }
  if (shown > 0) out += ")";
  out += fmt::format("\n  weights {}   KV cache {}   moved: DRAM {}, bus {}, links {}   {:.3g} GFLOP\n\n", human_bytes(s["weight_bytes"]), human_bytes(s["kv_bytes"]),
                     human_bytes(s["dram_bytes"]), human_bytes(s["bus_bytes"]), human_bytes(s["link_bytes"]), s["flops"].get<double>() / 1e9);
  out += "  where the time goes\n";
  shown = 0;
  for (const auto& [name, t] : stack_of(r)) {
    if (t < time * 0.0005 || shown++ == 12) continue;
    out += fmt::format("    {:<18}{} {:>5.1f} %  {}\n", name, bar(t / time, 32, style), 100 * t / time, human_time(t));
  }
  out += "\n";
  const auto usage = [&](const char* list, const char* label) {
    if (!r.contains(list)) return;
    for (const auto& m : r[list]) {
      const double u = m.value("utilization", 0.0);
      if (u < 0.0005) continue;
      out += fmt::format("  {:<8}{:<14}{} {:>5.1f} % busy", label, m["name"].get<std::string>(), bar(u, 20, style), 100 * u);
      if (m.contains("bandwidth_gbps")) out += fmt::format("   {:.4g} of {:.4g} GB/s", m["bandwidth_gbps"].get<double>(), m["peak_gbps"].get<double>());
      if (m.contains("row")) {
        const double hits = m["row"]["hit"], all = hits + m["row"]["miss"].get<double>() + m["row"]["conflict"].get<double>();
        if (all > 0) out += fmt::format("   {:.1f} % row hits", 100 * hits / all);
      }
      out += "\n";
    }
  };
  usage("memories", "memory");
  usage("buses", "bus");
  usage("links", "link");
  usage("executors", "core");
  out += fmt::format("  fidelity: transfers {}, replay {}   simulated in {:.2f} s, {:.0f} MB\n", r["fidelity"]["transfer_bytes"].get<std::string>(),
                     r["fidelity"]["replay"].get<bool>() ? "on" : "off", r["host"]["wall_s"].get<double>(), r["host"]["peak_rss_mb"].get<double>());
  if (r.contains("outputs"))
    for (const auto& file : r["outputs"])
      for (const char* key : {"note", "detail_note"})
        if (file.contains(key)) out += "  note: " + file[key].get<std::string>() + "\n";
  return out;
}

std::string compare_screen(const std::vector<json>& results, const terminal_style& style) {
  constexpr std::size_t label = 22, column = 24;
  std::string out;
  const auto line = [&](const std::string& name, const std::function<std::string(const json&)>& f) {
    out += cell(name, label);
    for (const auto& r : results) out += cell(r.contains("summary") ? f(r) : "-", column - 1) + " ";
    out += "\n";
  };
  out += cell("", label);
  for (const auto& r : results) out += bold(cell(r["platform"].get<std::string>(), column - 1), style) + " ";
  out += "\n";
  const auto number = [](double v) { return fmt::format("{:.4g}", v); };
  line("time a token", [](const json& r) { return human_time(r["summary"]["time_per_token_ns"]); });
  line("tokens/s", [&](const json& r) { return number(r["summary"]["tokens_per_s"]); });
  line("bound by", [](const json& r) { return r["summary"]["bound_by"].get<std::string>(); });
  line("faster without it", [](const json& r) {
    const auto& what_if = r["summary"]["what_if"];
    return what_if.empty() ? std::string("-") : fmt::format("{:.3g}x", what_if[0]["speedup"].get<double>());
  });
  line("then by", [](const json& r) { return r["summary"]["second_bound_by"].get<std::string>(); });
  line("energy a token", [](const json& r) { return human_energy(r["summary"]["energy_per_token_pj"]); });
  line("DRAM traffic", [](const json& r) { return human_bytes(r["summary"]["dram_bytes"]); });
  line("bus traffic", [](const json& r) { return human_bytes(r["summary"]["bus_bytes"]); });
  line("DRAM GB/s", [&](const json& r) { return number(r["summary"]["dram_bandwidth_gbps"]); });
  line("DRAM busy", [](const json& r) { return fmt::format("{:.1f} %", 100 * r["summary"]["dram_utilization"].get<double>()); });
  line("bus busy", [](const json& r) { return fmt::format("{:.1f} %", 100 * r["summary"]["bus_utilization"].get<double>()); });
  out += "\nwhere the time goes\n";
  std::vector<std::string> causes;
  for (const auto& r : results)
    for (const auto& [name, t] : stack_of(r))
      if (t > 0.005 * r["summary"]["time_ns"].get<double>() && std::find(causes.begin(), causes.end(), name) == causes.end()) causes.push_back(name);
  for (const auto& c : causes) {
    out += cell("  " + c, label);
    for (const auto& r : results) {
      const double share = r.contains("summary") && r["stall_stack_ns"].contains(c) ? r["stall_stack_ns"][c].get<double>() / r["summary"]["time_ns"].get<double>() : 0;
      out += share > 0 ? fmt::format("{} {:>5.1f} %{}", bar(share, 12, style), 100 * share, std::string(column - 20, ' ')) : std::string(column, ' ');
    }
    out += "\n";
  }
  for (const auto& r : results)
    if (!r.contains("summary")) out += fmt::format("\n{}: {}\n", r["platform"].get<std::string>(), r.value("message", "failed"));
  return out;
}

}  // namespace memwall::tools
