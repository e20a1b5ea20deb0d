// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "hw/cim/figures.h"
#include "hw/common/error.h"
#include "models/training.h"
#include "platforms/build/hardware.h"
#include "platforms/describe/badge.h"
#include "platforms/describe/description.h"
#include "platforms/tell/summary.h"
#include "tools/commands.h"
#include "traces/serving/server_params.h"

namespace memwall::tools {
namespace {

/// Everything with parameters: kinds of modules, the training step, the server of requests.
std::vector<std::string> described_types() {
  auto out = platforms::hardware_types();
  out.emplace_back("train");
  out.push_back(serving::server_param_table().module());
  return out;
}

std::vector<param_info> parameters_of(const std::string& type) {
  if (type == "train") return training_table().describe();
  if (type == serving::server_param_table().module()) return serving::server_param_table().describe();
  return platforms::describe_hardware(type);
}

void print_parameters(const std::string& type) {
  std::cout << type << "\n";
  for (const auto& p : parameters_of(type)) {
    std::cout << fmt::format("  {:<28} {:<16} default {}", p.name, p.type,
                             p.default_text.empty() ? "-" : p.default_text);
    if (!p.range.empty()) std::cout << "   range " << p.range;
    std::cout << "\n      " << p.doc << "\n";
    if (!p.source.empty()) std::cout << "      source: " << p.source << "\n";
  }
}

void print_platform(const std::string& name) {
  const auto d = platforms::load_platform(name);
  std::cout << d.name << ": " << d.text << "\n";
  for (const char* figure : {"decode", "prefill", "energy"})
    std::cout << "  " << platforms::badge_of(name, figure).text() << "\n";
  if (const auto* s = d.tree.find("sources")) std::cout << "  sources: " << s->text() << "\n";
  for (const auto& m : d.modules) {
    std::cout << fmt::format("  {:<14} {}", m.name, m.type);
    for (const auto& [key, value] : m.tree.entries())
      if (key != "type" && key != "count")
        std::cout << "  " << key << "=" << (value.is_scalar() ? value.text() : value.to_json().dump());
    std::cout << "\n";
  }
  for (const auto& c : d.connections) std::cout << fmt::format("  {} -> {}\n", c.from, c.to);
  for (const auto& r : d.mapping)
    std::cout << fmt::format(
        "  operators{}{} run on {}: weights in {}, KV cache in {}, activations in {}\n",
        r.name_pattern.empty() ? "" : " " + r.name_pattern,
        r.first_layer == INT64_MIN ? "" : fmt::format(" of layers {}-{}", r.first_layer, r.last_layer), r.executor,
        r.weights, r.kv_cache, r.activations);
}

// Peak figures at the widest of 8 bits that a macro takes: one macro, full, nothing in its way.
void print_macros(const std::string& name) {
  const auto heading = [] {
    std::cout << fmt::format("{:<18} {:<16} {:>14} {:>10} {:>10} {:>10} {:>11}\n", "macro", "kind", "weights", "MVM ns",
                             "TOPS", "TOPS/W", "TOPS/mm2");
  };
  const auto line = [](const std::string& n, const cim::macro& m) {
    const int w = std::min(8, m.max_w_bits());
    const auto f = cim::figures(m, std::min(8, m.max_in_bits()), w);
    std::cout << fmt::format("{:<18} {:<16} {:>14} {:>10.4g} {:>10.3g} {:>10.3g} {:>11}\n", n, m.kind(),
                             m.shape(w).weights, f.mvm_ns, f.tops, f.tops_per_w,
                             f.tops_per_mm2 > 0 ? fmt::format("{:.3g}", f.tops_per_mm2) : "-");
  };
  heading();
  if (name.empty()) {
    for (const auto& n : cim::macro_preset_names()) line(n, *cim::load_macro(n));
    return;
  }
  const auto tree = cim::load_macro_tree(name);
  const auto m = cim::make_macro(tree);
  line(name, *m);
  if (const auto* text = tree.find("description")) std::cout << "  " << text->text() << "\n";
  const auto parameters = m->parameters();  // items() does not keep what it goes through alive
  for (const auto& [key, value] : parameters.items()) std::cout << fmt::format("  {:<22} {}\n", key, value.dump());
  if (const auto* sources = tree.find("sources"))
    for (const auto& [keys, text] : sources->entries())
      std::cout << "  source of " << keys << ": " << text.text() << "\n";
}

/// Every figure of result.json whose path has `name` in it.
void print_figures(const std::string& name) {
  const auto all = platforms::result_figures();
  std::vector<std::string> paths;
  bool found = false;
  for (const auto& f : all) {
    paths.push_back(f.path);
    if (f.path.find(name) == std::string::npos) continue;
    found = true;
    std::string facts = f.type + (f.nullable ? " or null" : "");
    if (!f.unit.empty()) facts += ", " + f.unit;
    if (f.how != sums::no) facts += std::string(", ") + sums_name(f.how);
    if (!f.always) facts += ", left out where it means nothing";
    std::cout << fmt::format("{} ({})\n    {}\n", f.path, facts, f.doc);
  }
  if (!found)
    throw input_error(problem{"describe result", "", "no figure has '" + name + "' in its name",
                              "memwall describe result", nearest_name(name, paths)});
}

void describe(const std::string& what, const std::string& name) {
  if (what == "result") return print_figures(name);
  if (what == "schema") {
    std::cout << platforms::result_schema_json().dump(2) << "\n";
    return;
  }
  if (what == "macro") return print_macros(name);
  if (what == "platform") {
    if (!name.empty()) return print_platform(name);
    for (const auto& n : platforms::platform_names())
      std::cout << fmt::format("{:<22} {}\n", n, platforms::load_platform(n).text);
    std::cout << "software presets (--set software=NAME):";
    for (const auto& n : platforms::software_names()) std::cout << " " << n;
    std::cout << "\n";
  } else if (what == "module") {
    if (!name.empty()) {
      const auto types = described_types();
      if (std::find(types.begin(), types.end(), name) == types.end())
        throw input_error(problem{"describe module", "", "unknown module type '" + name + "'",
                                  "one of: " + joined(types), nearest_name(name, types)});
      return print_parameters(name);
    }
    for (const auto& t : described_types()) print_parameters(t);
  } else {
    // A parameter by name or part of its name, wherever it occurs.
    bool found = false;
    for (const auto& t : described_types())
      for (const auto& p : parameters_of(t))
        if (name.empty() || (t + "." + p.name).find(name) != std::string::npos) {
          found = true;
          std::cout << fmt::format("{}.{}: {} ({}), default {}{}\n", t, p.name, p.doc, p.type,
                                   p.default_text.empty() ? "-" : p.default_text,
                                   p.range.empty() ? "" : ", range " + p.range);
        }
    if (!found)
      throw input_error(
          problem{"describe param", "", "no parameter has '" + name + "' in its name", "memwall describe param", ""});
  }
}

}  // namespace

void add_describe(CLI::App& app) {
  auto* sub = app.add_subcommand("describe",
                                 "every parameter: meaning, unit, range, default, source; every figure of a result");
  auto what = std::make_shared<std::string>("platform");
  auto name = std::make_shared<std::string>();
  sub->add_option(
         "what", *what,
         "platform, module, macro, param, result (every figure of result.json) or schema (a JSON Schema of it)")
      ->check(CLI::IsMember({"platform", "module", "macro", "param", "result", "schema"}));
  sub->add_option("name", *name, "one of them");
  sub->callback([what, name] { describe(*what, *name); });
}

}  // namespace memwall::tools
