// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/bus.h"
#include "platforms/hardware.h"

namespace memwall::platforms {
namespace {

class bus_hardware final : public hardware {
 public:
  bus_hardware(const module_description& d, const bus_params& p) : hardware(d), m_params(p), m_bus(d.name.c_str(), p) {}
  bus* as_bus() override { return &m_bus; }
  ps_t hop_latency() const override { return memwall::to_ps(m_params.arbitration_latency) + 2 * memwall::to_ps(m_params.pipeline_latency); }
  json config() const override { return bus_param_table().write(m_params); }
  const char* section() const override { return "buses"; }
  json report(ps_t) const override {
    const bus_report r = m_bus.report();
    json out{{"name", name()}, {"topology", r.topology}, {"arbiter", r.arbiter}, {"utilization", r.utilization},
             {"peak_gbps", r.peak_bytes_per_s / 1e9}, {"bytes", r.bytes}, {"bytes_by_class", bytes_json(r.bytes_by_class)}, {"energy_pj", r.energy_pj}};
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
    out["channels"] = json::array();
    for (const auto& c : r.channels)
      out["channels"].push_back({{"name", c.name}, {"bytes", c.bytes}, {"busy_ns", ns(c.busy_ps)}, {"peak_gbps", c.peak_bytes_per_s / 1e9}});
    out["occupancy"] = {{"bucket_ns", ns(r.occupancy_bucket_ps)}, {"values", r.occupancy}};
    return out;
  }
  double energy_pj(ps_t) const override { return m_bus.report().energy_pj; }
  traffic_bytes bytes() const override { return m_bus.report().bytes_by_class; }
  probe_list probes() override { return m_bus.probes(); }
  void observe(transfer_observer* o) override { m_bus.observe(o); }

 private:
  bus_params m_params;
  bus m_bus;
};

const bool registered = [] {
  hardware_kinds().add("bus", "shared bus or crossbar with arbitration",
                       {[](const module_description& d, build_context&, problem_list& problems) -> std::unique_ptr<hardware> {
                          bus_params p;
                          problem_list mine;
                          bus_param_table().read(d.tree, p, mine, "modules." + d.group, {"type", "count"});
                          if (mine.empty()) check_bus_params(p, mine, d.tree.where(), "modules." + d.group);
                          if (!mine.empty()) return problems.add(mine), nullptr;
                          return std::make_unique<bus_hardware>(d, p);
                        },
                        [] { return bus_param_table().describe(); }});
  return true;
}();

}  // namespace
}  // namespace memwall::platforms
