// SPDX-License-Identifier: Apache-2.0
// Macros as a core: what is resident, what streams, what sits in a memory of its own.
#include <gtest/gtest.h>

#include "hw/cim/cim_model.h"
#include "hw/cim/dram_bank.h"
#include "hw/common/checked.h"
#include "hw/dram/memory.h"
#include "tests/cim/support.h"

using namespace memwall;

namespace {

std::unique_ptr<core_model> core(const std::string& yaml) {
  problem_list problems;
  auto out = core_kinds().get("cim").make(config::node::parse_text(yaml, "test.yaml"), problems, "modules.cim");
  problems.check();
  return out;
}

operation product(std::int64_t m, std::int64_t k, std::int64_t n, bool resident) {
  operation op;
  op.m = m;
  op.k = k;
  op.n = n;
  op.weight_bits = 8;
  op.flops = 2.0 * static_cast<double>(m * k * n);
  operand w;
  w.tensor = 1;
  w.bytes = k * n;
  w.resident = resident;
  op.operands = {w};
  return op;
}

const char* const crossbars =
    "{type: cim, macro: {type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8, endurance: 1e6},"
    " hierarchy: {macros_per_tile: 8, tiles_per_chip: 4}}";

}  // namespace

// 128 x 128 pieces, 32 macros: 256 x 512 is one round of eight; 1024 x 1024 takes 64 pieces: two rounds, each
// macro written twice.
TEST(cim_model, streamed_weights_are_programmed_and_wear_the_cells) {
  auto c = core(crossbars);
  EXPECT_EQ(c->plan(product(1, 256, 512, true)).compute[stall::cim_program], 0);
  EXPECT_EQ(c->figures(1'000'000'000'000)["programmings_per_macro"], 0.0);
  const work w = c->plan(product(1, 1024, 1024, false));
  EXPECT_GT(w.compute[stall::cim_program], 0);
  ASSERT_EQ(w.accesses.size(), 1U);
  EXPECT_EQ(w.accesses[0].bytes, 1024 * 1024);
  const auto f = c->figures(1'000'000'000'000);  // one second
  EXPECT_EQ(f["programmings_per_macro"], 2.0);
  EXPECT_NEAR(f["endurance_used_per_day"].get<double>(), 2 * 86400 / 1e6, 1e-9);
}

// A weight takes a cell whatever its width, and a matrix whole macros: 1, then 2 x 1 of 32.
TEST(cim_model, narrow_weights_and_folding_take_cells) {
  auto c = core(crossbars);
  EXPECT_EQ(c->arrays()->cells_used(), 0);
  EXPECT_EQ(c->arrays()->reserve(128, 128, 4), "");
  EXPECT_EQ(c->arrays()->cells_used(), 1 / 32.0);
  EXPECT_EQ(c->arrays()->reserve(200, 100, 8), "");
  EXPECT_EQ(c->arrays()->cells_used(), 3 / 32.0);
}

// Banks hold any matrices as long as their weights fit: twice three fifths do not.
TEST(cim_model, banks_hold_weights_until_they_are_full) {
  auto c = core("{type: cim, macro: hbm_pim}");
  const std::int64_t capacity = c->arrays()->weight_capacity() / 2;  // 16 bits each
  const std::int64_t columns = capacity * 3 / 5 / 1024;
  EXPECT_EQ(c->arrays()->reserve(1024, columns, 16), "");
  EXPECT_NE(c->arrays()->reserve(1024, columns, 16).find("are taken"), std::string::npos);
  EXPECT_EQ(c->arrays()->reserve(1024, columns / 2, 16), "") << "what was refused takes nothing";
}

TEST(cim_model, resident_weights_cause_no_transfers) {
  auto c = core(crossbars);
  EXPECT_TRUE(c->plan(product(4, 128, 128, true)).accesses.empty());
  EXPECT_EQ(c->arrays()->weight_capacity(), 32 * 128 * 128);
  EXPECT_EQ(c->in_banks(), nullptr);
  const auto pim = core("{type: cim, macro: hbm_pim, memory: mem}");
  EXPECT_EQ(pim->arrays(), nullptr) << "the memory's own room";
  EXPECT_EQ(pim->in_banks()->memory(), "mem");
}

// 32 macros of 128 x 128: 4096 columns are one weight set, 8192 two, one after the other. 8193 are halved to 4097,
// which are 33 pieces, and again: four sets.
TEST(cim_model, resident_weights_beyond_the_macros_take_turns) {
  const auto of = [](std::int64_t columns) {
    auto c = core(
        "{type: cim, macro: {type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8}, pipeline: false, "
        "hierarchy: {macros_per_tile: 8, tiles_per_chip: 4}}");
    const ps_t time = c->plan(product(1, 128, columns, true)).compute[stall::cim_array];
    double energy = 0;
    for (const auto& [part, pj] : c->energy_parts())
      if (part == "array") energy = pj;
    return std::pair(time, energy);
  };
  const auto one = of(4096), two = of(8192), four = of(16384), odd = of(8193);
  EXPECT_GT(one.first, 0);
  EXPECT_EQ(of(128).first, one.first) << "side by side";
  EXPECT_EQ(two.first, 2 * one.first);
  EXPECT_EQ(four.first, 4 * one.first);
  EXPECT_EQ(odd.first, 4 * one.first);
  EXPECT_GT(one.second, 0);
  EXPECT_NEAR(two.second, 2 * one.second, 1e-9 * two.second);
  EXPECT_NEAR(four.second, 4 * one.second, 1e-9 * four.second);
}

// What a layer costs (cost_layer, which test_hierarchy holds) is what its vectors take: of one weight set all vectors,
// of two twice that. With the pipeline the first vector takes its time alone, and those behind it follow at the layer's
// interval; a second layer adds its own first vector, and what its interval is longer.
TEST(cim_model, resident_vectors_take_what_the_layer_costs) {
  const std::string crossbar = "{type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8}";
  const auto macro = cim::test::from_yaml(crossbar);
  cim::hierarchy_params h;
  h.macros_per_tile = 8;
  h.tiles_per_chip = 4;
  const auto cost = [&](std::int64_t columns, std::int64_t vectors) {
    return cim::cost_layer(h, *macro, cim::fold_layer(*macro, 128, columns, 8), vectors, 8, 8);
  };
  const auto of = [&](const char* pipeline) {
    return core("{type: cim, macro: " + crossbar + ", pipeline: " + pipeline +
                ", hierarchy: {macros_per_tile: 8, tiles_per_chip: 4, chip_network: " +
                std::to_string(h.chip_network.value / 1e9) + " GB/s}}");
  };
  const auto arrays = [](const work& w) { return w.compute.sum() - w.compute[stall::compute]; };
  struct expected {
    std::int64_t columns, set, turns;  // columns of the matrix and of a weight set
  };
  for (const double network : {4e9, 256e9})
    for (const expected& e : {expected{128, 128, 1}, expected{4096, 4096, 1}, expected{8192, 4096, 2}})
      for (const std::int64_t vectors : {1, 2, 7}) {
        h.chip_network = bandwidth(network);
        SCOPED_TRACE(std::to_string(e.columns) + " columns, " + std::to_string(vectors) + " vectors");
        const auto one = cost(e.set, 1), all = cost(e.set, vectors);
        const operation op = product(vectors, 128, e.columns, true);
        const auto plain = of("false"), piped = of("true");
        const work w = plain->plan(op);
        EXPECT_EQ(arrays(w), e.turns * all.total);
        for (const stall c : {stall::cim_array, stall::cim_digital, stall::link, stall::bus_transfer})
          EXPECT_NEAR(static_cast<double>(w.compute[c]), static_cast<double>(e.turns * all.parts[c]), 20);
        double spent = 0;
        for (const auto& [part, pj] : plain->energy_parts())
          if (part != "vector_unit" && part != "global_buffer") spent += pj;
        const double costs =
            static_cast<double>(e.turns) *
            (all.macro_energy.sum() + all.network_pj + all.accumulate_pj - all.macro_energy[cim::component::leakage]);
        EXPECT_NEAR(spent, costs, 1e-9 * costs);
        const ps_t behind = e.turns * (vectors - 1) * std::max(all.own_interval, all.port_interval);
        EXPECT_EQ(arrays(piped->plan(op)), e.turns * one.total + behind);
        // Its like behind it: both at once, but for a port that they share.
        const ps_t port = all.shares_chip ? e.turns * (vectors - 1) * 2 * all.port_interval : 0;
        EXPECT_EQ(arrays(piped->plan(op)), e.turns * one.total + std::max(behind, port) - behind);
      }
}

// Two copies of a layer of 16 macros in 32: each has half of the vectors, the busiest one more of an odd number.
TEST(cim_model, replicas_share_the_vectors) {
  const auto of = [](std::int64_t replicas, std::int64_t vectors) {
    auto c = core(
        "{type: cim, macro: {type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8}, pipeline: false, "
        "max_replicas: " +
        std::to_string(replicas) + ", hierarchy: {macros_per_tile: 8, tiles_per_chip: 4}}");
    c->arrays()->make_resident(1, 128, 2048, 8);
    c->arrays()->replicate();
    const work w = c->plan(product(vectors, 128, 2048, true));
    return std::pair(w.compute.sum() - w.compute[stall::compute], w.energy_pj);
  };
  EXPECT_EQ(of(2, 8).first, of(1, 4).first);
  EXPECT_EQ(of(2, 7).first, of(1, 4).first);
  EXPECT_EQ(of(2, 1).first, of(1, 1).first);
  EXPECT_NEAR(of(2, 8).second, of(1, 8).second, 1e-9 * of(1, 8).second) << "the work is the same";
}

// Four experts on a chip of eight macros, three vectors each: their data cross the port one after another, which takes
// longer than one of them alone where the port is slow. Vectors of different experts do not follow one another.
TEST(cim_model, experts_of_a_chip_take_turns_at_its_port) {
  const std::string crossbar = "{type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8}";
  const auto macro = cim::test::from_yaml(crossbar);
  operation op = product(3, 128, 128, true);
  op.batch = 4;
  for (const double network : {4e9, 4e12})
    for (const char* pipeline : {"false", "true"}) {
      cim::hierarchy_params h;
      h.macros_per_tile = 1;
      h.tiles_per_chip = 8;
      h.chip_network = bandwidth(network);
      const auto all = cim::cost_layer(h, *macro, cim::fold_layer(*macro, 128, 128, 8), 3, 8, 8);
      const auto c =
          core("{type: cim, macro: " + crossbar + ", pipeline: " + pipeline +
               ", hierarchy: {macros_per_tile: 1, tiles_per_chip: 8, chip_network: " + std::to_string(network / 1e9) +
               " GB/s}}");
      const work w = c->plan(op);
      EXPECT_EQ(all.port_interval > all.own_interval, network < 1e12);
      const ps_t others = network < 1e12 ? 3 * (4 - 1) * all.port_interval : 0;
      EXPECT_EQ(w.compute.sum() - w.compute[stall::compute], all.total + others) << network << ' ' << pipeline;
      EXPECT_EQ(c->plan(op).compute.sum(), w.compute.sum()) << "nor those of the next operator";
    }
}

// The longest run is 9,000 s. A quarter of it takes one expert at a port of 4 GB/s; two on the chip take half of it,
// eight twice as long. The same with weight sets one after another, of which a fast port is no part.
TEST(cim_model, what_takes_too_long_together_is_refused) {
  const std::string crossbar = "{type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8}";
  const auto macro = cim::test::from_yaml(crossbar);
  const auto plan = [&](double network, std::int64_t set, std::int64_t sets, std::int64_t experts,
                        std::int64_t macros = 8) {
    cim::hierarchy_params h;
    h.macros_per_tile = 1;
    h.tiles_per_chip = macros;
    h.chip_network = bandwidth(network);
    const auto cost = cim::cost_layer(h, *macro, cim::fold_layer(*macro, 128, set, 8), 1, 8, 8);
    operation op = product(1, 128, set * sets, true);
    op.m = longest_run / 4 / std::max(cost.own_interval, cost.port_interval);
    op.batch = experts;
    return core("{type: cim, macro: " + crossbar +
                ", pipeline: false, vector_rate: 1000000 TOPS, hierarchy: {macros_per_tile: 1, tiles_per_chip: " +
                std::to_string(macros) +
                ", "
                "chip_network: " +
                std::to_string(network / 1e9) + " GB/s}}")
        ->plan(op);
  };
  EXPECT_NO_THROW(plan(4e9, 128, 1, 1));
  EXPECT_NO_THROW(plan(4e9, 128, 1, 2));
  EXPECT_THROW(plan(4e9, 128, 1, 8), std::overflow_error);
  EXPECT_THROW(plan(4e9, 128, 1, 6, 2), std::overflow_error) << "two at a time, three times";
  EXPECT_NO_THROW(plan(4e12, 8 * 128, 1, 1)) << "eight macros side by side";
  EXPECT_NO_THROW(plan(4e12, 8 * 128, 2, 1));
  EXPECT_THROW(plan(4e12, 8 * 128, 8, 1), std::overflow_error);
}

// Four experts of one piece each. With a chip to each they compute at the same time; on one chip their vectors take
// turns at its port, which 4 GB/s make the slowest part: one byte in and some out for each row and column.
TEST(cim_model, experts_in_arrays_of_their_own_compute_side_by_side) {
  const std::string macro =
      "{type: cim, macro: {type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8}, pipeline: false, "
      "hierarchy: ";
  const auto of = [&](const std::string& hierarchy, std::int64_t experts) {
    operation op = product(1, 128, 128, true);
    op.batch = experts;
    return core(macro + hierarchy + "}")->plan(op);
  };
  const std::string chips = "{macros_per_tile: 1, tiles_per_chip: 1, chips: 8, chip_network: 4 GB/s}";
  const work one = of(chips, 1), four = of(chips, 4), sixteen = of(chips, 16);
  EXPECT_EQ(four.compute.sum(), one.compute.sum());
  EXPECT_EQ(sixteen.compute.sum(), 2 * one.compute.sum()) << "eight macros, twice";
  EXPECT_NEAR(four.energy_pj, 4 * one.energy_pj, 1e-9 * four.energy_pj);
  const std::string chip = "{macros_per_tile: 1, tiles_per_chip: 8, chips: 1, chip_network: 4 GB/s}";
  const work alone = of(chip, 1), shared = of(chip, 4);
  const ps_t port =
      alone.compute[stall::bus_transfer];  // and the tile's network, its latencies: a little more than the port's time
  EXPECT_GT(shared.compute.sum(), alone.compute.sum() + 2 * port);
  EXPECT_LT(shared.compute.sum(), alone.compute.sum() + 3 * port);
}

// What remedies cost, on a unit of 2 TOPS at 1 pJ an operation, for 4 vectors of 128 inputs and 64 outputs. Ranges by
// vector: two operations an input, 1024 in 512 ps. Scales by column: one an output, 256 in 128 ps, and two bytes of the
// buffer each of the 64.
TEST(cim_model, ranges_by_vector_and_scales_by_column_take_the_vector_unit) {
  const auto of = [](const std::string& more) {
    return core(
               "{type: cim, macro: {type: analog_crossbar, rows: 128, columns: 512, bits_per_cell: 8}, pipeline: "
               "false, "
               "vector_rate: 2 TOPS, energy_per_flop: 1 pJ, energy_per_buffer_byte: 3 pJ, hierarchy: {macros_per_tile: "
               "8}" +
               more + "}")
        ->plan(product(4, 128, 64, true));
  };
  const work plain = of(""), ranges = of(", input_range: vector"), scales = of(", weight_scale: column"),
             both = of(", input_range: vector, weight_scale: column");
  EXPECT_EQ(ranges.compute[stall::compute] - plain.compute[stall::compute], 512);
  EXPECT_NEAR(ranges.energy_pj - plain.energy_pj, 1024, 1e-6);
  EXPECT_EQ(scales.compute[stall::compute] - plain.compute[stall::compute], 128);
  EXPECT_NEAR(scales.energy_pj - plain.energy_pj, 256 + 2 * 64 * 3, 1e-6);
  EXPECT_EQ(both.compute.sum() - plain.compute.sum(), 640);
}

// Four bits in groups of 32 with a scale each: integer arrays take 128 rows in four parts, wherever the weights come
// from. With a scale an output they take them at once, and units beside DRAM banks hold real numbers.
TEST(cim_model, groups_of_weights_cut_the_columns_of_integer_arrays) {
  const auto time = [](const std::string& text, std::int64_t group, bool resident) {
    operation op = product(1, 128, 64, resident);
    op.weight_bits = 4.5;
    op.weight_group = group;
    return core(text)->plan(op).compute;
  };
  const std::string macro =
      "{type: cim, macro: {type: digital_sram, rows: 128, bit_columns: 1024, clock: 1 GHz, pipeline_cycles: 2}, "
      "pipeline: false, hierarchy: {macros_per_tile: 8, accumulate_rate: 1 TOPS}";
  for (const bool resident : {true, false}) {
    const auto plain = time(macro + "}", 0, resident), grouped = time(macro + "}", 32, resident);
    // Eight bits of the input take 8 ns a part. 64 columns of four products and four sums, 512 operations at 1 T a
    // second.
    EXPECT_EQ(grouped[stall::cim_array] + grouped[stall::cim_input] - plain[stall::cim_array] - plain[stall::cim_input],
              3 * 8'000);
    EXPECT_EQ(grouped[stall::cim_digital] - plain[stall::cim_digital], 512);
    EXPECT_EQ(time(macro + ", weight_scale: column}", 32, resident)[stall::cim_array], plain[stall::cim_array]);
  }
  const std::string banks = "{type: cim, macro: hbm_pim, memory: mem, hierarchy: {macros_per_tile: 16}}";
  EXPECT_EQ(time(banks, 32, true).sum(), time(banks, 0, true).sum());
}

// 1 mW a macro and 3 mW a tile of one macro: what is gated keeps a tenth, what computes has all of it, and 50 ns
// before.
TEST(cim_model, power_gating_leaves_a_share_of_the_leakage_to_what_is_idle) {
  const std::string macro =
      "{type: cim, macro: {type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8, leakage: 1 mW}, "
      "hierarchy: "
      "{macros_per_tile: 1, tiles_per_chip: 1, chips: 10, tile_leakage: 3 mW";
  const auto leakage = [](core_model& c) {
    for (const auto& [part, pj] : c.energy_parts())
      if (part == "leakage") return pj;
    return 0.0;
  };
  const auto on = core(macro + "}}"), gated = core(macro + ", gated_leakage: 0.1, wake_ahead: 50 ns}}");
  EXPECT_NEAR(on->idle_power().value, 40e-3, 1e-12);
  EXPECT_NEAR(gated->idle_power().value, 4e-3, 1e-12);
  on->plan(product(1, 128, 128, true));
  EXPECT_EQ(leakage(*on), 0) << "all of it is idle power";
  const ps_t time = gated->plan(product(1, 128, 128, true)).compute.sum();
  EXPECT_NEAR(leakage(*gated), 0.9 * 4e-3 * static_cast<double>(time + 50'000), 1e-6);  // W x ps = pJ
}

// 32 heads of 128 over 4096 positions: 2 x 2 x 4096 x 128 x 32 = 67 MFLOP of products, and a score's five
// operations on the vector unit: 5 x 4096 x 32 of them at 2 TOPS = 328 ns.
TEST(cim_model, attention_over_a_cache_in_the_banks_runs_beside_them) {
  auto c = core(
      "{type: cim, macro: hbm_pim, memory: mem, in_bits: 16, vector_rate: 2 TOPS, hierarchy: "
      "{macros_per_tile: 16, tiles_per_chip: 4}}");
  operation op = product(1, 128, 4096, true);
  op.kind = work_kind::attention;
  op.batch = 32;
  op.flops = 67e6;
  const work beside = c->plan(op);
  EXPECT_GT(beside.compute[stall::cim_array], 0);
  EXPECT_EQ(beside.compute[stall::compute], 5 * 4096 * 32 / 2);
  op.operands[0].resident = false;
  const work outside = c->plan(op);
  EXPECT_EQ(outside.compute[stall::cim_array], 0);
  EXPECT_EQ(outside.compute[stall::compute], 67'000'000 / 2);
  EXPECT_EQ(outside.accesses.size(), 1U);
}

// Both products of attention, as the hierarchy's costs say (test_hierarchy holds them): scores, 128 by the positions of
// all heads, and values, the positions by 128 of each; for every query of a group of four.
TEST(cim_model, attention_in_the_banks_costs_its_two_products) {
  const std::string hierarchy = "{macros_per_tile: 16, tiles_per_chip: 4}";
  const auto c = core("{type: cim, macro: hbm_pim, memory: mem, in_bits: 16, hierarchy: " + hierarchy + "}");
  const auto macro = cim::load_macro("hbm_pim");
  cim::hierarchy_params h;
  h.macros_per_tile = 16;
  h.tiles_per_chip = 4;
  operation op = product(1, 128, 4096, true);
  op.kind = work_kind::attention;
  op.batch = 32;
  op.group = 4;
  const work w = c->plan(op);
  double time = 0, energy = 0;
  for (const auto& [k, n] : {std::pair{128, 4096 * 32}, std::pair{4096, 128 * 32}}) {
    const auto cost = cim::cost_layer(h, *macro, cim::fold_layer(*macro, k, n, 16, h.macros()), 4, 16, 16);
    time += static_cast<double>(cost.parts.sum());
    energy +=
        cost.macro_energy.sum() - cost.macro_energy[cim::component::leakage] + cost.network_pj + cost.accumulate_pj;
  }
  EXPECT_NEAR(static_cast<double>(w.compute.sum() - w.compute[stall::compute]), time, 20);
  double spent = 0;
  for (const auto& [part, pj] : c->energy_parts())
    if (part != "vector_unit" && part != "global_buffer" && part != "leakage") spent += pj;
  EXPECT_NEAR(spent, energy, 1e-9 * energy);
}

// A layer of 8 macros in 32: as many copies as are allowed and fit, each written like the first, all side by side.
TEST(cim_model, replicas_are_written_like_the_first) {
  for (const std::int64_t most : {1, 2, 3}) {
    auto c = core(
        "{type: cim, macro: {type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8, pulse_energy: 3 pJ}, "
        "max_replicas: " +
        std::to_string(most) + ", hierarchy: {macros_per_tile: 8, tiles_per_chip: 4}}");
    const auto first = c->arrays()->make_resident(1, 128, 1024, 8);
    const auto more = c->arrays()->replicate();
    EXPECT_GT(first.energy_pj, 0);
    EXPECT_NEAR(more.energy_pj, static_cast<double>(most - 1) * first.energy_pj, 1e-9 * first.energy_pj) << most;
    EXPECT_EQ(more.cell_writes, static_cast<double>(most - 1) * first.cell_writes);
    EXPECT_EQ(more.time > 0, most > 1);
  }
}

// 32 macros of 0.03 mm2 in four tiles of 0.1: 0.96 + 0.4. Who states no area of the arrays has none.
TEST(cim_model, area_is_that_of_macros_and_tiles) {
  const auto of = [](const std::string& area) {
    return core("{type: cim, macro: {type: analog_crossbar, rows: 128, columns: 128, bits_per_cell: 8" + area +
                "}, hierarchy: {macros_per_tile: 8, tiles_per_chip: 4, tile_area: 0.1 mm2}}")
        ->figures(1);
  };
  const auto f = of(", array_area: 0.01 mm2, adc_area: 0.02 mm2");
  EXPECT_NEAR(f["area_mm2"].get<double>(), 1.36, 1e-9);
  EXPECT_NEAR(f["macro_tops_per_mm2"].get<double>(), f["macro_tops"].get<double>() / 0.03,
              1e-9 * f["macro_tops_per_mm2"].get<double>());
  EXPECT_FALSE(of("").contains("area_mm2"));
}

// The DRAM room's engine and the sequencer that PIM programs run through agree on a plain stream of reads.
TEST(cim_model, plain_traffic_agrees_with_the_memory_of_the_dram_room) {
  const auto m = cim::load_macro("hbm_pim");
  const auto& bank = dynamic_cast<const cim::dram_bank&>(*m);
  dram::standard s = dram::load_standard("HBM2");
  s.org = bank.organisation();
  s.org.ranks = 1;
  s.t = bank.timing();
  constexpr std::int64_t bytes = 4 << 20;
  const dram::address_map map({"", 1, 256}, s.org);
  dram::memory memory(s, map, dram::controller_params{});
  dram::transfer t;
  t.bytes = bytes;
  memory.submit(t);
  std::vector<dram::completion> done;
  for (ps_t now = 0; done.empty() && now != never;) {
    now = memory.advance(now);
    memory.take_completions(done);
  }
  ASSERT_EQ(done.size(), 1U);
  const double sequencer_ps = static_cast<double>(bank.host_cycles(bytes, 0).total) * 1000;
  EXPECT_NEAR(sequencer_ps / static_cast<double>(done[0].done), 1, 0.03);
}
