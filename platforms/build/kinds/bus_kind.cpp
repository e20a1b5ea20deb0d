// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/bus.h"
#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"

namespace memwall::platforms {
namespace {

class bus_hardware final : public hardware {
 public:
  bus_hardware(const module_description& d, const bus_params& p) : hardware(d), m_params(p), m_bus(d.name.c_str(), p) {}
  bus* as_bus() override { return &m_bus; }
  ps_t hop_latency() const override {
    return memwall::to_ps(m_params.arbitration_latency) +
           2 * (memwall::to_ps(m_params.pipeline_latency) + m_bus.mean_hop_latency());
  }
  json config() const override { return bus_param_table().write(m_params); }
  result_section section() const override { return result_section::buses; }
  json report(ps_t) const override { return bus_table().write({name(), seen()}); }
  double energy_pj(ps_t) const override { return seen().energy_pj; }
  traffic_bytes bytes() const override { return seen().bytes_by_class; }
  double passes() const override {
    return m_params.width.value * m_params.clock.value * static_cast<double>(m_params.slices);
  }
  probe_list probes() override { return m_bus.probes(); }
  void observe(transfer_observer* o) override { m_bus.observe(o); }

 private:
  bus_report seen() const { return with_unseen(m_bus.report(), m_unseen); }

  bus_params m_params;
  bus m_bus;
};

const hardware_entry entry{
    "bus",
    "shared bus or crossbar with arbitration",
    {[](const module_description& d, build_context&, problem_list& problems) -> std::unique_ptr<hardware> {
       bus_params p;
       problem_list mine;
       bus_param_table().read(d.tree, p, mine, "modules." + d.group, {"type", "count"});
       if (mine.empty()) check_bus_params(p, mine, d.tree.where(), "modules." + d.group);
       if (!mine.empty()) return problems.add(mine), nullptr;
       return std::make_unique<bus_hardware>(d, p);
     },
     [] { return bus_param_table().describe(); }}};

}  // namespace
}  // namespace memwall::platforms
