// SPDX-License-Identifier: Apache-2.0
#include "tools/iso.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hw/common/error.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

struct quantity_key {
  const char* name;
  const char* key;  ///< of machine{}
};
constexpr quantity_key quantities[] = {{"bandwidth", "memory_bandwidth_gbps"},
                                       {"capacity", "memory_capacity_bytes"},
                                       {"power", "power_w"},
                                       {"area", "area_mm2"}};

std::int64_t at_least_one(double n) {
  return std::max<std::int64_t>(1, std::llround(n));
}

/// Modules of a group in a list of the result: the group's own name, or it with a number behind.
const json* member_of(const json& list, const std::string& group) {
  for (const auto& m : list) {
    const std::string name = m["name"];
    if (name.rfind(group, 0) == 0 && name.find_first_not_of("0123456789", group.size()) == std::string::npos) return &m;
  }
  return nullptr;
}

bool moved(const json& memory) {
  return memory["read_bytes"].get<double>() + memory["write_bytes"].get<double>() > 0;
}

}  // namespace

const std::vector<std::string>& iso_quantities() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const auto& q : quantities) out.emplace_back(q.name);
    return out;
  }();
  return names;
}

double iso_value(const json& result, const std::string& quantity) {
  for (const auto& q : quantities)
    if (quantity == q.name) {
      const json& v = result["machine"][q.key];
      if (v.is_number() && v.get<double>() > 0) return v.get<double>();
    }
  throw input_error(problem{"--iso " + quantity, result["platform"].get<std::string>(), "has no known " + quantity,
                            "platforms that have some; areas are known of macros, and of NPUs with element_area", ""});
}

std::vector<std::string> scaled_counts(const json& result, double factor) {
  std::vector<std::string> out;
  const json& modules = result["config"]["platform"]["modules"];
  std::vector<std::pair<std::string, double>> grown;  // memories that grow with the units in their banks
  for (const auto& [group, m] : modules.items()) {
    if (!m.contains("hierarchy") || member_of(result["executors"], group) == nullptr) continue;
    const auto chips = m["hierarchy"]["chips"].get<std::int64_t>();
    const std::int64_t now = at_least_one(static_cast<double>(chips) * factor);
    if (now != chips) out.push_back(fmt::format("{}.hierarchy.chips={}", group, now));
    if (const std::string memory = m.value("memory", ""); !memory.empty())
      grown.emplace_back(memory, static_cast<double>(now) / static_cast<double>(chips));
  }
  for (const auto& [group, m] : modules.items()) {
    const json* memory = member_of(result["memories"], group);
    if (m.value("type", "") != "dram" || memory == nullptr || !moved(*memory)) continue;
    const auto channels = m["channels"].get<std::int64_t>();
    const double devices = memory->value("devices", static_cast<double>(channels));
    const auto with_units =
        std::find_if(grown.begin(), grown.end(), [&, &name = group](const auto& g) { return g.first == name; });
    const double times =
        with_units != grown.end() ? with_units->second : static_cast<double>(at_least_one(devices * factor)) / devices;
    const std::int64_t now = at_least_one(static_cast<double>(channels) * times);
    if (now == channels) continue;
    out.push_back(fmt::format("{}.channels={}", group, now));
    const double bytes = (*memory)["capacity_bytes"].get<double>();
    out.push_back(fmt::format("{}.size={:.0f} B", group,
                              std::floor(bytes * static_cast<double>(now) / static_cast<double>(channels))));
  }
  return out;
}

std::string iso_lines(const json& told) {
  std::string out = fmt::format("made equal in {} ({:.4g}, as the first platform):\n",
                                told["quantity"].get<std::string>(), told["value"].get<double>());
  for (const auto& s : told["scaled"]) {
    std::string sets;
    for (const auto& set : s["set"]) sets += " --set '" + set.get<std::string>() + "'";
    out += fmt::format("  {}: {:.4g} became {:.4g} with{}\n", s["platform"].get<std::string>(), s["had"].get<double>(),
                       s.value("has", 0.0), sets.empty() ? " nothing" : sets);
  }
  return out;
}

}  // namespace memwall::tools
