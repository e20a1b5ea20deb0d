// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <stdexcept>

#include "hw/cim/hierarchy.h"
#include "hw/cim/mapping.h"
#include "tests/cim/support.h"

using namespace memwall;
using namespace memwall::cim;
using namespace memwall::cim::test;

namespace {
const char* const small =
    "{type: digital_sram, rows: 64, bit_columns: 128, weight_granularity: 4, clock: 1 GHz, pipeline_cycles: "
    "2}";
}

// 64 x 16 weights of 8 bits a macro: 200 / 64 -> 4, 50 / 16 -> 4, pieces of 50 x 13.
TEST(cim_mapping, layers_fold_over_rows_and_columns) {
  const auto m = from_yaml(small);
  const fold f = fold_layer(*m, 200, 50, 8);
  EXPECT_EQ(f.row_folds, 4);
  EXPECT_EQ(f.col_folds, 4);
  EXPECT_EQ(f.piece_rows, 50);
  EXPECT_EQ(f.piece_cols, 13);
  EXPECT_EQ(f.accumulations(), 3 * 50);
  EXPECT_NEAR(f.utilisation, 200.0 * 50 / (16 * 64 * 16), 1e-12);
  EXPECT_THROW(fold_layer(*m, 0, 5, 8), input_error);
  EXPECT_THROW(fold_layer(*m, 5, 5, 17), input_error);
}

// 2^40 / 64 rows of pieces by 2^40 / 16 columns of them are 2^70 pieces: more than can be counted.
TEST(cim_mapping, pieces_beyond_counting_are_an_error) {
  const auto m = from_yaml(small);
  EXPECT_NO_THROW(fold_layer(*m, std::int64_t{1} << 30, std::int64_t{1} << 30, 8));  // 2^50
  EXPECT_THROW(fold_layer(*m, std::int64_t{1} << 40, std::int64_t{1} << 40, 8), std::overflow_error);
}

TEST(cim_mapping, flexible_macros_take_as_many_as_wanted) {
  const auto m = load_macro("hbm_pim");
  const fold f = fold_layer(*m, 8192, 11008, 16, 64);
  EXPECT_EQ(f.row_folds, 1);
  EXPECT_EQ(f.col_folds, 64);
  EXPECT_EQ(f.piece_cols, 172);
  // 1024 channels and 8192 outputs: 64 outputs fill the units of a channel, so 128 column pieces, each cut in
  // eight along K.
  const fold wide = fold_layer(*m, 8192, 8192, 16, 1024);
  EXPECT_EQ(wide.col_folds, 128);
  EXPECT_EQ(wide.row_folds, 8);
  EXPECT_EQ(fold_layer(*m, 8192, 8192, 16).pieces(), 1);
}

// Six copies of four pieces; 20 macros: five copies would fill them, but one macro is kept for streaming:
// four stay.
TEST(cim_mapping, what_does_not_fit_streams) {
  const auto m = from_yaml(small);
  placement_options o;
  o.macro_count = 20;
  const mapped_layers p = place_layers(*m, {{"a", 128, 32, 8, 6, 1}}, o);
  EXPECT_EQ(p.layers[0].resident, 4);
  EXPECT_EQ(p.layers[0].streamed, 2);
  EXPECT_EQ(p.layers[0].rounds, 4);
  EXPECT_FALSE(p.fits());
  EXPECT_EQ(p.resident_bytes, 4 * 128 * 32);
  EXPECT_EQ(p.streamed_bytes, 2 * 128 * 32);
  EXPECT_NE(p.layers[0].reason.find("no room"), std::string::npos);
  o.macro_count = 24;
  EXPECT_TRUE(place_layers(*m, {{"a", 128, 32, 8, 6, 1}}, o).fits());
}

// One macro is the fewest: 64 x 16 weights of 8 bits fill it.
TEST(cim_mapping, one_macro_is_enough_and_none_is_refused) {
  const auto m = from_yaml(small);
  placement_options o;
  o.macro_count = 1;
  const mapped_layers p = place_layers(*m, {{"a", 64, 16, 8, 1, 1}}, o);
  EXPECT_TRUE(p.fits());
  EXPECT_EQ(p.layers[0].resident, 1);
  o.macro_count = 0;
  EXPECT_THROW(place_layers(*m, {{"a", 64, 16, 8, 1, 1}}, o), input_error);
}

TEST(cim_mapping, the_most_used_layers_go_first_when_asked) {
  const auto m = from_yaml(small);
  placement_options o;
  o.macro_count = 5;
  const std::vector<layer_request> layers = {{"cold", 128, 32, 8, 1, 0.1}, {"hot", 128, 32, 8, 1, 1}};
  EXPECT_EQ(place_layers(*m, layers, o).layers[0].resident, 1);
  o.policy = placement_policy::most_used;
  const mapped_layers p = place_layers(*m, layers, o);
  EXPECT_EQ(p.layers[0].resident, 0);
  EXPECT_EQ(p.layers[1].resident, 1);
}

TEST(cim_mapping, macros_left_over_hold_replicas) {
  const auto m = from_yaml(small);
  placement_options o;
  o.macro_count = 14;
  o.max_replicas = 10;
  const mapped_layers p = place_layers(*m, {{"a", 128, 32, 8, 1, 1}, {"b", 64, 32, 8, 1, 1}}, o);  // 4 and 2 macros
  EXPECT_EQ(p.layers[0].replicas, 2);
  EXPECT_EQ(p.layers[1].replicas, 3);
  EXPECT_EQ(p.slots_used, 14);
  o.max_replicas = 2;
  EXPECT_EQ(place_layers(*m, {{"a", 128, 32, 8, 1, 1}, {"b", 64, 32, 8, 1, 1}}, o).layers[1].replicas, 2);
}

TEST(cim_mapping, bytes_are_conserved) {
  std::mt19937_64 random(2);
  const auto m = from_yaml(small);
  for (int round = 0; round < 200; ++round) {
    std::vector<layer_request> layers;
    double bytes = 0;
    for (std::uint64_t i = 0; i < 1 + random() % 5; ++i) {
      layers.push_back({"l", 1 + static_cast<std::int64_t>(random() % 500),
                        1 + static_cast<std::int64_t>(random() % 500), 1 + static_cast<int>(random() % 8),
                        1 + static_cast<std::int64_t>(random() % 4), 1.0});
      bytes += static_cast<double>(layers.back().k * layers.back().n * layers.back().copies) * layers.back().w_bits / 8;
    }
    placement_options o;
    o.macro_count = 1 + static_cast<std::int64_t>(random() % 2000);
    const mapped_layers p = place_layers(*m, layers, o);
    ASSERT_NEAR(p.resident_bytes + p.streamed_bytes, bytes, 1e-6 * bytes);
    ASSERT_LE(p.slots_used + p.stream_slots, p.macro_slots);
  }
}

namespace {

// Every tile on its own: each vector enters the chip, then each tile, the macros compute, the sums leave. One
// event a transfer.
struct detailed_chip {
  hierarchy_params h;
  const macro& m;
  double run(const fold& f, std::int64_t vectors, int in_bits, int w_bits) const {
    const mvm_cost one = m.mvm({f.piece_rows, f.piece_cols, 1, in_bits, w_bits, 0});
    const double input = static_cast<double>((f.piece_rows * in_bits + 7) / 8),
                 output = static_cast<double>(one.output_bytes);
    const std::int64_t tiles = (f.pieces() + h.macros_per_tile - 1) / h.macros_per_tile;
    double chip_free = 0, last = 0;
    std::vector<double> tile_free(static_cast<std::size_t>(tiles), 0), add_free(tile_free),
        macro_free(static_cast<std::size_t>(f.pieces()), 0);
    for (std::int64_t v = 0; v < vectors; ++v) {
      // The whole input once over the chip's network.
      const double in_chip =
          chip_free + input * static_cast<double>(std::min(f.row_folds, f.pieces())) / h.chip_network.value * 1e12;
      chip_free = in_chip;
      double out_chip = in_chip;
      for (std::int64_t t = 0; t < tiles; ++t) {
        const std::int64_t first = t * h.macros_per_tile, count = std::min(h.macros_per_tile, f.pieces() - first);
        double& free = tile_free[static_cast<std::size_t>(t)];
        const double in_tile = std::max(free, in_chip) +
                               input * static_cast<double>(std::min(f.row_folds, count)) / h.tile_network.value * 1e12;
        double computed = in_tile;
        for (std::int64_t i = first; i < first + count; ++i) {
          double& busy = macro_free[static_cast<std::size_t>(i)];
          busy = std::max(busy + static_cast<double>(one.interval), in_tile + static_cast<double>(one.total));
          computed = std::max(computed, busy);
        }
        free = in_tile + output * static_cast<double>(count) / h.tile_network.value * 1e12;
        const std::int64_t columns = (count + f.row_folds - 1) / f.row_folds;
        double& adder = add_free[static_cast<std::size_t>(t)];
        adder = std::max(adder, computed) +
                static_cast<double>((count - columns) * f.piece_cols) / h.accumulate_rate.value * 1e12;
        out_chip = std::max(out_chip, adder);
        chip_free += output * static_cast<double>(columns) / h.chip_network.value * 1e12;
      }
      last = std::max(out_chip, chip_free);
    }
    return last;
  }
};

}  // namespace

// Where both can run, the whole equals the detail: identical tiles are costed once, yet the time for many
// vectors is within two percent of simulating every tile, whichever resource is the wall.
TEST(cim_hierarchy, the_whole_equals_the_detail) {
  const auto m = from_yaml(small);
  for (const auto& [tile_bw, chip_bw, adds] : {std::tuple{1e12, 4e12, 1e12}, std::tuple{4e9, 4e12, 1e12},
                                               std::tuple{1e12, 16e9, 1e12}, std::tuple{1e12, 4e12, 2e9}}) {
    hierarchy_params h;
    h.macros_per_tile = 8;
    h.tiles_per_chip = 16;
    h.tile_network = bandwidth(tile_bw);
    h.chip_network = bandwidth(chip_bw);
    h.accumulate_rate = op_rate(adds);
    const fold f = fold_layer(*m, 64 * 8, 16 * 16, 8);  // 8 x 16 pieces: one column a tile
    const layer_cost c = cost_layer(h, *m, f, 400, 8, 8);
    EXPECT_EQ(c.parts.sum(), c.total);
    EXPECT_EQ(c.tiles, 16);
    const double detail = detailed_chip{h, *m}.run(f, 400, 8, 8);
    EXPECT_NEAR(static_cast<double>(c.total) / detail, 1, 0.02) << tile_bw << ' ' << chip_bw << ' ' << adds;
  }
}

TEST(cim_hierarchy, networks_become_the_wall_and_show) {
  const auto m = from_yaml(small);
  hierarchy_params h;
  h.tiles_per_chip = 16;
  const fold f = fold_layer(*m, 512, 256, 8);
  h.chip_network = bandwidth(1e9);
  const layer_cost slow = cost_layer(h, *m, f, 100, 8, 8);
  h.chip_network = bandwidth(1e13);
  const layer_cost fast = cost_layer(h, *m, f, 100, 8, 8);
  EXPECT_GT(slow.total, fast.total);
  EXPECT_GT(slow.parts[stall::bus_transfer], slow.total / 2);
  EXPECT_GT(fast.parts[stall::cim_array], fast.total / 4);
  h.tiles_per_chip = 1;
  EXPECT_THROW(cost_layer(h, *m, f, 1, 8, 8), input_error);
}
