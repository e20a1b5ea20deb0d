// SPDX-License-Identifier: Apache-2.0
// Which orders are taken to be alike, and how what they take follows from their plans: on cores that plan what the test
// says, before SRAMs whose times can be written down. (One test, since a program has one simulation.)
#include "platforms/execute/order_reuse.h"

#include <gtest/gtest.h>

#include <functional>

namespace memwall::platforms {
namespace {

/// What the next operator needs.
work next_plan;

class told_core final : public core_model {
 public:
  work plan(const operation&) override { return next_plan; }
  double peak_rate(const std::string&) const override { return 1e12; }
  nlohmann::ordered_json config() const override { return {}; }
};
const core_entry entry{"told",
                       "does what a test says",
                       {[](const config::node&, problem_list&, const std::string&) -> std::unique_ptr<core_model> {
                          return std::make_unique<told_core>();
                        },
                        [] { return std::vector<param_info>{}; }}};

constexpr ps_t us = 1'000'000;
constexpr std::int64_t kib = 1024;

struct bench {
  platform_description platform = read_platform(config::node::parse_text(R"(modules:
  near: {type: sram, size: 1 GB, port_bandwidth: 100 GB/s, latency: 500 ns}
  far: {type: sram, size: 1 GB, port_bandwidth: 100 GB/s, latency: 500 ns}
  third: {type: sram, size: 1 GB, port_bandwidth: 100 GB/s, latency: 500 ns}
  fabric: {type: bus, topology: crossbar, width: 64 B, clock: 1 GHz, slices: 16}
  a: {type: told}
  b: {type: told}
connect: [[a, fabric], [b, fabric], [fabric, near], [fabric, far], [fabric, third]]
mapping: [{executor: a, weights: near, kv_cache: near, activations: near}]
)",
                                                                         "p.yaml"),
                                                "p");
  build_context context;
  system hw{platform, context};
  symmetry alike;
  run_options options;
  recorder observer{options, hw, alike};
  order_reuse reuse{hw, alike, observer, 0.01};
  std::map<std::string, std::uint64_t> base;  // of memories

  bench() {
    for (const auto& slot : hw.slots()) base[slot.name] = slot.base;
    for (const char* name : {"a", "b"}) hw.core(name).set_fidelity({4 * kib, 4 * kib, 64, false});
  }
  /// Time of one operator, simulated or not.
  ps_t run(const work& w, const std::string& core = "a", work_kind kind = work_kind::gemm, bool exact = false) {
    next_plan = w;
    operation op;
    op.kind = kind;
    ps_t time = -1;
    reuse.start(core == "a" ? 0 : 1, core, op, exact, 1, [&](const work_result& r) { time = r.end - r.start; });
    sc_core::sc_start();
    return time;
  }
  /// Whether one like it was simulated.
  bool simulated(const work& w, const std::string& core = "a", work_kind kind = work_kind::gemm) {
    const auto before = reuse.report().simulated;
    EXPECT_GT(run(w, core, kind), 0);
    return reuse.report().simulated > before;
  }
  work reads(std::int64_t bytes, const std::string& memory = "near", traffic kind = traffic::weights) const {
    work w;
    w.accesses.push_back({0, kind, false, false, base.at(memory), bytes});
    return w;
  }
};

TEST(order_reuse, orders_are_alike_when_their_plans_are) {
  bench m;
  work usual = m.reads(1024 * kib);  // some 10 us
  usual.compute[stall::compute] = 5 * us;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(m.simulated(usual)) << i;
  EXPECT_FALSE(m.simulated(usual)) << "three are known";

  // Whatever differs makes it another order, of which nothing is known yet.
  EXPECT_TRUE(m.simulated(usual, "b")) << "another core";
  EXPECT_TRUE(m.simulated(usual, "a", work_kind::elementwise)) << "another kind";
  const auto differs = [&](const char* what, const std::function<void(work&)>& change) {
    work w = usual;
    change(w);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(m.simulated(w)) << what << ' ' << i;
    EXPECT_FALSE(m.simulated(w)) << what;
  };
  differs("arithmetic of another cause",
          [](work& w) { std::swap(w.compute[stall::compute], w.compute[stall::cim_adc]); });
  differs("of two causes", [](work& w) { w.compute[stall::cim_adc] = w.compute[stall::compute] -= 2'500'000; });
  differs("latency", [](work& w) { w.load_latency = 2 * us; });
  differs("one buffer", [](work& w) { w.tile_bytes = 4096 * kib; });
  for (const char* memory : {"far", "third"})
    differs(memory, [&](work& w) { w.accesses = m.reads(1024 * kib, memory).accesses; });
  differs("another class", [](work& w) { w.accesses[0].kind = traffic::kv_cache; });
  differs("written", [](work& w) { w.accesses[0].write = true; });
  differs("half of it of another class", [](work& w) {
    w.accesses.push_back(w.accesses[0]);
    w.accesses[0].bytes /= 2, w.accesses[1].bytes /= 2;
    w.accesses[1].kind = traffic::activations;
  });
  differs("twice as much", [](work& w) { w.accesses[0].bytes *= 2; });
  differs("half the arithmetic", [](work& w) { w.compute[stall::compute] /= 2; });
  // What does not matter: bytes in two pieces, side by side or with none between them, and launch and drain, whose time
  // is known.
  const ps_t time = m.run(usual);
  work same = usual;
  same.accesses.push_back(same.accesses[0]);
  same.accesses[0].bytes /= 4, same.accesses[1].bytes -= same.accesses[0].bytes;
  same.accesses[1].address += static_cast<std::uint64_t>(same.accesses[0].bytes);
  same.accesses.push_back({0, traffic::kv_cache, true, false, m.base["far"], 0});
  same.launch = 7 * us, same.drain = 2 * us;
  EXPECT_FALSE(m.simulated(same));
  EXPECT_EQ(m.run(same), time + 9 * us);

  // 2.5 % more bytes take as much longer as their share of the time is: at the memory's rate, at what fits into a
  // window (Little's law), at the core's own rate; where reading is hidden by arithmetic, not at all; with one buffer
  // it is not hidden. Each within two thousandths.
  double longer = 0;
  m.reuse.on_exact = [&](std::uint64_t, double ps) { longer = ps; };
  const auto follows = [&](const char* what, work w) {
    for (int i = 0; i < 3; ++i) m.run(w);
    w.accesses[0].bytes += w.accesses[0].bytes / 40;
    longer = 1e18;
    const auto truth = static_cast<double>(m.run(w, "a", work_kind::gemm, true));
    EXPECT_NEAR(longer, 0, 2e-3 * truth) << what << " of " << truth;
  };
  work w = m.reads(1024 * kib, "far");
  w.load_latency = 10 * us;
  follows("memory", w);
  w.load_latency = 11 * us, w.window = 256 * kib;  // 24 GB/s
  follows("window", w);
  w.load_latency = 12 * us, w.window = 0, w.fill_bandwidth = 50e9;
  follows("core", w);
  w.load_latency = 13 * us, w.fill_bandwidth = 0, w.compute[stall::compute] = 60 * us;
  follows("hidden", w);
  w.load_latency = 0, w.compute[stall::compute] = 10 * us, w.tile_bytes = 1024 * kib * 2;
  follows("one buffer", w);
  w = {};
  w.accesses.push_back({0, traffic::activations, true, false, m.base["far"], 1024 * kib});
  w.result_bandwidth = 20e9;
  w.compute[stall::compute] = 50 * us;
  follows("results", w);
}

}  // namespace
}  // namespace memwall::platforms
