// SPDX-License-Identifier: Apache-2.0
#include "hw/sram/sram.h"

#include <algorithm>

#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"

namespace memwall::platforms {
namespace {

class sram_hardware final : public hardware {
 public:
  sram_hardware(const module_description& d, const sram_params& p)
      : hardware(d), m_params(p), m_sram(d.name.c_str(), p) {}
  tlm::tlm_target_socket<>* target() override { return &m_sram.port; }
  std::optional<memory_facts> memory() const override {
    memory_facts f;
    f.capacity = to_bytes(m_params.size);
    f.unloaded_latency = memwall::to_ps(m_params.latency);
    return f;
  }
  json config() const override { return sram_param_table().write(m_params); }
  result_section section() const override { return result_section::memories; }
  json report(ps_t elapsed) const override {
    const auto& s = m_sram.stats();
    const moved_bytes all = moved();
    const double seconds = static_cast<double>(elapsed) * 1e-12;
    const double bytes_moved = static_cast<double>(all.both().sum());
    memory_figures out;
    out.name = name();
    out.standard = "SRAM";
    out.on_chip = true;
    out.capacity_bytes = to_bytes(m_params.size);
    out.peak_bytes_per_s = m_params.port_bandwidth.value;
    out.read_bytes = all.read.sum();
    out.write_bytes = all.written.sum();
    out.bandwidth_bytes_per_s = seconds > 0 ? bytes_moved / seconds : 0.0;
    const double simulated = static_cast<double>(s.read.sum() + s.written.sum());
    const double busy = static_cast<double>(s.busy) * (simulated > 0 ? bytes_moved / simulated : 1.0);
    out.utilization = elapsed > 0 ? std::min(1.0, busy / static_cast<double>(elapsed)) : 0.0;
    out.latency_ns = latency_json(summarize(s.latency), s.latency.bins());
    out.energy_pj = {{"total", energy_pj(elapsed)}};
    return memory_table().write(out);
  }
  double energy_pj(ps_t elapsed) const override {
    return static_cast<double>(moved().both().sum()) * to_pj(m_params.energy_per_byte) +
           m_params.leakage.value * static_cast<double>(elapsed);
  }
  traffic_bytes bytes() const override { return moved().both(); }
  double passes() const override { return m_params.port_bandwidth.value; }
  probe_list probes() override { return m_sram.probes(); }

 private:
  moved_bytes moved() const {
    moved_bytes out = sum_of(m_unseen);
    out.read += m_sram.stats().read;
    out.written += m_sram.stats().written;
    return out;
  }

  sram_params m_params;
  sram_module m_sram;
};

const hardware_entry entry{
    "sram",
    "on-chip buffer",
    {[](const module_description& d, build_context&, problem_list& problems) -> std::unique_ptr<hardware> {
       problem_list mine;
       sram_params p;
       sram_param_table().read(d.tree, p, mine, "modules." + d.group, {"type", "count", "address"});
       if (!mine.empty()) return problems.add(mine), nullptr;
       return std::make_unique<sram_hardware>(d, p);
     },
     [] { return sram_param_table().describe(); }}};

}  // namespace
}  // namespace memwall::platforms
