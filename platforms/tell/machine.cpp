// SPDX-License-Identifier: Apache-2.0
#include "platforms/tell/machine.h"

#include <string>

namespace memwall::platforms {
namespace {

using json = nlohmann::ordered_json;

/// Chips of one core: those of its hierarchy, where it is a rack of them.
double chips_of(const json& modules, const std::string& core) {
  for (const auto& [group, module] : modules.items())
    if (core.rfind(group, 0) == 0 && module.contains("hierarchy")) return module["hierarchy"].value("chips", 1.0);
  return 1;
}

}  // namespace

json machine_of(const json& result) {
  json devices = json::object();
  double capacity = 0, bandwidth = 0, chips = 0, area = 0;
  for (const auto& m : result["memories"]) {
    if (m["read_bytes"].get<double>() + m["write_bytes"].get<double>() == 0) continue;
    capacity += m.value("capacity_bytes", 0.0);
    bandwidth += m.value("peak_gbps", 0.0);
    if (!m.contains("devices")) continue;
    const std::string standard = m["standard"];
    devices[standard] = devices.value(standard, 0.0) + m["devices"].get<double>();
  }
  for (const auto& e : result["executors"]) {
    if (e["operations"].get<double>() == 0) continue;
    chips += chips_of(result["config"]["platform"]["modules"], e["name"]);
    if (e.contains("figures")) area += e["figures"].value("area_mm2", 0.0);
  }
  const json& s = result["summary"];
  const double ns = s["time_ns"];
  return {{"chips", chips},
          {"memory_devices", devices},
          {"memory_capacity_bytes", capacity},
          {"memory_bandwidth_gbps", bandwidth},
          {"area_mm2", area > 0 ? json(area) : json(nullptr)},
          {"power_w", ns > 0 ? json(s["energy_pj"].get<double>() / ns * 1e-3) : json(nullptr)}};
}

}  // namespace memwall::platforms
