// SPDX-License-Identifier: Apache-2.0
// Transfers take no memory of the host once warm: an operator of a thousand allocates for its plan. A program of its
// own, because it counts how often `new` is called.
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "hw/bus/bus.h"
#include "hw/bus/link.h"
#include "hw/core/stream_core.h"
#include "tests/support/traffic.h"

extern std::size_t allocations;  // count_allocations.cpp

namespace memwall {
namespace {

constexpr std::int64_t mib = 1 << 20;

/// Reads four bytes for each that it writes.
class sized_model final : public core_model {
 public:
  std::int64_t bytes = 0;
  work plan(const operation&) override {
    work w;
    w.accesses.push_back({0, traffic::weights, false, false, 0, bytes});
    w.accesses.push_back({std::uint64_t{1} << 30, traffic::activations, true, false, 0, bytes / 4});
    w.compute[stall::compute] = 1'000'000;
    w.window = 64 * 1024;
    w.load_latency = 100'000;
    w.fill_bandwidth = 100e9;
    return w;
  }
  double peak_rate(const std::string&) const override { return 1e12; }
  nlohmann::ordered_json config() const override { return {}; }
};

class allocations_of : public testing::TestWithParam<const char*> {};
TEST_P(allocations_of, an_operator_are_not_by_transfers) {
  const std::string topology = GetParam();
  bus_params p;
  p.width = byte_size(64);
  p.clock = frequency(1e9);
  p.pipeline_latency = duration(3e-9);
  const bool network = topology == "ring" || topology == "mesh";
  p.topology = topology == "link" ? "shared" : topology;
  if (network) {
    p.columns = topology == "ring" ? 8 : 4;
    p.rows = topology == "ring" ? 1 : 2;
    p.hop_latency = duration(1e-9);
    p.nodes = {{"core", {0, 1, 2, 3}},
               {"memory", topology == "ring" ? std::vector<std::int64_t>{7} : std::vector<std::int64_t>{5, 7}}};
  }
  bus fabric("fabric", p);
  const auto memory = plain_memory("memory", 500, 50'000, std::uint64_t{1} << 40, 1u << 20);
  auto model = std::make_unique<sized_model>();
  sized_model& plan = *model;
  stream_core core("core", std::move(model), 0);
  core.set_fidelity({4096, 4096, 64, false});
  std::unique_ptr<link> between;
  if (topology == "link") {
    between = std::make_unique<link>("between", link_preset("pcie5"));
    core.port.bind(between->upstream);
    between->downstream.bind(fabric.add_initiator("core"));
  } else {
    core.port.bind(fabric.add_initiator("core"));
  }
  fabric.add_target("memory", 0, std::uint64_t{1} << 40).bind(memory->port);

  // Larger ones first: what grows to a size of its own, as what is remembered of idle channels, is there then.
  const std::int64_t sizes[] = {32 * mib, mib, mib, 4 * mib};
  std::vector<std::size_t> made, moved;
  made.reserve(4);
  moved.reserve(4);
  operation op;
  std::function<void()> next = [&] {
    plan.bytes = sizes[made.size()];
    const std::size_t before = allocations;
    const std::uint64_t moved_before = core.stats().transfers;
    core.start(op, [&, before, moved_before](const stream_core::result&) {
      made.push_back(allocations - before);
      moved.push_back(core.stats().transfers - moved_before);
      if (made.size() < 4) next();
    });
  };
  next();
  sc_core::sc_start();
  ASSERT_EQ(made.size(), 4u);
  EXPECT_EQ(moved[2], moved[1]);
  EXPECT_GT(moved[3], 3 * moved[2]);
  EXPECT_GT(moved[2], 300u);
  // Its plan, its callbacks, and what SystemC takes now and then for many events.
  EXPECT_LE(made[2], 8u);
  EXPECT_LE(made[3], 8u) << moved[3] << " transfers";
}
INSTANTIATE_TEST_SUITE_P(through, allocations_of, testing::Values("shared", "crossbar", "ring", "mesh", "link"));

}  // namespace
}  // namespace memwall
