// SPDX-License-Identifier: Apache-2.0
// The way of vectors through package, chip, tile and macro, by hand.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "hw/cim/hierarchy.h"

using namespace memwall;
using namespace memwall::cim;

namespace {

/// A macro of round numbers: 64 x 16 weights, a vector in 1 ns, the next 0.4 ns behind it, 1 pJ each, 3 mW of leakage.
class round_macro final : public macro {
 public:
  explicit round_macro(std::int64_t flexible_weights = 0) : m_flexible(flexible_weights) {}
  const std::string& kind() const override { return m_kind; }
  geometry shape(int) const override {
    geometry g;
    g.rows = 64;
    g.cols = 16;
    g.weights = m_flexible > 0 ? m_flexible : g.rows * g.cols;
    g.flexible = m_flexible > 0;
    return g;
  }
  int max_in_bits() const override { return 8; }
  int max_w_bits() const override { return 8; }
  int natural_out_bits(const mvm_shape&) const override { return 16; }
  mvm_cost mvm(const mvm_shape& s) const override {
    mvm_cost out;
    out.interval = 400;
    out.total = 1000 + (s.vectors - 1) * out.interval;
    out.parts[stall::cim_array] = out.total;
    out.energy[component::array] = static_cast<double>(s.vectors);
    out.energy[component::leakage] = 1e6;  // of one macro alone: the layer counts all of them
    out.input_bytes = s.rows * s.vectors;
    out.output_bytes = 2 * s.cols * s.vectors;
    return out;
  }
  program_cost program(std::int64_t, std::int64_t, int) const override { return {}; }
  bool concurrent_program() const override { return false; }
  std::unique_ptr<programmed_array> program_weights(const std::int32_t*, std::int64_t, std::int64_t, number_format,
                                                    std::uint64_t) const override {
    return nullptr;
  }
  breakdown area() const override { return {}; }
  double leakage_mw() const override { return 3; }
  nlohmann::ordered_json parameters() const override { return {}; }

 private:
  const std::string m_kind = "round";
  std::int64_t m_flexible;
};

hierarchy_params two_chips() {
  hierarchy_params h;
  h.macros_per_tile = 2;
  h.tiles_per_chip = 1;
  h.chips = 2;
  h.tile_latency = duration(2e-9);
  h.chip_latency = duration(10e-9);
  h.package_latency = duration(50e-9);
  h.tile_network = bandwidth(192e9);
  h.chip_network = bandwidth(160e9);
  h.package_link = bandwidth(80e9);
  h.accumulate_rate = op_rate(16e9);
  h.tile_energy = energy(0.05e-12);
  h.chip_energy = energy(0.3e-12);
  h.package_energy = energy(1.2e-12);
  h.accumulate_energy = energy(0.03e-12);
  h.tile_leakage = power(1e-3);
  return h;
}

// 128 x 32 weights are 2 x 2 pieces of 64 x 16; the two of a column sit in one tile, which is a chip of its own. Of
// each vector, 2 x 64 B of inputs reach each tile. There and back:
//   tile     2 x 64 B in, 2 x 32 B of partial sums out  192 B at 192 GB/s   1 ns
//   chip     2 x 64 B in,     32 B of sums out          160 B at 160 GB/s   1 ns
//   package  the same                                   160 B at  80 GB/s   2 ns
//   adder    16 sums of two                             16 at 16 G/s        1 ns
//   latency  in and out: 2 x (2 + 10 + 50) ns                             124 ns
//   macro                                                                   1 ns
TEST(cim_hierarchy, one_vector_crosses_every_level_twice) {
  const round_macro m;
  const fold f = fold_layer(m, 128, 32, 8);
  ASSERT_EQ(f.pieces(), 4);
  const layer_cost c = cost_layer(two_chips(), m, f, 1, 8, 8);
  EXPECT_EQ(c.total, 130'000);
  EXPECT_EQ(c.parts[stall::bus_transfer], 26'000);
  EXPECT_EQ(c.parts[stall::link], 102'000) << "the package's two crossings, and its 2 ns";
  EXPECT_EQ(c.parts[stall::cim_digital], 1'000);
  EXPECT_EQ(c.parts[stall::cim_array], 1'000);
  EXPECT_EQ(c.interval, 2'000);
  EXPECT_EQ(c.own_interval, 2'000);
  EXPECT_EQ(c.port_interval, 1'000);
  EXPECT_EQ(c.tiles, 2);
  EXPECT_EQ(c.chips, 2);
}

// The package's 2 ns set the pace of the vectors behind; 0.4 ns of it the macro would take anyway.
TEST(cim_hierarchy, vectors_follow_at_the_pace_of_the_slowest_level) {
  const round_macro m;
  const layer_cost c = cost_layer(two_chips(), m, fold_layer(m, 128, 32, 8), 3, 8, 8);
  EXPECT_EQ(c.total, 130'000 + 2 * 2'000);
  EXPECT_EQ(c.parts[stall::link], 102'000 + 2 * 1'600);
  EXPECT_EQ(c.parts[stall::cim_array], 1'000 + 2 * 400);
  EXPECT_EQ(c.parts.sum(), c.total);
}

// Bytes above, three times on two tiles (chips): 0.05 pJ x 1152 + 0.3 pJ x 960 + 1.2 pJ x 960. Leakage: four macros of
// 3 mW and two tiles of 1 mW for 134 ns.
TEST(cim_hierarchy, energy_counts_every_tile_and_every_macro) {
  const round_macro m;
  const layer_cost c = cost_layer(two_chips(), m, fold_layer(m, 128, 32, 8), 3, 8, 8);
  EXPECT_EQ(c.tile_bytes, 1152);
  EXPECT_EQ(c.chip_bytes, 960);
  EXPECT_EQ(c.package_bytes, 960);
  EXPECT_NEAR(c.network_pj, 57.6 + 288 + 1152, 1e-9);
  EXPECT_NEAR(c.accumulate_pj, 3 * 32 * 0.03, 1e-12);
  EXPECT_NEAR(c.macro_energy[component::array], 3.0 * 4, 1e-12);
  EXPECT_NEAR(c.macro_energy[component::leakage], 134e3 * 1e-3 * (4 * 3 + 2 * 1), 1e-9);
}

// 128 x 48 weights are six pieces: a tile of four and one of two. What leaks is six macros and two tiles, not eight.
TEST(cim_hierarchy, a_tile_that_is_not_full_leaks_what_it_has) {
  const round_macro m;
  hierarchy_params h = two_chips();
  h.macros_per_tile = 4;
  const layer_cost c = cost_layer(h, m, fold_layer(m, 128, 48, 8), 1, 8, 8);
  EXPECT_EQ(c.macros, 6);
  EXPECT_EQ(c.tiles, 2);
  EXPECT_NEAR(c.macro_energy[component::leakage], static_cast<double>(c.total) * 1e-3 * (6 * 3 + 2 * 1), 1e-9);
  EXPECT_NEAR(c.macro_energy[component::array], 6.0, 1e-12);
}

// On one chip of two tiles nothing crosses the package: 2 x (2 + 10) ns. The chip carries 128 B in and the sums of two
// columns out, 192 B at 192 GB/s.
TEST(cim_hierarchy, what_stays_on_a_chip_pays_no_package) {
  const round_macro m;
  hierarchy_params h = two_chips();
  h.tiles_per_chip = 2;
  h.chips = 1;
  h.chip_network = bandwidth(192e9);
  const layer_cost c = cost_layer(h, m, fold_layer(m, 128, 32, 8), 1, 8, 8);
  EXPECT_EQ(c.total, 1'000 + 1'000 + 1'000 + 1'000 + 24'000);
  EXPECT_EQ(c.parts[stall::link], 0);
  EXPECT_EQ(c.package_bytes, 0);
  EXPECT_FALSE(c.shares_chip) << "all four macros are in use";
  h.macros_per_tile = 3;
  EXPECT_TRUE(cost_layer(h, m, fold_layer(m, 128, 32, 8), 1, 8, 8).shares_chip);
}

// Links to the farthest chip of a layer that lies anywhere.
TEST(cim_hierarchy, links_to_a_chip_follow_the_topology) {
  struct row {
    const char* topology;
    std::int64_t chips, used;
    double hops;
  };
  for (const row& r :
       {row{"star", 1024, 30, 1}, row{"ring", 16, 4, 6}, row{"ring", 16, 16, 8}, row{"ring", 2, 1, 1},
        row{"mesh", 16, 4, 4}, row{"mesh", 16, 16, 6}, row{"mesh", 2, 1, 1}, row{"tree", 32, 1, 2},
        row{"tree", 33, 1, 3}, row{"tree", 1024, 9, 3}, row{"dragonfly", 32, 4, 1}, row{"dragonfly", 33, 4, 3}}) {
    hierarchy_params h;
    h.topology = r.topology;
    h.chips = r.chips;
    EXPECT_NEAR(h.hops(r.used), r.hops, 1e-12) << r.topology << ' ' << r.chips << ' ' << r.used;
  }
}

// Two of sixteen chips in a ring: four links to where they lie in the mean, one more to the other one, there and back,
// 50 ns each. Sums cross all five, inputs one a chip: 1.2 pJ x 2 x (128 + 5 x 32) for 2 x 160 B.
TEST(cim_hierarchy, every_link_of_the_way_costs_its_latency_and_its_energy) {
  const round_macro m;
  hierarchy_params h = two_chips();
  h.chips = 16;
  h.topology = "ring";
  h.tile_energy = h.chip_energy = energy(0);
  const layer_cost c = cost_layer(h, m, fold_layer(m, 128, 32, 8), 1, 8, 8);
  EXPECT_EQ(c.parts[stall::link], 2'000 + 2 * 5 * 50'000);
  EXPECT_EQ(c.total, 30'000 - 2 * 12'000 + 24'000 + 500'000);
  EXPECT_NEAR(c.network_pj, 1.2 * 2 * (128 + 5 * 32), 1e-9);
  const layer_cost small = cost_layer(h, m, fold_layer(m, 64, 16, 8), 1, 8, 8);
  EXPECT_EQ(small.chips, 1);
  EXPECT_GT(small.parts[stall::link], 2 * 4 * 50'000) << "one chip of a rack is no nearer";
}

// 2 x 64 B of inputs enter and 2 x 32 B of sums leave, 192 B at 40 GB/s: 4.8 ns for the 2 ns of a chip's own link.
TEST(cim_hierarchy, what_all_chips_bring_shares_the_port) {
  const round_macro m;
  hierarchy_params h = two_chips();
  h.package_port = bandwidth(40e9);
  const layer_cost c = cost_layer(h, m, fold_layer(m, 128, 32, 8), 1, 8, 8);
  EXPECT_EQ(c.parts[stall::link], 100'000 + 4'800);
  EXPECT_EQ(c.interval, 4'800);
}

// Four groups of 16 rows: four products of 1 + 3 x 0.4 ns, 4 x 2 x 32 B out of the macros, (128 + 256) B at 192 GB/s;
// of every column 4 products and 4 sums in both macros, and one sum of the two, (16 + 1) x 16 at 16 G/s.
TEST(cim_hierarchy, a_scale_for_a_group_of_rows_takes_a_product_and_a_sum_each) {
  const round_macro m;
  const layer_cost c = cost_layer(two_chips(), m, fold_layer(m, 128, 32, 8), 1, 8, 8, 16);
  EXPECT_EQ(c.parts[stall::cim_array], 2'200);
  EXPECT_EQ(c.parts[stall::bus_transfer], 2'000 + 1'000 + 24'000);
  EXPECT_EQ(c.parts[stall::link], 102'000);
  EXPECT_EQ(c.parts[stall::cim_digital], 17'000);
  EXPECT_EQ(c.interval, 17'000);
  EXPECT_NEAR(c.accumulate_pj, (32 + 2 * 8 * 32) * 0.03, 1e-9);
  EXPECT_NEAR(c.macro_energy[component::array], 4.0 * 4, 1e-12);
  const layer_cost one = cost_layer(two_chips(), m, fold_layer(m, 128, 32, 8), 1, 8, 8, 64);
  EXPECT_EQ(one.parts[stall::cim_array], 1'000) << "a group that fills the rows costs the scaling alone";
  EXPECT_EQ(one.parts[stall::cim_digital], 5'000);
}

TEST(cim_hierarchy, sizes_beyond_the_arithmetic_are_errors_and_not_other_numbers) {
  const round_macro m;
  const std::int64_t huge = std::int64_t{1} << 40;
  EXPECT_THROW(fold_layer(m, huge, huge, 8), std::overflow_error) << "2^34 x 2^36 pieces";
  const fold f = fold_layer(m, 128, 32, 8);
  EXPECT_THROW(cost_layer(two_chips(), m, f, huge * 1000, 8, 8), std::overflow_error) << "10^15 vectors of 2 ns";
  EXPECT_EQ(cost_layer(two_chips(), m, f, 1'000'000'001, 8, 8).total, 130'000 + 2'000 * 1'000'000'000LL);
}

// As many folds as a piece needs to fit, along N first: against trying them one after another.
TEST(cim_mapping, flexible_macros_take_the_fewest_folds_that_fit) {
  std::mt19937_64 random(5);
  const auto ceil_div = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  for (int round = 0; round < 300; ++round) {
    const std::int64_t room = 1 + static_cast<std::int64_t>(random() % 2000);
    const std::int64_t k = 1 + static_cast<std::int64_t>(random() % 500),
                       n = 1 + static_cast<std::int64_t>(random() % 500),
                       wanted = 1 + static_cast<std::int64_t>(random() % 40);
    std::int64_t cols = std::min(wanted, n), rows = std::clamp<std::int64_t>(wanted / cols, 1, k);
    while (ceil_div(k, rows) * ceil_div(n, cols) > room) ++(cols < n ? cols : rows);
    const fold f = fold_layer(round_macro(room), k, n, 8, wanted);
    ASSERT_EQ(f.col_folds, cols) << k << " x " << n << " into " << room;
    ASSERT_EQ(f.row_folds, rows) << k << " x " << n << " into " << room;
  }
}

}  // namespace
