// SPDX-License-Identifier: Apache-2.0
#include "tools/whatif/resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "hw/common/quantity.h"
#include "hw/dram/standard.h"
#include "platforms/build/hardware.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

/// A kind of resource: the parameters of a type of module, each with + (more is better) or - (less is).
struct resource_kind {
  const char* name;
  const char* type;
  std::vector<std::string> parameters;
};

const std::vector<resource_kind>& kinds() {
  static const std::vector<resource_kind> all = {
      {"dram bandwidth", "dram", {"+data_rate"}},
      {"dram latency", "dram", {"-timing_scale", "-controller.front_end", "-controller.back_end"}},
      {"bus", "bus", {"+clock", "-arbitration_latency", "-pipeline_latency", "-hop_latency"}},
      {"link", "link", {"+lane_rate", "-latency"}},
      {"requests in flight", "gpu", {"+in_flight_per_sm", "+kernel_in_flight"}},
      {"requests in flight", "cpu", {"+line_fill_buffers", "+cluster_bandwidth"}},
      {"requests in flight",
       "npu",
       {"+dma_descriptors", "+dma_bandwidth", "-descriptor_time", "+network_bandwidth", "-load_latency"}},
      {"port of the macros", "cim", {"+port_bandwidth"}},
      {"matrix arithmetic", "gpu", {"+tensor_rate"}},
      {"vector arithmetic", "gpu", {"+vector_rate"}},
      {"matrix arithmetic", "npu", {"+type_rate"}},
      {"vector arithmetic", "npu", {"+vector_rate"}},
      {"power limit", "gpu", {"+power_limit"}},
      {"arithmetic", "cpu", {"+flops_per_cycle", "+dot_per_cycle"}},
      {"vector arithmetic", "cim", {"+vector_rate"}},
      {"cache bandwidth", "gpu", {"+l2_bandwidth"}},
      {"cache bandwidth", "cpu", {"+cache_bandwidth"}},
      {"cache capacity", "gpu", {"+l2"}},
      {"cache capacity", "cpu", {"+cache"}},
      {"cache capacity", "cim", {"+buffer"}},
      {"scratchpad bandwidth", "npu", {"+bank_width"}},
      {"scratchpad capacity", "npu", {"+scratchpad", "+retained"}},
      {"launch", "gpu", {"-kernel_launch", "-kernel_ramp", "-gemm_overhead"}},
      {"launch", "npu", {"-launch", "-synchronisation"}},
      {"launch", "cpu", {"-operator_overhead", "-barrier_per_thread"}},
      {"host",
       "gpu",
       {"-layer_overhead", "-many_row_overhead", "-handoff", "+handoff_bandwidth", "-prompt_overhead", "-step_overhead",
        "-sequence_overhead"}},
      {"host",
       "npu",
       {"-layer_overhead", "-step_overhead", "-prompt_overhead", "-sequence_overhead", "-handoff",
        "+handoff_bandwidth"}},
      {"host", "cpu", {"-layer_overhead", "-handoff"}},
      {"launch", "cim", {"-operator_overhead"}},
      {"all-reduce",
       "gpu",
       {"-collective_launch", "-collective_step", "-bulk_collective_launch", "+collective_rate",
        "+bulk_collective_rate"}},
      {"all-reduce", "npu", {"-collective_launch", "-collective_step", "+collective_rate"}},
      {"macro array",
       "cim",
       {"+macro.clock", "-macro.step_time", "-macro.settle_time", "-macro.clock_period", "+macro.unit_clock",
        "+macro.unit_bandwidth"}},
      {"converter", "cim", {"-macro.adc_step", "-macro.digital_latency"}},
      {"programming", "cim", {"-macro.pulse_time", "-macro.verify_time", "+macro.write_port_bits"}},
      {"networks of the macros",
       "cim",
       {"+hierarchy.tile_network", "+hierarchy.chip_network", "+hierarchy.package_link", "-hierarchy.tile_latency",
        "-hierarchy.chip_latency", "-hierarchy.package_latency", "+hierarchy.accumulate_rate"}},
  };
  return all;
}

/// A value as it is printed, in the base unit of its dimension.
bool read_value(const json& v, const std::string& dimension, double& out) {
  if (v.is_number()) return out = v.get<double>(), true;
  std::string expected;
  return v.is_string() && parse_quantity(v.get<std::string>(), dimension, out, expected);
}

std::string print_value(double v, const std::string& dimension) {
  if (dimension == "integer") return std::to_string(std::llround(v));
  return dimension == "number" ? fmt::format("{}", v) : format_quantity(v, dimension);
}

/// "1 MHz to 1000 GHz", as `memwall describe` prints the range of a parameter; where there is none, any positive
/// number.
bool read_range(std::string text, const std::string& dimension, double& low, double& high) {
  if (text.empty()) return low = 0, high = 1e15, true;
  text = text.substr(0, text.find(';'));  // what follows are the words that may be keys
  const auto to = text.find(" to ");
  if (to == std::string::npos) return false;
  const auto end = [&](const std::string& part, double& out) {
    return read_value(dimension == "integer" || dimension == "number" ? json::parse(part, nullptr, false) : json(part),
                      dimension, out);
  };
  return end(text.substr(0, to), low) && end(text.substr(to + 4), high);
}

/// What the kinds of modules say of their parameters, by type and name.
const param_info* find_parameter(const std::string& type, const std::string& name) {
  static std::map<std::string, std::vector<param_info>> known;
  auto [at, fresh] = known.emplace(type, std::vector<param_info>());
  if (fresh) at->second = platforms::describe_hardware(type);
  for (const param_info& p : at->second)
    if (p.name == name) return &p;
  return nullptr;
}

/// The resolved configuration of one group of modules.
struct module_view {
  std::string group, type;
  const json& config;

  /// Its macro's parameters are described by the kind of macro.
  std::string described_name(const std::string& parameter) const {
    if (parameter.rfind("macro.", 0) != 0) return parameter;
    return "macro(" + config["macro"].value("type", "") + ")" + parameter.substr(5);
  }
  json value_of(const std::string& parameter) const {
    const json* at = &config;
    for (std::size_t begin = 0; begin <= parameter.size();) {
      const auto dot = std::min(parameter.find('.', begin), parameter.size());
      const auto found = at->is_object() ? at->find(parameter.substr(begin, dot - begin)) : at->end();
      if (!at->is_object() || found == at->end()) return inherited(parameter);
      at = &*found;
      begin = dot + 1;
    }
    return *at;
  }

 private:
  /// What is the standard's where the module does not say it.
  json inherited(const std::string& parameter) const {
    if (parameter != "macro.clock_period" || !config.contains("macro") || !config["macro"].contains("standard"))
      return {};
    const auto s = dram::load_standard(config["macro"]["standard"].get<std::string>());
    return format_quantity(static_cast<double>(s.t.tck_fs) * 1e-15, "time");
  }
};

double standard_data_rate(const json& config) {
  return dram::load_standard(config["standard"].get<std::string>()).data_rate_mbps * 1e6;
}

std::vector<resource::knob> knobs_of(const module_view& m, const resource_kind& k) {
  std::vector<resource::knob> out;
  for (const std::string& signed_name : k.parameters) {
    const std::string name = signed_name.substr(1);
    const param_info* info = find_parameter(m.type, m.described_name(name));
    const json value = m.value_of(name);
    if (info == nullptr || value.is_null()) continue;
    resource::knob knob;
    knob.more = signed_name[0] == '+';
    const bool map = info->type.rfind("map of ", 0) == 0;
    knob.dimension = map ? info->type.substr(7) : info->type;
    if (!read_range(info->range, knob.dimension, knob.low, knob.high)) continue;
    const auto add = [&](const std::string& path, const json& v) {
      knob.path = path;
      if (!read_value(v, knob.dimension, knob.value)) return;
      // A memory's own data rate is its standard's unless it says another.
      if (path == "data_rate" && knob.value == 0) knob.value = standard_data_rate(m.config);
      if (knob.value != 0) out.push_back(knob);  // 0: there is no such limit, or no such cost
    };
    if (map)
      for (const auto& [key, v] : value.items()) add(name + "." + key, v);
    else
      add(name, value);
  }
  return out;
}

/// Groups of modules that moved or computed something.
std::set<std::string> used_groups(const platforms::platform_description& d, const json& result) {
  std::set<std::string> out;
  const auto used = [&](const char* list, const std::vector<const char*>& figures) {
    if (!result.contains(list)) return;
    for (const auto& m : result[list]) {
      double sum = 0;
      for (const char* f : figures) sum += m.value(f, 0.0);
      const auto* module = d.find(m["name"].get<std::string>());
      if (sum > 0 && module != nullptr) out.insert(module->group);
    }
  };
  used("memories", {"read_bytes", "write_bytes"});
  used("buses", {"bytes"});
  used("links", {"bytes"});
  used("executors", {"operations"});
  return out;
}

}  // namespace

std::vector<std::string> resource::better(double factor) const {
  std::vector<std::string> out;
  json macro = m_macro;
  bool macro_changed = false;
  for (const knob& k : m_knobs) {
    double v = k.more ? std::min(k.value * factor, k.high) : std::max(k.value / factor, k.low);
    if (k.dimension == "integer") v = k.more ? std::ceil(v) : std::floor(v);
    if (v == k.value) continue;
    const std::string text = print_value(v, k.dimension);
    if (k.path.rfind("macro.", 0) == 0) {
      // A macro is a preset's name, or a map over one: the parameter goes into the map.
      if (macro.is_string()) macro = json{{"base", macro}};
      macro[k.path.substr(6)] = text;
      macro_changed = true;
    } else {
      out.push_back(m_module + "." + k.path + "=" + text);
    }
  }
  if (macro_changed) out.push_back(m_module + ".macro=" + macro.dump());
  return out;
}

std::vector<resource> resources_of(const platforms::platform_description& d, const json& result) {
  const auto used = used_groups(d, result);
  std::vector<resource> out;
  for (const resource_kind& k : kinds())
    for (const auto& [group, parameters] : result["config"]["platform"]["modules"].items()) {
      if (parameters.value("type", "") != k.type || used.count(group) == 0) continue;
      const auto members = d.group(group);
      if (std::string(k.name) == "all-reduce" && members.size() < 2) continue;
      const module_view view{group, k.type, parameters};
      auto knobs = knobs_of(view, k);
      if (knobs.empty()) continue;
      const config::node* macro = members.empty() ? nullptr : members[0]->tree.find("macro");
      out.emplace_back(k.name, group, std::move(knobs), macro != nullptr ? macro->to_json() : json());
    }
  std::map<std::string, int> count;
  for (const auto& r : out) ++count[r.name()];
  for (auto& r : out)
    if (count[r.name()] > 1) r.rename(r.name() + " of " + r.module());
  return out;
}

}  // namespace memwall::tools
