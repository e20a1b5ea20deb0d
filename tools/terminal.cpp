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

std::string bold(const std::string& text, const terminal_style& s) {
  return s.colour ? "\033[1m" + text + "\033[0m" : text;
}

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

std::string human_time(double v) {
  return scaled(v, {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}});
}
std::string human_flops(double v) {
  return scaled(
      v,
      {{1e18, "EFLOP"}, {1e15, "PFLOP"}, {1e12, "TFLOP"}, {1e9, "GFLOP"}, {1e6, "MFLOP"}, {1e3, "kFLOP"}, {1, "FLOP"}});
}
std::string human_bytes(double v) {
  return scaled(v, {{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}});
}
std::string human_energy(double v) {
  return scaled(v, {{1e15, "kJ"}, {1e12, "J"}, {1e9, "mJ"}, {1e6, "uJ"}, {1e3, "nJ"}, {1, "pJ"}});
}

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

namespace {

/// A macro at its best, all of them together, and what came of it: an architect looks at the distance.
std::string macro_lines(const json& executor, const json& summary) {
  const json& f = executor["figures"];
  const auto density = [](double v) { return v > 0 ? fmt::format(", {:.3g} TOPS/mm2", v) : std::string(); };
  std::string out = fmt::format(
      "  arrays  {:<14}a macro {:.3g} TOPS, {:.3g} TOPS/W{};  {} macros, {:.4g} TOPS at most\n",
      executor["name"].get<std::string>(), f["macro_tops"].get<double>(), f["macro_tops_per_w"].get<double>(),
      density(f.value("macro_tops_per_mm2", 0.0)), f["macros"].dump(), f["peak_tops"].get<double>());
  out += fmt::format("  {:<22}achieved {:.3g} TOPS, {:.3g} TOPS/W{};  the whole system {:.3g} TOPS/W\n", "",
                     f["achieved_tops"].get<double>(), f["achieved_tops_per_w"].get<double>(),
                     density(f.value("achieved_tops_per_mm2", 0.0)), summary["tops_per_w"].get<double>());
  if (const double used = f.value("endurance_used_per_day", 0.0); used > 0)
    out += fmt::format("  {:<22}cells wear: {:.3g} % of their endurance a day of this load\n", "", 100 * used);
  return out;
}

/// What the model's file and the workload say beside the figures.
std::string note_lines(const json& result) {
  std::string out;
  if (result.contains("notes"))
    for (const auto& note : result["notes"]) out += "  note: " + note.get<std::string>() + "\n";
  return out;
}

/// What went where, and why, where something does not simply cross the bus.
std::string placement_lines(const json& placement) {
  std::string out;
  bool plain = placement["notes"].empty();
  for (const auto& d : placement["decisions"]) {
    plain = plain && d["way"] == "cross the bus at each use";
    out += fmt::format("  placed  {:<14}{} in {}, for {}: {}; {}{}\n", d["what"].get<std::string>(),
                       human_bytes(d["bytes"].get<double>()), d["memory"].get<std::string>(),
                       d["used_by"].get<std::string>(), d["way"].get<std::string>(), d["why"].get<std::string>(),
                       d.contains("held_wider") ? fmt::format("; held {:.3g} times as wide, as the units compute",
                                                              d["held_wider"].get<double>())
                                                : "");
  }
  return plain ? std::string() : out;
}

/// What the rooflines say: bounds, not gains.
std::string bound_lines(const json& r) {
  std::string out;
  if (!r.contains("bounds")) return out;
  for (const auto& b : r["bounds"]) {
    out += fmt::format("  {}: busy at least {}, {} of it behind other work", b["resource"].get<std::string>(),
                       human_time(b["at_least_ns"]), human_time(b["overlapped_ns"]));
    if (const auto bound = b.find("upper_bound"); bound != b.end() && bound->get<double>() < 100)
      out += fmt::format("; a better one gains {:.3g}x at most (an upper bound)", bound->get<double>());
    out += "\n";
  }
  return out;
}

/// Gains by resource, a column a factor; what reproduces the row that names the wall.
std::string whatif_lines(const json& r, const terminal_style& style) {
  std::vector<std::string> factors, resources;
  const auto word = [](const json& f) {
    return f.is_string() ? f.get<std::string>() : fmt::format("{}x", f.get<double>());
  };
  for (const auto& row : r["whatif"]) {
    const std::string f = word(row["factor"]), name = row["resource"];
    if (std::find(factors.begin(), factors.end(), f) == factors.end()) factors.push_back(f);
    if (std::find(resources.begin(), resources.end(), name) == resources.end()) resources.push_back(name);
  }
  std::sort(factors.begin(), factors.end(), [](const std::string& a, const std::string& b) {
    return (a == "inf") != (b == "inf") ? b == "inf" : std::stod(a) < std::stod(b);
  });
  std::string out = fmt::format("\n  {:<30}", "simulated with a better");
  for (const auto& f : factors) out += fmt::format("{:>10}", f);
  out += "\n";
  for (const auto& name : resources) {
    out += fmt::format("    {:<28}", name);
    for (const auto& f : factors) {
      std::string cell = "-";
      for (const auto& row : r["whatif"])
        if (row["resource"] == name && word(row["factor"]) == f)
          cell = fmt::format("{:.3f}x", row["speedup"].get<double>());
      out += fmt::format("{:>10}", cell);
    }
    out += "\n";
  }
  for (const auto& p : r["whatif_pairs"])
    out += fmt::format("    {} and {}: {:.3g}x together, {:.3g}x and {:.3g}x alone\n",
                       p["resources"][0].get<std::string>(), p["resources"][1].get<std::string>(),
                       p["speedup"].get<double>(), p["alone"][0].get<double>(), p["alone"][1].get<double>());
  const json& wall = r["summary"]["bound_by"];
  out += wall.is_string() ? "    the wall: " + bold(wall.get<std::string>(), style) + "\n"
                          : std::string("    no part alone, and no pair tried, gains 1 %\n");
  for (const auto& row : r["whatif"])
    if (wall.is_string() && row["resource"] == wall && row["factor"] == 2) {
      out += "    twice of it:";
      for (const auto& set : row["set"]) out += " --set '" + set.get<std::string>() + "'";
      out += "\n";
    }
  return out;
}

}  // namespace

/// Whether the energy of a memory that moved anything rests on figures without a primary source.
static bool unverified_energy(const json& r) {
  if (!r.contains("memories")) return false;
  for (const auto& m : r["memories"])
    if (m.value("energy_confidence", "") == "unverified" && m.value("read_bytes", 0.0) > 0) return true;
  return false;
}

std::string reuse_line(const nlohmann::ordered_json& reuse, const char* audited) {
  if (reuse["mode"] != "on") return "";
  const auto number = [&](const char* key) { return reuse[key].get<double>(); };
  return fmt::format(
      "reuse: {} of {} operators simulated; {} {} audited, error {:.2f} % on average, {:+.2f} +- {:.2f} % with its "
      "sign (95 %), {:.2f} % at most, bound {:.2f} %\n",
      reuse["simulated"].get<std::int64_t>(), reuse["operators"].get<std::int64_t>(),
      reuse["audited"].get<std::int64_t>(), audited, number("error_mean_pct"), number("bias_pct"),
      number("confidence_pct"), number("error_max_pct"), number("bound_pct"));
}

std::string run_screen(const json& r, const terminal_style& style) {
  const json& s = r["summary"];
  const json& w = r["workload"];
  const double time = s["time_ns"];
  std::string out;
  out += bold(fmt::format("{} on {}", r["model"].get<std::string>(), r["platform"].get<std::string>()), style);
  if (r.contains("badge")) out += fmt::format(" [{}]", r["badge"]["text"].get<std::string>());
  out += fmt::format("   {}, batch {}, {} {}, {}\n", w["phase"].get<std::string>(), w["batch"].dump(),
                     w["phase"] == "decode" ? "context" : "prompt",
                     w[w["phase"] == "decode" ? "context" : "prompt"].dump(), w["dtype"].get<std::string>());
  out += note_lines(r);
  if (r.value("partial", false))
    out += fmt::format("  PARTIAL: interrupted after {} of simulated time and {} operators; no rate can be told\n",
                       human_time(time), s["operators"].dump());
  else if (s.contains("ttft_ns"))
    out +=
        fmt::format("  time {}   first token after {} (TTFT), then {} a token (TPOT)   energy {}\n", human_time(time),
                    human_time(s["ttft_ns"]), human_time(s["tpot_ns"]), human_energy(s["energy_pj"]));
  else
    out += fmt::format("  time {}   {} tokens   {:.4g} tokens/s   {} a token   energy {} a token{}\n", human_time(time),
                       s["tokens"].dump(), s["tokens_per_s"].get<double>(), human_time(s["time_per_token_ns"]),
                       human_energy(s["energy_per_token_pj"]), unverified_energy(r) ? " (DRAM: unverified)" : "");
  if (s["bound_by"].is_string())
    out += fmt::format("  the wall: {} (simulated, see below)", bold(s["bound_by"].get<std::string>(), style));
  else
    out += fmt::format("  most time booked to {} (what would help: --whatif)",
                       bold(s["booked_most"].get<std::string>(), style));
  out += fmt::format("\n  weights {}   KV cache {}   moved: DRAM {}, bus {}, links {}   {}\n\n",
                     human_bytes(s["weight_bytes"]), human_bytes(s["kv_bytes"]), human_bytes(s["dram_bytes"]),
                     human_bytes(s["bus_bytes"]), human_bytes(s["link_bytes"]), human_flops(s["flops"]));
  out += "  where the time goes\n";
  int shown = 0;
  for (const auto& [name, t] : stack_of(r)) {
    if (t < time * 0.0005 || shown++ == 12) continue;
    out += fmt::format("    {:<18}{} {:>5.1f} %  {}\n", name, bar(t / time, 32, style), 100 * t / time, human_time(t));
  }
  out += bound_lines(r);
  if (r.contains("whatif")) out += whatif_lines(r, style);
  out += "\n";
  const auto usage = [&](const char* list, const char* label) {
    if (!r.contains(list)) return;
    for (const auto& m : r[list]) {
      const double u = m.value("utilization", 0.0);
      if (u < 0.0005) continue;
      out += fmt::format("  {:<8}{:<14}{} {:>5.1f} % busy", label, m["name"].get<std::string>(), bar(u, 20, style),
                         100 * u);
      if (m.contains("bandwidth_gbps"))
        out += fmt::format("   {:.4g} of {:.4g} GB/s", m["bandwidth_gbps"].get<double>(), m["peak_gbps"].get<double>());
      if (m.contains("row")) {
        const double hits = m["row"]["hit"],
                     all = hits + m["row"]["miss"].get<double>() + m["row"]["conflict"].get<double>();
        if (all > 0) out += fmt::format("   {:.1f} % row hits", 100 * hits / all);
      }
      out += "\n";
    }
  };
  usage("memories", "memory");
  usage("buses", "bus");
  usage("links", "link");
  usage("executors", "core");
  for (const auto& e : r["executors"])
    if (e.contains("figures") && e["figures"].contains("macro_tops")) out += macro_lines(e, s);
  if (r.contains("placement")) out += placement_lines(r["placement"]);
  out += fmt::format("  fidelity: transfers {}, replay {}   simulated in {:.2f} s, {:.0f} MB\n",
                     r["fidelity"]["transfer_bytes"].get<std::string>(),
                     r["fidelity"]["replay"].get<bool>() ? "on" : "off", r["host"]["wall_s"].get<double>(),
                     r["host"]["peak_rss_mb"].get<double>());
  if (r["fidelity"].contains("reuse")) out += "  " + reuse_line(r["fidelity"]["reuse"], "of them");
  if (r.contains("outputs"))
    for (const auto& file : r["outputs"])
      for (const char* key : {"note", "detail_note"})
        if (file.contains(key)) out += "  note: " + file[key].get<std::string>() + "\n";
  return out;
}

namespace {
std::string without_trailing_spaces(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n')
      while (!out.empty() && out.back() == ' ') out.pop_back();
    out += c;
  }
  return out;
}
/// How well the platform's figures were checked, short: "3.4 %, n = 97".
std::string badge_cell(const json& r) {
  const json badge = r.value("badge", json::object());
  if (badge.value("rows", 0) > 0)
    return fmt::format("{:.1f} %, n = {}", 100 * badge["median_error"].get<double>(), badge["rows"].get<int>());
  if (!badge.contains("neighbours")) return "n = 0";
  return fmt::format("n = 0 (near: {:.0f}-{:.0f} %)", 100 * badge["neighbours"][0].get<double>(),
                     100 * badge["neighbours"][1].get<double>());
}

}  // namespace

namespace {
/// The largest simulated gain of a resource that is `factor` times as good; 0: none was simulated.
double largest_gain(const json& r, double factor) {
  double most = 0;
  if (r.contains("whatif"))
    for (const auto& row : r["whatif"])
      if (row["factor"].is_number() && row["factor"].get<double>() == factor)
        most = std::max(most, row["speedup"].get<double>());
  return most;
}
}  // namespace

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
  const auto both = std::all_of(results.begin(), results.end(), [](const json& r) {
    return !r.contains("summary") || r["summary"].contains("ttft_ns");
  });
  if (both) {
    line("first token (TTFT)", [](const json& r) { return human_time(r["summary"]["ttft_ns"]); });
    line("a token (TPOT)", [](const json& r) { return human_time(r["summary"]["tpot_ns"]); });
  } else {
    line("time a token", [](const json& r) { return human_time(r["summary"]["time_per_token_ns"]); });
  }
  line("tokens/s", [&](const json& r) { return number(r["summary"]["tokens_per_s"]); });
  line("checked within", [](const json& r) { return badge_cell(r); });
  const auto simulated = [&] {
    return std::any_of(results.begin(), results.end(), [](const json& r) { return r.contains("whatif"); });
  };
  if (simulated()) {
    line("the wall", [](const json& r) {
      const json& wall = r["summary"]["bound_by"];
      return wall.is_string() ? wall.get<std::string>() : std::string("none alone");
    });
    line("gain at twice", [](const json& r) {
      const double gain = largest_gain(r, 2);
      return gain > 0 ? fmt::format("{:.3g}x", gain) : std::string("-");
    });
  } else {
    line("most time booked to", [](const json& r) { return r["summary"]["booked_most"].get<std::string>(); });
  }
  line("energy a token", [](const json& r) { return human_energy(r["summary"]["energy_per_token_pj"]); });
  line("TOPS", [&](const json& r) { return number(r["summary"]["tops"]); });
  line("TOPS/W", [&](const json& r) { return number(r["summary"]["tops_per_w"]); });
  const auto figure = [&](const char* key) {
    return [key, &number](const json& r) {
      for (const auto& e : r["executors"])
        if (e.contains("figures") && e["figures"].contains(key)) return number(e["figures"][key]);
      return std::string("-");
    };
  };
  line("TOPS/W of a macro", figure("macro_tops_per_w"));
  line("TOPS/mm2", figure("achieved_tops_per_mm2"));
  line("TOPS/mm2 of a macro", figure("macro_tops_per_mm2"));
  // What is being compared: machines of very different size may stand side by side.
  const auto machine = [](const char* key, auto text) {
    return [key, text](const json& r) {
      return r.contains("machine") && r["machine"][key].is_number() ? text(r["machine"][key].template get<double>())
                                                                    : std::string("-");
    };
  };
  line("chips that compute", machine("chips", [](double v) { return fmt::format("{:.0f}", v); }));
  line("memory devices", [](const json& r) {
    std::string text;
    if (r.contains("machine"))
      for (const auto& [standard, n] : r["machine"]["memory_devices"].items())
        text += fmt::format("{}{:.4g} {}", text.empty() ? "" : ", ", n.get<double>(), standard);
    return text.empty() ? std::string("-") : text;
  });
  line("memory capacity", machine("memory_capacity_bytes", human_bytes));
  line("outside bandwidth", machine("memory_bandwidth_gbps", [](double v) { return human_bytes(v * 1e9) + "/s"; }));
  line("area", machine("area_mm2", [](double v) { return fmt::format("{:.4g} mm2", v); }));
  line("power drawn", machine("power_w", [](double v) { return fmt::format("{:.3g} W", v); }));
  line("DRAM traffic", [](const json& r) { return human_bytes(r["summary"]["dram_bytes"]); });
  line("bus traffic", [](const json& r) { return human_bytes(r["summary"]["bus_bytes"]); });
  line("DRAM GB/s", [&](const json& r) { return number(r["summary"]["dram_bandwidth_gbps"]); });
  line("DRAM busy",
       [](const json& r) { return fmt::format("{:.1f} %", 100 * r["summary"]["dram_utilization"].get<double>()); });
  line("bus busy",
       [](const json& r) { return fmt::format("{:.1f} %", 100 * r["summary"]["bus_utilization"].get<double>()); });
  out += "\nwhere the time goes\n";
  std::vector<std::string> causes;
  for (const auto& r : results)
    for (const auto& [name, t] : stack_of(r))
      if (t > 0.005 * r["summary"]["time_ns"].get<double>() &&
          std::find(causes.begin(), causes.end(), name) == causes.end())
        causes.push_back(name);
  for (const auto& c : causes) {
    out += cell("  " + c, label);
    for (const auto& r : results) {
      const double share = r.contains("summary") && r["stall_stack_ns"].contains(c)
                               ? r["stall_stack_ns"][c].get<double>() / r["summary"]["time_ns"].get<double>()
                               : 0;
      out += share > 0
                 ? fmt::format("{} {:>5.1f} %{}", bar(share, 12, style), 100 * share, std::string(column - 20, ' '))
                 : std::string(column, ' ');
    }
    out += "\n";
  }
  for (const auto& r : results)
    if (!r.contains("summary"))
      out += fmt::format("\n{}: {}\n", r["platform"].get<std::string>(), r.value("message", "failed"));
  return without_trailing_spaces(out);
}

}  // namespace memwall::tools
