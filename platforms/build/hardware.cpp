// SPDX-License-Identifier: Apache-2.0
#include "platforms/build/hardware.h"

#include "hw/bus/bus_report.h"
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
  std::string known;
  for (const auto& n : hardware_types()) known += (known.empty() ? "" : ", ") + n;
  problems.add({d.tree.where(), "modules." + d.group + ".type", "unknown module type '" + d.type + "'",
                "one of: " + known, nearest_name(d.type, hardware_types())});
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

json fabric_json(const std::string& name, const bus_report& r, const char* channels) {
  json out{{"name", name},
           {"topology", r.topology},
           {"arbiter", r.arbiter},
           {"utilization", r.utilization},
           {"peak_gbps", r.peak_bytes_per_s / 1e9},
           {"bytes", r.bytes},
           {"bytes_by_class", bytes_json(r.bytes_by_class)},
           {"energy_pj", r.energy_pj}};
  out["wait_ns"] = json::object();
  out["wait_matrix_ns"] = json::object();
  for (std::size_t i = 0; i < r.initiators.size(); ++i) {
    const auto& from = r.initiators[i];
    json wait = latency_json(from.wait, from.wait_histogram);
    wait["total"] = from.wait.mean_ps * static_cast<double>(from.wait.count) / 1000;
    wait["transfers"] = from.transfers;
    wait["bytes"] = from.read_bytes.sum() + from.write_bytes.sum();
    out["wait_ns"][from.name] = wait;
    for (std::size_t j = 0; j < r.initiators.size() && i < r.waited_for.size(); ++j)
      out["wait_matrix_ns"][from.name][r.initiators[j].name] = ns(r.waited_for[i][j]);
  }
  out[channels] = json::array();
  for (const auto& c : r.channels)
    out[channels].push_back(
        {{"name", c.name}, {"bytes", c.bytes}, {"busy_ns", ns(c.busy_ps)}, {"peak_gbps", c.peak_bytes_per_s / 1e9}});
  out["occupancy"] = {{"bucket_ns", ns(r.occupancy_bucket_ps)}, {"values", r.occupancy}};
  return out;
}

json bytes_json(const traffic_bytes& b) {
  json out = json::object();
  for (std::size_t i = 0; i < traffic_count; ++i) out[traffic_name(static_cast<traffic>(i))] = b.part[i];
  return out;
}

}  // namespace memwall::platforms
