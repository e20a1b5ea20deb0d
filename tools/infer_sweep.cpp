// SPDX-License-Identifier: Apache-2.0
#include "tools/infer_sweep.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "hw/cim/macro.h"
#include "hw/common/csv.h"
#include "hw/common/data_dir.h"
#include "hw/common/params.h"
#include "platforms/describe/rule_match.h"
#include "tools/infer_page.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/terminal.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;
using config::node;

struct axis {
  std::string key;
  std::vector<std::string> values;
};

axis parse(const std::string& text) {
  axis out;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw input_error(problem{"--sweep", "", "got '" + text + "'", "KEY=V1,V2,...", ""});
  out.key = text.substr(0, equals);
  for (std::size_t at = equals + 1; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    if (end == at) throw input_error(problem{"--sweep", out.key, "has an empty value", "V1,V2,...", ""});
    out.values.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

double as_number(const std::string& text, const std::string& key, double lowest, double highest) {
  char* end = nullptr;
  const double v = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !(v >= lowest && v <= highest))
    throw input_error(
        problem{"--sweep", key, "got '" + text + "'", fmt::format("a number from {:g} to {:g}", lowest, highest), ""});
  return v;
}

/// Sets a key of every analog macro of the platform.
void set_in_macros(node& tree, const std::string& key, const std::string& value) {
  bool any = false;
  for (auto& [name, module] : tree.find("modules")->entries()) {
    node* macro = module.find("macro");
    if (macro == nullptr) continue;
    const auto built = macro->is_scalar() ? cim::load_macro(macro->text()) : cim::make_macro(*macro);
    if (built->kind() != "analog_crossbar") continue;
    if (macro->is_scalar()) {
      node full = node::map(macro->where());
      full.insert("base", *macro);
      module.insert("macro", full);
      macro = module.find("macro");
    }
    macro->set(key, value, "--sweep");
    any = true;
  }
  if (!any)
    throw input_error(
        problem{"--sweep", key, "the platform has no analog macros", "a platform such as cim_analog", ""});
}

/// The first layers on another core than the one that computes products now.
void keep_digital(node& tree, const platforms::platform_description& p, std::int64_t layers) {
  if (layers == 0) return;
  const auto analog = [&](const std::string& executor) {
    const auto group = p.group(executor);
    const platforms::value_core core(*group.front());
    return core.macro() != nullptr && core.macro()->kind() == "analog_crossbar";
  };
  const platforms::mapping_rule* now = nullptr;
  for (const auto& r : p.mapping)
    if (now == nullptr && platforms::matches(r, "layers.0.attn.qkv", "gemm", 0, "decode")) now = &r;
  std::string other;
  for (const auto& d : p.modules)
    if (other.empty() && (d.type == "cim" || d.type == "gpu" || d.type == "cpu") && !analog(d.name)) other = d.name;
  if (now == nullptr || other.empty())
    throw input_error(problem{"--sweep", "digital_layers", "'" + p.name + "' has no core beside its analog arrays",
                              "a platform with both, such as cim_analog_digital", ""});
  const std::string rule = fmt::format("{{layers: 0-{}, executor: {}, weights: {}, kv_cache: {}, activations: {}}}",
                                       layers - 1, other, now->kv_cache, now->kv_cache, now->activations);
  node changed = node::sequence("--sweep");
  changed.append(node::parse_text(rule, "--sweep"));
  for (const auto& [unused, r] : tree.find("mapping")->entries()) changed.append(r);
  tree.insert("mapping", changed);
}

struct statistics {
  double mean = 0, deviation = 0, half_interval = 0;  // 95 %
};

statistics of(const std::vector<double>& v) {
  // Student's t at 97.5 %, by degrees of freedom.
  constexpr double t[] = {0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228};
  statistics s;
  const auto n = static_cast<double>(v.size());
  for (const double x : v) s.mean += x / n;
  if (v.size() < 2) return s;
  for (const double x : v) s.deviation += (x - s.mean) * (x - s.mean) / (n - 1);
  s.deviation = std::sqrt(s.deviation);
  s.half_interval = (v.size() - 1 < std::size(t) ? t[v.size() - 1] : 1.96) * s.deviation / std::sqrt(n);
  return s;
}

/// No other point is at least as good in perplexity, time and energy and better in one.
void mark_front(json& points) {
  const auto values = [](const json& p) {
    return std::array<double, 3>{p["perplexity"].get<double>(), p["time_per_token_ns"].get<double>(),
                                 p["energy_per_token_pj"].get<double>()};
  };
  for (auto& p : points) {
    const auto a = values(p);
    p["pareto"] = std::none_of(points.begin(), points.end(), [&](const json& q) {
      const auto b = values(q);
      return b[0] <= a[0] && b[1] <= a[1] && b[2] <= a[2] && b != a;
    });
  }
}

/// What others measured with other models on analog arrays: to stand beside, not to match.
json published_rows() {
  auto out = json::array();
  csv_reader in(data_path("platforms/validation/analog_models.csv"), "id,model,what,condition,figure,source");
  for (std::vector<std::string> cells; in.next(cells);) {
    json row;
    for (std::size_t i = 0; i < cells.size(); ++i) row[in.head()[i]] = cells[i];
    out.push_back(std::move(row));
  }
  return out;
}

class sweep {
 public:
  sweep(const infer_session& session, const infer_arguments& a) : m_session(session), m_arguments(a) {
    if (a.text.empty() || a.platform.empty() || a.reference)
      throw input_error(
          problem{"--sweep", "", "needs a platform and a text to score", "--platform NAME --text FILE", ""});
  }

  json run() {
    std::vector<axis> axes;
    for (const auto& s : m_arguments.sweeps) axes.push_back(parse(s));
    for (const auto& x : axes) m_points += x.values.size();
    auto points = json::array();
    points.push_back(point("preset", ""));
    for (const auto& x : axes)
      for (const auto& v : x.values) points.push_back(point(x.key, v));
    mark_front(points);
    infer_arguments plain = m_arguments;
    m_session.set(plain);
    const json reference = m_session.run(nullptr);
    json out{{"schema", "memwall-infer-sweep-1"},
             {"model", m_session.shape().name},
             {"platform", m_arguments.platform},
             {"text", m_arguments.text},
             {"seeds", m_arguments.seeds},
             {"reference_perplexity", reference["perplexity"]},
             {"points", points},
             {"published", published_rows()}};
    if (m_arguments.sensitivity) out["sensitivity"] = sensitivity(reference["perplexity"].get<double>());
    return out;
  }

 private:
  json point(const std::string& key, const std::string& value) {
    infer_arguments a = m_arguments;
    const auto base = platforms::load_platform(a.platform, a.sets);
    node tree = base.tree;
    std::vector<std::string> sets;
    if (key == "adc_bits") {
      set_in_macros(tree, key, value);
    } else if (key == "rows_parallel") {
      set_in_macros(tree, key, value);
    } else if (key == "noise") {
      as_number(value, key, 0, 10);
      for (const char* k : {"program_noise_1", "program_noise_2"}) set_in_macros(tree, k, "0");
      set_in_macros(tree, "program_noise", value);
    } else if (key == "weight_bits") {
      a.dtype = fmt::format("int{}/fp16/fp16", static_cast<int>(as_number(value, key, 2, 8)));
    } else if (key == "age") {
      a.age = as_number(value, key, 0, 1e12);
    } else if (key == "digital_layers") {
      keep_digital(tree, base,
                   static_cast<std::int64_t>(as_number(value, key, 0, static_cast<double>(m_session.shape().layers))));
    } else if (key != "preset") {
      sets.push_back(key + "=" + value);
    }
    const auto p = platforms::read_platform(tree, base.name, sets);
    std::vector<double> perplexities, agreement;
    json last;
    for (int s = 0; s < m_arguments.seeds; ++s) {
      a.seed = m_arguments.seed + static_cast<std::uint64_t>(s);
      m_session.set(a);
      // Time and energy do not depend on the seed: simulated once.
      json r = m_session.run(&p, {}, s == 0);
      if (s > 0) r["simulated"] = last["simulated"];
      perplexities.push_back(r["perplexity"].get<double>());
      agreement.push_back(r["top1_agreement"].is_null() ? 0 : r["top1_agreement"].get<double>());
      last = std::move(r);
    }
    if (m_line) m_line(static_cast<double>(++m_done) / static_cast<double>(m_points));
    const statistics s = of(perplexities);
    return {{"varied", key},
            {"value", value},
            {"perplexity", s.mean},
            {"perplexity_deviation", s.deviation},
            {"perplexity_interval_95", s.half_interval},
            {"top1_agreement", of(agreement).mean},
            {"time_per_token_ns", last["simulated"]["time_per_token_ns"]},
            {"energy_per_token_pj", last["simulated"]["energy_per_token_pj"]},
            {"working_energy_per_token_pj", last["simulated"]["working_energy_per_token_pj"]},
            {"converter_energy_per_token_pj", last["simulated"]["converter_energy_per_token_pj"]}};
  }

  json sensitivity(double reference) {
    auto out = json::array();
    const auto p = platforms::load_platform(m_arguments.platform, m_arguments.sets);
    for (std::int64_t layer = -1; layer < m_session.shape().layers; ++layer) {
      std::vector<double> perplexities;
      for (int s = 0; s < m_arguments.seeds; ++s) {
        infer_arguments a = m_arguments;
        a.seed = m_arguments.seed + static_cast<std::uint64_t>(s);
        m_session.set(a);
        auto r = m_session.request(&p);
        r.settings.only_layer = layer;
        r.compare = false;
        perplexities.push_back(platforms::infer(r).perplexity());
      }
      const statistics s = of(perplexities);
      out.push_back({{"layer", layer < 0 ? json("lm_head") : json(layer)},
                     {"perplexity", s.mean},
                     {"perplexity_interval_95", s.half_interval},
                     {"nll_added", std::log(s.mean / reference)}});
    }
    return out;
  }

  infer_session m_session;
  infer_arguments m_arguments;
  std::size_t m_points = 1, m_done = 0;
  std::function<void(double)> m_line = share_line("points", m_arguments.quiet || m_arguments.json);
};

}  // namespace

std::function<void(double)> share_line(const std::string& what, bool silent) {
  if (silent || isatty(STDERR_FILENO) == 0) return {};
  return [what, last = std::chrono::steady_clock::time_point()](double share) mutable {
    const auto now = std::chrono::steady_clock::now();
    if (share < 1 && now - last < std::chrono::milliseconds(200)) return;
    last = now;
    fmt::print(stderr, "\r{}: {:.0f} %{}", what, 100 * share, share < 1 ? "\033[K" : "\r\033[K");
  };
}

void run_infer_sweep(const infer_session& session, const infer_arguments& a) {
  const json out = sweep(session, a).run();
  if (!a.out.empty()) {
    const output_directory folder(a.out, "infer");
    write_whole(a.out + "/sweep.json", out.dump(1) + "\n");
    write_whole(a.out + "/sweep.csv", infer_csv(out));
    write_whole(a.out + "/sweep.html", infer_page(out));
  }
  if (a.json) {
    std::cout << out.dump(1) << '\n';
    return;
  }
  if (a.quiet) return;
  fmt::print(
      "{} on {}, reference perplexity {:.4f}, {} seeds a point\n  "
      "{:<16}{:>12}{:>22}{:>10}{:>14}{:>14}{:>14}{:>14}{:>8}\n",
      out["model"].get<std::string>(), a.platform, out["reference_perplexity"].get<double>(), a.seeds, "varied",
      "value", "perplexity (95 %)", "top 1", "time a token", "energy", "but leakage", "converters", "front");
  for (const auto& p : out["points"])
    fmt::print(
        "  {:<16}{:>12}{:>22}{:>8.2f} %{:>14}{:>14}{:>14}{:>14}{:>8}\n", p["varied"].get<std::string>(),
        p["value"].get<std::string>(),
        fmt::format("{:.4f} +- {:.4f}", p["perplexity"].get<double>(), p["perplexity_interval_95"].get<double>()),
        100 * p["top1_agreement"].get<double>(), human_time(p["time_per_token_ns"].get<double>()),
        human_energy(p["energy_per_token_pj"].get<double>()),
        human_energy(p["working_energy_per_token_pj"].get<double>()),
        human_energy(p["converter_energy_per_token_pj"].get<double>()), p["pareto"].get<bool>() ? "*" : "");
  if (out.contains("sensitivity")) {
    fmt::print("\n  {:<16}{:>22}{:>16}\n", "layer alone", "perplexity (95 %)", "nats added");
    for (const auto& p : out["sensitivity"])
      fmt::print(
          "  {:<16}{:>22}{:>16.5f}\n", p["layer"].is_string() ? p["layer"].get<std::string>() : p["layer"].dump(),
          fmt::format("{:.4f} +- {:.4f}", p["perplexity"].get<double>(), p["perplexity_interval_95"].get<double>()),
          p["nll_added"].get<double>());
  }
  fmt::print("\n  Other models on analog arrays, as published (not comparable with the above):\n");
  for (const auto& p : out["published"])
    fmt::print("  {}: {}, {}: {}\n", p["model"].get<std::string>(), p["what"].get<std::string>(),
               p["condition"].get<std::string>(), p["figure"].get<std::string>());
}

}  // namespace memwall::tools
