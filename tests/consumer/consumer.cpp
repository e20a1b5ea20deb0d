// SPDX-License-Identifier: Apache-2.0
// A memory of one's own (every access takes `latency`), registered as a module type and wired by a platform
// description.
#include <deque>
#include <iostream>

#include "models/model.h"
#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"
#include "platforms/execute/run.h"
#include "traces/generator.h"

using namespace memwall;
using platforms::json;

namespace {

struct fixed_params {
  byte_size size{1 << 30};
  duration latency{50e-9};
};
const param_table<fixed_params>& table() {
  static const auto t = param_table<fixed_params>("fixed_memory")
                            .add("size", &fixed_params::size, "capacity")
                            .add("latency", &fixed_params::latency, "of every access");
  return t;
}

class fixed_memory : public sc_core::sc_module {
 public:
  fixed_memory(const sc_core::sc_module_name& name, const fixed_params& p)
      : sc_module(name), m_latency(to_ps(p.latency)) {
    MW_HAS_PROCESS(fixed_memory);
    SC_METHOD(wake);
    sensitive << m_wake;
    dont_initialize();
    port.on_request = [this](transfer& t) {
      m_queue.push_back({now_ps() + m_latency, &t});
      m_wake.notify(to_sc_time(m_queue.front().first - now_ps()));
      return true;
    };
  }
  at_target_port port{"port"};
  std::int64_t bytes = 0;

 private:
  void wake() {
    while (!m_queue.empty() && m_queue.front().first <= now_ps()) {
      transfer& t = *m_queue.front().second;
      m_queue.pop_front();
      bytes += t.get_data_length();
      info(t).first_data = now_ps();
      info(t).book(stall::dram_latency, now_ps());
      t.set_response_status(tlm::TLM_OK_RESPONSE);
      port.respond(t);
    }
    if (!m_queue.empty()) m_wake.notify(to_sc_time(m_queue.front().first - now_ps()));
  }
  ps_t m_latency;
  std::deque<std::pair<ps_t, transfer*>> m_queue;
  sc_core::sc_event m_wake;
};

class fixed_hardware final : public platforms::hardware {
 public:
  fixed_hardware(const platforms::module_description& d, const fixed_params& p)
      : hardware(d), m_params(p), m_memory(d.name.c_str(), p) {}
  tlm::tlm_target_socket<>* target() override { return &m_memory.port; }
  std::optional<platforms::memory_facts> memory() const override {
    platforms::memory_facts f;
    f.capacity = to_bytes(m_params.size);
    f.unloaded_latency = to_ps(m_params.latency);
    return f;
  }
  json config() const override { return table().write(m_params); }
  platforms::result_section section() const override { return platforms::result_section::memories; }
  json report(ps_t) const override {
    platforms::memory_figures out;
    out.name = name();
    out.standard = "fixed";
    out.on_chip = true;
    out.read_bytes = m_memory.bytes;
    return platforms::memory_table().write(out);
  }
  double energy_pj(ps_t) const override { return 0; }

 private:
  fixed_params m_params;
  fixed_memory m_memory;
};

const char* const platform = R"(
modules:
  mem: {type: fixed_memory, size: 4 GiB, latency: 40 ns}
  xbar: {type: bus, width: 64 B, clock: 1 GHz}
  cpu: {type: cpu, cores: 8}
connect:
  - [cpu, xbar]
  - [xbar, mem]
mapping:
  - {executor: cpu, weights: mem, kv_cache: mem, activations: mem}
)";

}  // namespace

int sc_main(int, char**) {
  platforms::hardware_kinds().add("fixed_memory", "a memory with one latency",
                                  {[](const platforms::module_description& d, platforms::build_context&,
                                      problem_list& problems) -> std::unique_ptr<platforms::hardware> {
                                     fixed_params p;
                                     table().read(d.tree, p, problems, "modules." + d.group, {"type"});
                                     return std::make_unique<fixed_hardware>(d, p);
                                   },
                                   [] { return table().describe(); }});
  platforms::run_options o;
  o.platform = platforms::read_platform(config::node::parse_text(platform, "consumer"), "consumer");
  trace::workload w;
  w.context = 64;
  const memwall::model m = load_model("gpt-2");
  o.source = [m, w] { return trace::generate(m, w); };
  const auto outcome = platforms::run(o);
  std::cout << outcome.result["summary"]["time_ns"] << " ns, most booked to "
            << outcome.result["summary"]["booked_most"] << '\n';
  return outcome.result["summary"]["time_ns"].get<double>() > 0 ? 0 : 1;
}
