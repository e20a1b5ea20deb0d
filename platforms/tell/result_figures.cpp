// SPDX-License-Identifier: Apache-2.0
// The figures that no struct of their own holds, and what is made of all of them: a JSON Schema, a check of names.
#include <algorithm>
#include <map>
#include <memory>

#include "platforms/build/section_figures.h"
#include "platforms/tell/serving_result.h"
#include "platforms/tell/summary.h"

namespace memwall::platforms {
namespace {

using json = nlohmann::ordered_json;

figure_info row(const char* path, const char* type, const char* unit, const char* doc, sums how = sums::no) {
  return {path, type, unit, doc, how, true, false};
}
figure_info maybe(const char* path, const char* type, const char* unit, const char* doc, sums how = sums::no) {
  return {path, type, unit, doc, how, false, false};
}
figure_info or_nothing(const char* path, const char* type, const char* unit, const char* doc, sums how = sums::no) {
  return {path, type, unit, doc, how, true, true};
}

std::vector<figure_info> heading() {
  return {row("schema", "string", "", "version of this form"),
          row("memwall_version", "string", "", "program that wrote it"),
          maybe("partial", "boolean", "", "interrupted: figures are of what was done"),
          row("platform", "string", "", "its name"),
          row("model", "string", "", "its name"),
          maybe("notes", "array", "", "what was settled in another way than asked, in words"),
          row("workload", "object", "", "what was run"),
          row("workload.*", "any", "", "options of the workload, as in --help"),
          maybe("badge", "object", "", "how well the platform's figures were measured against hardware"),
          maybe("badge.figure", "string", "", "decode, prefill or energy"),
          maybe("badge.text", "string", "", "in words"),
          maybe("badge.rows", "integer", "", "measured rows of this platform"),
          maybe("badge.median_error", "number", "1", "of them"),
          maybe("badge.p90_error", "number", "1", "of them"),
          maybe("badge.neighbours", "array", "1", "errors of the nearest platforms with rows"),
          row("seed", "integer", "", "of everything random"),
          row("fidelity", "object", "", "what was simulated"),
          row("fidelity.transfer_bytes", "any", "B", "auto, burst or a size"),
          row("fidelity.replay", "boolean", "", "exact replay of DRAM blocks"),
          maybe("fidelity.reuse", "object", "", "outcomes that were reused instead of simulated"),
          maybe("fidelity.reuse.mode", "string", "", "on or off"),
          maybe("fidelity.reuse.bound_pct", "number", "%", "error that was allowed"),
          maybe("fidelity.reuse.operators", "integer", "", "operators of the run", sums::adds),
          maybe("fidelity.reuse.simulated", "integer", "", "simulated ones", sums::adds),
          maybe("fidelity.reuse.audited", "integer", "", "simulated though known, to measure the error", sums::adds),
          maybe("fidelity.reuse.error_mean_pct", "number", "%", "of audited ones", sums::mean),
          maybe("fidelity.reuse.error_max_pct", "number", "%", "of audited ones", sums::largest),
          maybe("fidelity.reuse.bias_pct", "number", "%", "of audited ones, with its sign", sums::mean),
          maybe("fidelity.reuse.confidence_pct", "number", "%", "half width of its 95 % interval"),
          row("config", "object", "", "resolved description: a platform file that gives the same run"),
          row("config.*", "any", "", "platform and workload"),
          row("provenance", "object", "", "where it comes from"),
          row("provenance.command", "string", "", "the command, quoted for a shell"),
          row("summary", "object", "", "the whole run"),
          row("stall_stack_ns", "object", "ns", "the time by cause along the critical chain: sums to summary.time_ns")};
}

std::vector<figure_info> groups(const std::string& list, const char* key, const char* type, const char* doc) {
  std::vector<figure_info> out = {{list, "array", "", doc, sums::no, true, false},
                                  {list + "[]", "object", "", "one of them", sums::no, true, false},
                                  {list + "[]." + key, type, "", "which", sums::no, true, false}};
  for (auto f : group_table().describe()) {
    f.path = list + "[]." + f.path;
    out.push_back(std::move(f));
  }
  return out;
}

std::vector<figure_info> derived() {
  return {row("roofline", "object", "", "peaks for a roofline"),
          row("roofline.executors", "array", "", "of cores that ran something"),
          row("roofline.executors[].name", "string", "", "the core"),
          row("roofline.executors[].peak_flops", "object", "FLOP/s", "by arithmetic type"),
          row("roofline.executors[].peak_flops.*", "number", "FLOP/s", "of that type"),
          row("roofline.executors[].dtype_used", "string", "", "the type of activations"),
          row("roofline.executors[].bandwidths", "array", "", "of memories"),
          row("roofline.executors[].bandwidths[].name", "string", "", "the memory"),
          row("roofline.executors[].bandwidths[].bytes_per_s", "number", "B/s", "its peak"),
          row("bounds", "array", "", "what each resource alone needs at its peak"),
          row("bounds[].resource", "string", "", "memory, bus, link, arithmetic"),
          row("bounds[].at_least_ns", "number", "ns", "time at its peak: no run is faster"),
          row("bounds[].exposed_ns", "number", "ns", "booked to it on the critical chain"),
          row("bounds[].overlapped_ns", "number", "ns", "hidden behind others"),
          maybe("bounds[].upper_bound", "number", "x", "speedup at most, were it free: others' bounds stay"),
          row("machine", "object", "", "what is being compared"),
          row("machine.chips", "number", "", "chips of the cores that worked", sums::adds),
          row("machine.memory_devices", "object", "", "stacks, chips or DIMMs by standard"),
          row("machine.memory_devices.*", "number", "", "of that standard", sums::adds),
          row("machine.memory_capacity_bytes", "number", "B", "of memories that were used", sums::adds),
          row("machine.memory_bandwidth_gbps", "number", "GB/s", "of their pins", sums::adds),
          or_nothing("machine.area_mm2", "number", "mm2", "of macros, and of NPUs whose area is given; null: not known",
                     sums::adds),
          or_nothing("machine.power_w", "number", "W", "energy over the time"),
          row("placement", "object", "", "which tensor lies where and why"),
          row("placement.*", "any", "", "memories, decisions, notes, programming"),
          row("energy", "object", "", "energy by component"),
          row("energy.by_component_pj", "object", "pJ", "by module and part"),
          row("energy.by_component_pj.*", "number", "pJ", "of that part", sums::adds),
          row("energy.idle_pj", "number", "pJ", "what the time alone costs", sums::adds),
          row("energy.total_pj", "number", "pJ", "all of it", sums::adds),
          row("conservation", "object", "B", "law 2: bytes asked, moved and served are the same"),
          row("conservation.*", "object", "B", "operators, executors, memories"),
          row("conservation.*.*", "integer", "B", "by class", sums::adds),
          row("layers_total", "integer", "", "operators that ended", sums::adds),
          row("layers", "array", "", "the first of them (--layers)"),
          row("layers[]", "object", "", "one operator")};
}

std::vector<figure_info> trailing() {
  return {maybe("series", "object", "", "traffic over time"),
          maybe("series.*", "any", "", "bucket_ns, start_ns, tracks"),
          maybe("outputs", "object", "", "files beside this one"),
          maybe("outputs.*", "any", "", "vcd, timeline: sizes, where they were cut"),
          maybe("whatif", "array", "", "the run again with each resource better, sorted by speedup"),
          maybe("whatif[].resource", "string", "", "what was made better"),
          maybe("whatif[].factor", "any", "x", "by how much: a number or inf"),
          maybe("whatif[].time_ns", "number", "ns", "simulated time with it"),
          maybe("whatif[].speedup", "number", "x", "of the run"),
          maybe("whatif[].*", "any", "", "set: the --set options that give that run; elasticity; layers"),
          maybe("whatif_pairs", "array", "", "resources that only help together"),
          maybe("whatif_refused", "array", "", "changes that no platform can have, and why"),
          maybe("host", "object", "", "of the simulation itself: the only part that differs between identical runs"),
          maybe("host.*", "number", "", "wall_s, peak_rss_mb, events, dram_bursts, dram_bursts_per_s, alike_devices")};
}

/// Declared names as a tree: children by name, "*" for any, "[]" for elements.
struct node {
  const figure_info* figure = nullptr;
  std::map<std::string, std::unique_ptr<node>> children;

  node* child(const std::string& name) {
    auto& c = children[name];
    if (!c) c = std::make_unique<node>();
    return c.get();
  }
  const node* find(const std::string& name) const {
    static const std::string any = "*";
    auto at = children.find(name);
    if (at == children.end()) at = children.find(any);
    return at != children.end() ? at->second.get() : nullptr;
  }
  /// Whatever is inside is not described further.
  bool open() const { return children.empty(); }
};

class declared {
 public:
  declared() : m_figures(result_figures()) {
    for (const auto& f : m_figures) at(f.path)->figure = &f;
  }
  const node& root() const { return m_root; }

 private:
  node* at(const std::string& path) {
    node* n = &m_root;
    for (std::size_t from = 0; from < path.size();) {
      const std::size_t dot = std::min(path.find('.', from), path.size());
      std::string name = path.substr(from, dot - from);
      from = dot + 1;
      const bool list = name.size() > 2 && name.compare(name.size() - 2, 2, "[]") == 0;
      if (list) name.resize(name.size() - 2);
      n = n->child(name);
      if (list) n = n->child("[]");
    }
    return n;
  }
  std::vector<figure_info> m_figures;
  node m_root;
};

json schema_of(const node& n) {
  json out = json::object();
  if (n.figure != nullptr) {
    if (n.figure->type != "any")
      out["type"] = n.figure->nullable ? json::array({n.figure->type, "null"}) : json(n.figure->type);
    if (!n.figure->doc.empty()) out["description"] = n.figure->doc;
    if (!n.figure->unit.empty()) out["unit"] = n.figure->unit;
  }
  if (n.open()) return out;
  if (const auto list = n.children.find("[]"); list != n.children.end()) {
    out["type"] = "array";
    out["items"] = schema_of(*list->second);
    return out;
  }
  out["type"] = "object";
  out["properties"] = json::object();
  out["additionalProperties"] = false;
  json required = json::array();
  for (const auto& [name, child] : n.children) {
    if (name == "*") {
      out["additionalProperties"] = schema_of(*child);
      continue;
    }
    out["properties"][name] = schema_of(*child);
    if (child->figure != nullptr && child->figure->always) required.push_back(name);
  }
  if (!required.empty()) out["required"] = required;
  return out;
}

/// Where compare() is; spelt only where something is wrong there.
struct trail {
  const trail* up;
  const std::string& name;
  std::string text() const {
    if (up == nullptr) return name;
    const std::string before = up->text();
    return before + (before.empty() || name == "[]" ? "" : ".") + name;
  }
};

void compare(const node& n, const json& found, const trail& at, std::vector<std::string>& out) {
  static const std::string elements = "[]";
  if (n.open() || out.size() >= 10) return;
  if (found.is_array()) {
    const node* each = n.find(elements);
    for (std::size_t i = 0; each != nullptr && i < found.size(); ++i) compare(*each, found[i], {&at, elements}, out);
  } else if (found.is_object()) {
    for (auto i = found.begin(); i != found.end(); ++i) {
      const node* child = n.find(i.key());
      const trail inside{&at, i.key()};
      if (child == nullptr)
        out.push_back(inside.text());
      else
        compare(*child, *i, inside, out);
    }
  }
}

}  // namespace

std::vector<figure_info> result_figures() {
  std::vector<figure_info> out;
  const auto put = [&](std::vector<figure_info> rows, const std::string& prefix = "") {
    for (auto& r : rows) {
      r.path = prefix + r.path;
      out.push_back(std::move(r));
    }
  };
  put(heading());
  put(cause_figures(), "stall_stack_ns.");
  put(summary_table().describe());
  put(groups("by_kind", "kind", "string", "operators by kind"));
  put(groups("by_layer", "layer", "integer", "operators by layer of the model; -1: outside of layers"));
  put(section_figures());
  put(derived());
  put(layer_table().describe());
  put(serving_figures());
  put(trailing());
  return out;
}

nlohmann::ordered_json result_schema_json() {
  const declared names;
  json out{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "memwall result.json"}};
  out.update(schema_of(names.root()));
  return out;
}

std::vector<std::string> undeclared(const nlohmann::ordered_json& result) {
  static const declared names;
  std::vector<std::string> out;
  const std::string top;
  compare(names.root(), result, {nullptr, top}, out);
  return out;
}

}  // namespace memwall::platforms
