// SPDX-License-Identifier: Apache-2.0
// A bus with sources and memories around it: a protocol checker on every link and, where asked, a stall
// injector in it.
#pragma once
#include <memory>

#include "hw/bus/bus.h"
#include "hw/dram/dram.h"
#include "tests/support/checked_links.h"
#include "tests/support/traffic.h"

namespace memwall {

// Sources and memories around one bus, a checker on every link, and where asked a stall injector between two
// checkers.
struct bench {
  explicit bench(const bus_params& p, bool checked = true, unsigned stall_seed = 0)
      : fabric("fabric", p), links(stall_seed), m_checked(checked) {}

  traffic_source& source(std::size_t count, std::function<order(std::size_t)> make, std::uint64_t window,
                         const bus_initiator_options& options = {}) {
    const auto name = fmt::format("source{}", sources.size());
    sources.push_back(std::make_unique<traffic_source>(name.c_str(), static_cast<int>(sources.size()), count,
                                                       std::move(make), window));
    connect(sources.back()->port, fabric.add_initiator(name, options), {});
    return *sources.back();
  }
  dram_module& memory(ps_t burst, ps_t latency, std::uint64_t base, std::uint64_t size, std::size_t room = 1u << 20) {
    const auto name = fmt::format("memory{}", memories.size());
    memories.push_back(plain_memory(name.c_str(), burst, latency, size, room));
    checker_options o;
    o.size = size;
    connect(fabric.add_target(name, base, size), memories.back()->port, o);
    return *memories.back();
  }
  void run() {
    problem_list problems;
    fabric.check(problems, "", "fabric");
    problems.check();
    sc_core::sc_start();
    links.verify();
    for (const auto& s : sources)
      for (const auto& r : s->records) EXPECT_EQ(r.parts.sum(), r.latency());
  }

  bus fabric;
  std::vector<std::unique_ptr<traffic_source>> sources;
  std::vector<std::unique_ptr<dram_module>> memories;
  checked_links links;

 private:
  void connect(at_initiator_port& from, at_target_port& to, const checker_options& o) {
    if (m_checked)
      links.join(from, to, o);
    else
      from.bind(to);
  }
  bool m_checked;
};

// 64 bytes a nanosecond.
inline bus_params plain_bus() {
  bus_params p;
  p.width = byte_size(64);
  p.clock = frequency(1e9);
  p.arbitration_latency = duration(2e-9);
  p.pipeline_latency = duration(3e-9);
  return p;
}

inline std::function<order(std::size_t)> stream(std::uint64_t base, std::uint64_t bytes, bool write = false) {
  return [=](std::size_t i) { return order{base + i * bytes, bytes, write, 0}; };
}

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

}  // namespace memwall
