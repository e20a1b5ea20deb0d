// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/link.h"

#include "platforms/hardware.h"

namespace memwall::platforms {
namespace {

class link_hardware final : public hardware {
 public:
  link_hardware(const module_description& d, const link_params& p) : hardware(d), m_params(p), m_link(d.name.c_str(), p) {}
  tlm::tlm_initiator_socket<>* initiator() override { return &m_link.downstream; }
  tlm::tlm_target_socket<>* target() override { return &m_link.upstream; }
  ps_t hop_latency() const override { return 2 * memwall::to_ps(m_params.latency); }
  json config() const override { return link_param_table().write(m_params); }
  const char* section() const override { return "links"; }
  json report(ps_t) const override {
    const bus_report r = m_link.report();
    json out{{"name", name()}, {"utilization", r.utilization}, {"peak_gbps", r.peak_bytes_per_s / 1e9}, {"bytes", r.bytes},
             {"bytes_by_class", bytes_json(r.bytes_by_class)}, {"energy_pj", r.energy_pj}};
    out["directions"] = json::array();
    for (const auto& c : r.channels)
      out["directions"].push_back({{"name", c.name}, {"bytes", c.bytes}, {"busy_ns", ns(c.busy_ps)}, {"peak_gbps", c.peak_bytes_per_s / 1e9}});
    out["occupancy"] = {{"bucket_ns", ns(r.occupancy_bucket_ps)}, {"values", r.occupancy}};
    return out;
  }
  double energy_pj(ps_t) const override { return m_link.report().energy_pj; }
  traffic_bytes bytes() const override { return m_link.report().bytes_by_class; }
  probe_list probes() override { return m_link.probes(); }
  void observe(transfer_observer* o) override { m_link.observe(o); }

 private:
  link_params m_params;
  link m_link;
};

const bool registered = [] {
  hardware_kinds().add("link", "point-to-point link: PCIe, NVLink, die-to-die",
                       {[](const module_description& d, build_context&, problem_list& problems) -> std::unique_ptr<hardware> {
                          problem_list mine;
                          const link_params p = read_link_params(d.tree, mine, "modules." + d.group, {"type", "count"});
                          if (!mine.empty()) return problems.add(mine), nullptr;
                          return std::make_unique<link_hardware>(d, p);
                        },
                        [] { return link_param_table().describe(); }});
  return true;
}();

}  // namespace
}  // namespace memwall::platforms
