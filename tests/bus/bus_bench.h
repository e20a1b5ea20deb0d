// SPDX-License-Identifier: Apache-2.0
// A bus with sources and memories around it: a protocol checker on every link and, where asked, a stall
// injector in it.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

#include "hw/bus/bus.h"
#include "hw/dram/dram.h"
#include "tests/support/protocol_checker.h"
#include "tests/support/stall_injector.h"
#include "tests/support/traffic.h"

namespace memwall {

// Sources and memories around one bus, a checker on every link, and where asked a stall injector between two
// checkers.
struct bench {
  explicit bench(const bus_params& p, bool checked = true, unsigned stall_seed = 0)
      : fabric("fabric", p), m_checked(checked), m_seed(stall_seed) {}

  traffic_source& source(std::size_t count, std::function<order(std::size_t)> make, std::uint64_t window,
                         const bus_initiator_options& options = {}) {
    const auto name = fmt::format("source{}", sources.size());
    sources.push_back(std::make_unique<traffic_source>(name.c_str(), static_cast<int>(sources.size()), count,
                                                       std::move(make), window));
    connect(sources.back()->port, fabric.add_initiator(name, options), {});
    return *sources.back();
  }
  dram_module& memory(ps_t burst, ps_t latency, std::uint64_t base, std::uint64_t size,
                      std::size_t room = 1u << 20) {
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
    for (const auto& c : checkers) {
      EXPECT_EQ(c->errors(), 0) << c->text();
      EXPECT_EQ(c->in_flight(), 0u) << c->name();
    }
    for (const auto& s : sources)
      for (const auto& r : s->records) EXPECT_EQ(r.parts.sum(), r.latency());
  }

  bus fabric;
  std::vector<std::unique_ptr<traffic_source>> sources;
  std::vector<std::unique_ptr<dram_module>> memories;
  std::vector<std::unique_ptr<protocol_checker>> checkers;
  std::vector<std::unique_ptr<stall_injector>> injectors;

 private:
  protocol_checker& checker(const checker_options& o) {
    checkers.push_back(
        std::make_unique<protocol_checker>(fmt::format("checker{}", checkers.size()).c_str(), o));
    return *checkers.back();
  }
  void connect(at_initiator_port& from, at_target_port& to, const checker_options& o) {
    if (!m_checked) {
      from.bind(to);
      return;
    }
    auto& first = checker(o);
    from.bind(first.from_initiator);
    if (m_seed == 0) {
      first.to_target.bind(to);
      return;
    }
    injectors.push_back(std::make_unique<stall_injector>(fmt::format("injector{}", injectors.size()).c_str(),
                                                         m_seed + static_cast<unsigned>(injectors.size()),
                                                         20'000));
    auto& second = checker(o);
    first.to_target.bind(injectors.back()->from_initiator);
    injectors.back()->to_target.bind(second.from_initiator);
    second.to_target.bind(to);
  }
  bool m_checked;
  unsigned m_seed;
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
