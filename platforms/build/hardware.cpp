// SPDX-License-Identifier: Apache-2.0
#include "platforms/build/hardware.h"

#include "hw/common/problem_place.h"
#include "hw/core/core_model.h"

namespace memwall::platforms {

std::unique_ptr<hardware> make_core(const module_description& d, build_context& context, problem_list& problems);

registry<hardware_kind>& hardware_kinds() {
  static registry<hardware_kind> kinds("module type");
  return kinds;
}

std::vector<std::string> hardware_types() {
  std::vector<std::string> out = hardware_kinds().names();
  for (const auto& n : core_kinds().names()) out.push_back(n);
  return out;
}

std::unique_ptr<hardware> make_hardware(const module_description& d, build_context& context, problem_list& problems) {
  const bool is_core = core_kinds().contains(d.type);
  if (is_core || hardware_kinds().contains(d.type)) try {
      return locating(d.tree, "modules." + d.group, [&] {
        return is_core ? make_core(d, context, problems) : hardware_kinds().get(d.type).make(d, context, problems);
      });
    } catch (const input_error& e) {
      for (const auto& p : e.problems()) problems.add(p);
      return nullptr;
    }
  problems.add({d.tree.where(), "modules." + d.group + ".type", "unknown module type '" + d.type + "'",
                "one of: " + joined(hardware_types()), nearest_name(d.type, hardware_types())});
  return nullptr;
}

std::vector<param_info> describe_hardware(const std::string& type) {
  if (hardware_kinds().contains(type)) return hardware_kinds().get(type).describe();
  return core_kinds().get(type).describe();
}

json latency_json(const latency_summary& s, const std::vector<histogram_bin>& bins) {
  json out{{"count", s.count},    {"mean", s.mean_ps / 1000}, {"p50", ns(s.p50_ps)},
           {"p90", ns(s.p90_ps)}, {"p99", ns(s.p99_ps)},      {"max", ns(s.max_ps)}};
  if (!bins.empty()) {
    out["histogram"] = json::array();
    for (const auto& b : bins) out["histogram"].push_back({ns(b.high), b.count});
  }
  return out;
}

std::optional<json> cause_json(const stall_stack& parts) {
  json out = json::object();
  for (std::size_t c = 0; c < stall_count; ++c)
    if (parts.part[c] != 0) out[stall_name(static_cast<stall>(c))] = ns(parts.part[c]);
  return out.empty() ? std::nullopt : std::optional(std::move(out));
}

json bytes_json(const traffic_bytes& b) {
  json out = json::object();
  for (std::size_t i = 0; i < traffic_count; ++i) out[traffic_name(static_cast<traffic>(i))] = b.part[i];
  return out;
}

}  // namespace memwall::platforms
