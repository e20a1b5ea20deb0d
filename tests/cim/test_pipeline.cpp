// SPDX-License-Identifier: Apache-2.0
// Layers in arrays of their own, on different vectors at the same time: the sum that the core books against every
// vector followed through every operator.
#include <gtest/gtest.h>

#include <random>

#include "hw/cim/cim_model.h"
#include "hw/cim/pipeline.h"

using namespace memwall;
using namespace memwall::cim;

namespace {

struct stage {
  ps_t first = 0, interval = 0;
  bool shared = false;  // on the vector unit
};

// Vector v enters stage i when it has left stage i - 1 and the stage can take one more; the vector unit serves one
// (stage, vector) at a time, first come first served.
ps_t followed(const std::vector<stage>& stages, std::int64_t vectors) {
  struct visit {
    ps_t ready;
    std::size_t stage;
    std::int64_t vector;
  };
  std::vector<ps_t> next(stages.size(), 0);  // when a stage takes another vector
  ps_t unit = 0, last = 0;
  std::vector<visit> open;
  for (std::int64_t v = 0; v < vectors; ++v) open.push_back({0, 0, v});
  while (!open.empty()) {
    // The earliest start of all; ties go to the vector that is further on.
    std::size_t best = 0;
    ps_t at = never;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const stage& s = stages[open[i].stage];
      const ps_t start = std::max(open[i].ready, s.shared ? unit : next[open[i].stage]);
      if (start < at || (start == at && open[i].vector < open[best].vector)) at = start, best = i;
    }
    visit v = open[best];
    const stage& s = stages[v.stage];
    (s.shared ? unit : next[v.stage]) = at + s.interval;
    v.ready = at + s.first;
    last = std::max(last, v.ready);
    if (++v.stage == stages.size())
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(best));
    else
      open[best] = v;
  }
  return last;
}

ps_t booked(const std::vector<stage>& stages, std::int64_t vectors) {
  vector_pipeline p;
  ps_t sum = 0;
  for (const stage& s : stages) {
    stage_load load;
    (s.shared ? load.vector : load.own) = (vectors - 1) * s.interval;
    sum += p.add(vectors, s.first, load);
  }
  return sum;
}

}  // namespace

TEST(cim_pipeline, arrays_of_their_own_add_up_exactly) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<stage> stages;
    for (std::uint64_t i = 0; i < 1 + random() % 8; ++i) {
      const auto interval = static_cast<ps_t>(1 + random() % 1000);
      stages.push_back({interval + static_cast<ps_t>(random() % 3000), interval, false});
    }
    const auto vectors = static_cast<std::int64_t>(1 + random() % 40);
    ASSERT_EQ(booked(stages, vectors), followed(stages, vectors)) << round;
  }
}

// A unit that several operators use serves their vectors in turn: its loads add up. Never less than the work it has,
// and within a few vectors' time of following every one.
TEST(cim_pipeline, operators_on_one_vector_unit_share_it) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 60; ++round) {
    std::vector<stage> stages;
    ps_t alone = 0;
    for (std::uint64_t i = 0; i < 2 + random() % 6; ++i) {
      const bool shared = random() % 2 == 0;
      const auto interval = static_cast<ps_t>(1 + random() % 1000);
      stages.push_back({shared ? interval : interval + static_cast<ps_t>(random() % 2000), interval, shared});
      alone += stages.back().first;
    }
    constexpr std::int64_t vectors = 200;
    const double model = static_cast<double>(booked(stages, vectors)),
                 detail = static_cast<double>(followed(stages, vectors));
    ASSERT_LE(std::abs(model - detail), 2.0 * static_cast<double>(alone)) << round;
    ASSERT_NEAR(model / detail, 1, 0.05) << round;
  }
}

namespace {

std::unique_ptr<core_model> rack(const std::string& more) {
  problem_list problems;
  auto out = core_kinds().get("cim").make(
      config::node::parse_text(
          "{type: cim, operator_overhead: 0 ns, macro: {type: digital_sram, rows: 64, bit_columns: 128, "
          "weight_granularity: 4,"
          " clock: 1 GHz, pipeline_cycles: 2}, hierarchy: {macros_per_tile: 8, tiles_per_chip: 1, chips: 16, "
          "package_latency: 0 ns}" +
              more + "}",
          "test.yaml"),
      problems, "modules.cim");
  problems.check();
  return out;
}

// 128 x 64 weights of 8 bits: 2 x 4 = 8 of the 64 x 16 macros, one chip.
operation layer(std::uint64_t tensor, std::int64_t vectors) {
  operation op;
  op.m = vectors;
  op.k = 128;
  op.n = 64;
  op.weight_bits = 8;
  operand w;
  w.tensor = tensor;
  w.bytes = 128 * 64;
  w.resident = true;
  op.operands = {w};
  return op;
}

ps_t time_of(core_model& c, int layers, std::int64_t vectors) {
  ps_t sum = 0;
  for (int i = 0; i < layers; ++i) sum += c.plan(layer(static_cast<std::uint64_t>(i), vectors)).compute.sum();
  return sum;
}

void hold(core_model& c, int layers) {
  for (int i = 0; i < layers; ++i) {
    ASSERT_EQ(c.arrays()->reserve(128, 64, 8), "");
    c.arrays()->make_resident(static_cast<std::uint64_t>(i), 128, 64, 8);
  }
  c.arrays()->replicate();
}

}  // namespace

// One layer: F + (M - 1) I. Four alike behind one another, pipelined: 4 F + (M - 1) I; else 4 (F + (M - 1) I).
TEST(cim_pipeline, the_core_runs_layers_on_different_vectors_at_once) {
  auto piped = rack(""), serial = rack(", pipeline: false");
  hold(*piped, 4);
  hold(*serial, 4);
  const ps_t one = time_of(*serial, 1, 1), many = time_of(*serial, 1, 101), following = many - one;
  ASSERT_GT(following, 50 * one / 4);
  EXPECT_EQ(time_of(*serial, 4, 101), 4 * many);
  EXPECT_NEAR(static_cast<double>(time_of(*piped, 4, 101)), static_cast<double>(4 * one + following), 101);
  EXPECT_EQ(time_of(*piped, 4, 1), 4 * one) << "a single vector gains nothing";
}

// Sixteen chips, four layers of one each: three more copies of each fit. 101 vectors over four copies: 26 one after
// another.
TEST(cim_pipeline, replicas_share_the_vectors) {
  auto plain = rack(", pipeline: false"), copied = rack(", pipeline: false, max_replicas: 8"),
       two = rack(", pipeline: false, max_replicas: 2");
  for (auto* c : {plain.get(), copied.get(), two.get()}) hold(*c, 4);
  EXPECT_EQ(time_of(*copied, 1, 101), time_of(*plain, 1, 26));
  EXPECT_EQ(time_of(*two, 1, 101), time_of(*plain, 1, 51));
  EXPECT_EQ(time_of(*copied, 1, 1), time_of(*plain, 1, 1));
}

// The same energy of products whoever computes them, and four times that of writing the weights.
TEST(cim_pipeline, replicas_cost_programming_not_products) {
  auto plain = rack(", pipeline: false"), copied = rack(", pipeline: false, max_replicas: 8");
  double written[2] = {0, 0};
  int i = 0;
  for (auto* c : {plain.get(), copied.get()}) {
    for (int l = 0; l < 4; ++l) {
      c->arrays()->reserve(128, 64, 8);
      written[i] += c->arrays()->make_resident(static_cast<std::uint64_t>(l), 128, 64, 8).cell_writes;
    }
    written[i++] += c->arrays()->replicate().cell_writes;
  }
  EXPECT_EQ(written[1], 4 * written[0]);
  EXPECT_NEAR(copied->plan(layer(0, 100)).energy_pj / plain->plan(layer(0, 100)).energy_pj, 1, 1e-9);
}
