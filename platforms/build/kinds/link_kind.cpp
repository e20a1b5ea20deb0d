// SPDX-License-Identifier: Apache-2.0
#include "hw/bus/link.h"

#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"

namespace memwall::platforms {
namespace {

class link_hardware final : public hardware {
 public:
  link_hardware(const module_description& d, const link_params& p,
                std::shared_ptr<const std::vector<std::string>> sources)
      : hardware(d), m_params(p), m_link(d.name.c_str(), p) {
    m_link.name_sources([sources](int id) {
      return id >= 0 && id < static_cast<int>(sources->size()) ? (*sources)[static_cast<std::size_t>(id)]
                                                               : std::to_string(id);
    });
  }
  tlm::tlm_initiator_socket<>* initiator() override { return &m_link.downstream; }
  tlm::tlm_target_socket<>* target() override { return &m_link.upstream; }
  ps_t hop_latency() const override { return 2 * memwall::to_ps(m_params.latency); }
  json config() const override { return link_param_table().write(m_params); }
  result_section section() const override { return result_section::links; }
  json report(ps_t) const override { return link_table().write({name(), seen()}); }
  double energy_pj(ps_t) const override { return seen().energy_pj; }
  traffic_bytes bytes() const override { return seen().bytes_by_class; }
  double passes() const override { return m_params.peak_bytes_per_s(); }
  probe_list probes() override { return m_link.probes(); }
  void observe(transfer_observer* o) override { m_link.observe(o); }

 private:
  const std::string& told_as(const std::string&, const std::string& core) const override { return core; }
  bus_report seen() const { return with_unseen(m_link.report(), m_unseen); }

  link_params m_params;
  link m_link;
};

const hardware_entry entry{
    "link",
    "point-to-point link: PCIe, NVLink, die-to-die",
    {[](const module_description& d, build_context& context, problem_list& problems) -> std::unique_ptr<hardware> {
       problem_list mine;
       const link_params p = read_link_params(d.tree, mine, "modules." + d.group, {"type", "count"});
       if (!mine.empty()) return problems.add(mine), nullptr;
       return std::make_unique<link_hardware>(d, p, context.sources);
     },
     [] { return link_param_table().describe(); }}};

}  // namespace
}  // namespace memwall::platforms
