// SPDX-License-Identifier: Apache-2.0
#include "hw/paging/pager.h"

#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"

namespace memwall::platforms {
namespace {

class pager_hardware final : public hardware {
 public:
  pager_hardware(const module_description& d, const pager_params& p, int source)
      : hardware(d), m_params(p), m_where(d.tree.where()), m_pager(d.name.c_str(), p, source) {
    m_facts.may_fault = true;
    m_facts.capacity = to_bytes(p.size) / to_bytes(p.block) * to_bytes(p.block);
  }
  tlm::tlm_initiator_socket<>* initiator() override { return &m_pager.downstream; }
  tlm::tlm_target_socket<>* target() override { return &m_pager.upstream; }
  std::optional<memory_facts> memory() const override { return m_facts; }
  std::vector<std::pair<std::string, std::string>> wants_memories() const override {
    return {{"device", m_params.device}, {"host", m_params.host}};
  }
  void attach(const std::string& param, std::uint64_t base, const memory_facts& facts,
              problem_list& problems) override {
    const std::string path = "modules." + name() + ".";
    if (param == "device") {
      // A page that is there costs what the device's memory costs.
      m_facts.stripe = facts.stripe;
      m_facts.burst = facts.burst;
      m_facts.unloaded_latency = facts.unloaded_latency;
      const std::int64_t usable =
          m_params.device_size.value > 0 ? std::min(facts.capacity, to_bytes(m_params.device_size)) : facts.capacity;
      if (usable < to_bytes(m_params.block))
        problems.add({m_where, path + "device_size", "the device has room for " + std::to_string(usable) + " B",
                      "one block or more, " + std::to_string(to_bytes(m_params.block)) + " B", ""});
      m_pager.attach_device(base, static_cast<std::uint64_t>(facts.capacity));
    } else {
      if (m_facts.capacity > facts.capacity)
        problems.add({m_where, path + "size", "got " + std::to_string(m_facts.capacity) + " B",
                      "at most what '" + m_params.host + "' holds, " + std::to_string(facts.capacity) + " B", ""});
      else
        m_pager.attach_host(base, static_cast<std::uint64_t>(facts.capacity));
    }
  }
  json config() const override { return pager_param_table().write(m_params); }
  result_section section() const override { return result_section::pagers; }
  json report(ps_t elapsed) const override { return pager_table().write({name(), m_pager.report(), elapsed}); }
  double energy_pj(ps_t) const override { return 0; }  // what it moves is counted where it moves
  probe_list probes() override { return m_pager.probes(); }

 private:
  pager_params m_params;
  std::string m_where;
  memory_facts m_facts;
  pager m_pager;
};

const hardware_entry entry{
    "pager",
    "unified memory: pages migrate between a device's and the host's memory on faults",
    {[](const module_description& d, build_context& context, problem_list& problems) -> std::unique_ptr<hardware> {
       problem_list mine;
       pager_params p;
       pager_param_table().read(d.tree, p, mine, "modules." + d.group, {"type", "count", "address"});
       if (mine.empty()) check_pager_params(p, mine, d.tree.where(), "modules." + d.group);
       if (!mine.empty()) return problems.add(mine), nullptr;
       return std::make_unique<pager_hardware>(d, p, context.new_source(d.name));
     },
     [] { return pager_param_table().describe(); }}};

}  // namespace
}  // namespace memwall::platforms
