// SPDX-License-Identifier: Apache-2.0
#include "hw/core/traffic_generator.h"

#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"

namespace memwall::platforms {
namespace {

class generator_hardware final : public hardware {
 public:
  generator_hardware(const module_description& d, const generator_params& p, int id, std::uint64_t seed)
      : hardware(d), m_generator(d.name.c_str(), p, id, seed) {}
  tlm::tlm_initiator_socket<>* initiator() override { return &m_generator.port; }
  json config() const override { return generator_param_table().write(m_generator.params()); }
  result_section section() const override { return result_section::generators; }
  json report(ps_t) const override {
    const auto& s = m_generator.stats();
    generator_figures out{name(),
                          s.transfers,
                          s.read,
                          s.written,
                          latency_json(summarize(s.latency), s.latency.bins()),
                          cause_json(s.parts)};
    return generator_table().write(out);
  }
  double energy_pj(ps_t) const override { return 0; }
  void attach(const std::string&, std::uint64_t base, const memory_facts&, problem_list&) override {
    m_generator.set_base(base);
  }
  std::vector<std::pair<std::string, std::string>> wants_memories() const override {
    return {{"memory", m_generator.params().memory}};
  }
  void stop() override { m_generator.stop(); }

 private:
  traffic_generator m_generator;
};

const hardware_entry entry{
    "traffic_generator",
    "an initiator that only makes load",
    {[](const module_description& d, build_context& context, problem_list& problems) -> std::unique_ptr<hardware> {
       problem_list mine;
       generator_params p;
       generator_param_table().read(d.tree, p, mine, "modules." + d.group, {"type", "count"});
       if (p.memory.empty())
         mine.add({d.tree.where(), "modules." + d.group + ".memory", "is missing", "a memory module", ""});
       if (!mine.empty()) return problems.add(mine), nullptr;
       const int id = context.new_source(d.name);
       return std::make_unique<generator_hardware>(d, p, id, context.seed + static_cast<std::uint64_t>(id));
     },
     [] { return generator_param_table().describe(); }}};

}  // namespace
}  // namespace memwall::platforms
