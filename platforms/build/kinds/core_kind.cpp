// SPDX-License-Identifier: Apache-2.0
// Every core: a core_model in a stream_core.
#include <algorithm>

#include "hw/core/stream_core.h"
#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"

namespace memwall::platforms {
namespace {

/// Time in which it computed: units, or macros with what goes in and comes out.
ps_t arithmetic(const stall_stack& s) {
  ps_t sum = 0;
  for (const stall c : {stall::compute, stall::cim_input, stall::cim_array, stall::cim_adc, stall::cim_digital})
    sum += s[c];
  return sum;
}

class core_hardware final : public hardware {
 public:
  core_hardware(const module_description& d, std::unique_ptr<core_model> model, int source)
      : hardware(d), m_core(d.name.c_str(), std::move(model), source), m_arrays(m_core.model().arrays()) {}
  tlm::tlm_initiator_socket<>* initiator() override { return &m_core.port; }
  stream_core* as_core() override { return &m_core; }
  std::optional<memory_facts> memory() const override {
    if (m_arrays == nullptr) return std::nullopt;
    memory_facts f;
    f.capacity = m_arrays->weight_capacity();
    f.in_core = true;
    return f;
  }
  json config() const override { return m_core.model().config(); }
  result_section section() const override { return result_section::executors; }
  json report(ps_t elapsed) const override {
    const auto& s = m_core.stats();
    executor_figures out;
    out.name = name();
    out.kind = type();
    out.operations = s.operations;
    out.busy_ns = ns(s.busy);
    out.utilization = elapsed > 0 ? static_cast<double>(arithmetic(s.parts)) / static_cast<double>(elapsed) : 0.0;
    out.flops = s.flops;
    out.transfers = s.transfers;
    out.read_bytes = bytes_json(s.read);
    out.write_bytes = bytes_json(s.written);
    out.energy_pj = energy_pj(elapsed);
    out.latency_ns = latency_json(summarize(s.latency), s.latency.bins());
    stall_stack all = s.parts;
    all[stall::idle] += elapsed - s.busy;
    out.stall_stack_ns = cause_json(all);
    auto figures = m_core.model().figures(elapsed);
    if (!figures.empty()) {
      // What the core achieves in the system, beside what its parts could: they differ by an order of magnitude.
      const double pj = energy_pj(elapsed);
      figures["achieved_tops"] = elapsed > 0 ? s.flops / static_cast<double>(elapsed) : 0.0;
      figures["achieved_tops_per_w"] = pj > 0 ? s.flops / pj : 0.0;
      if (const double mm2 = figures.value("area_mm2", 0.0); mm2 > 0)
        figures["achieved_tops_per_mm2"] = figures["achieved_tops"].get<double>() / mm2;
      out.figures = std::move(figures);
    }
    return executor_table().write(out);
  }
  double energy_pj(ps_t elapsed) const override {
    return m_core.stats().energy_pj + standing_pj(elapsed) + clocks_pj();
  }
  energy_goes_with goes_with(const std::string& part) const override {
    return part == "clocks" ? energy_goes_with::work : energy_goes_with::what_is_done;
  }
  std::vector<std::pair<std::string, double>> energy_parts(ps_t elapsed) const override {
    auto out = model().energy_parts();
    if (out.empty()) return {{name(), energy_pj(elapsed)}};
    const auto leakage = std::find_if(out.begin(), out.end(), [](const auto& p) { return p.first == "leakage"; });
    if (leakage != out.end())
      leakage->second += standing_pj(elapsed);  // of what was powered while the rest was gated
    else
      out.emplace_back(model().active_power().value > 0 ? "idle" : "leakage", standing_pj(elapsed));
    if (model().active_power().value > 0) out.emplace_back("clocks", clocks_pj());
    return out;
  }
  traffic_bytes bytes() const override {
    traffic_bytes b = m_core.stats().read;
    b += m_core.stats().written;
    return b;
  }
  probe_list probes() override { return m_core.probes(); }

 private:
  const core_model& model() const { return m_core.model(); }
  double standing_pj(ps_t elapsed) const {
    return model().idle_power().value * static_cast<double>(elapsed);  // W x ps = pJ
  }
  double clocks_pj() const { return model().active_power().value * static_cast<double>(m_core.stats().busy); }
  stream_core m_core;
  const weight_arrays* m_arrays;
};

}  // namespace

std::unique_ptr<hardware> make_core(const module_description& d, build_context& context, problem_list& problems) {
  problem_list mine;
  auto model = core_kinds().get(d.type).make(d.tree, mine, "modules." + d.group);
  if (!mine.empty()) return problems.add(mine), nullptr;
  return std::make_unique<core_hardware>(d, std::move(model), context.new_source(d.name));
}

}  // namespace memwall::platforms
