// SPDX-License-Identifier: Apache-2.0
// Operators of mixed steps against the formulas of a transformer, and the reuse of costs against costs that are known.
#include <gtest/gtest.h>

#include <cmath>

#include "models/model.h"
#include "traces/generator.h"
#include "traces/serving/reuse_curve.h"
#include "traces/serving/step_costs.h"
#include "traces/serving/step_operators.h"

namespace memwall::serving {
namespace {

server_params params() {
  server_params p;
  p.max_num_batched_tokens = 64;
  p.max_num_seqs = 8;
  return p;
}

step_shape mixed() {
  step_shape s;
  s.rows = 3 + 10;
  s.sampled = 4;
  s.contexts = {5, 100, 40};
  s.chunks = {{10, 20}};
  return s;
}

std::int64_t bytes_of_class(const trace::header& h, const trace::op& o, trace::tensor_class c, trace::access a) {
  return o.bytes(h.tensors, c, a);
}

TEST(step_operators, attention_has_the_pairs_and_bytes_of_each_sequence) {
  const model m = load_model("llama-2-7b");  // 32 heads of 128, as many for keys and values
  const step_operators steps(m, dtypes::parse("fp16"), params(), 1000, 1);
  int decodes = 0, chunks = 0, heads = 0;
  for (const auto& s : steps.make(mixed(), 7)) {
    const trace::op& o = s.op;
    EXPECT_EQ(o.step, 7);
    const std::int64_t kv = bytes_of_class(steps.header(), o, trace::tensor_class::kv_cache, trace::access::read);
    if (s.part == segment::decode_attention) {
      ++decodes;
      EXPECT_EQ(o.batch, 3);
      EXPECT_EQ(o.m, 1);
      EXPECT_EQ(o.matmul_flops, 2 * (5 + 100 + 40) * 32 * 2 * 128);
      EXPECT_EQ(kv, (5 + 100 + 40) * 2 * 32 * 128 * 2);
    } else if (s.part == segment::chunk_attention) {
      ++chunks;
      // Query i sees 20 + i positions: 21 + ... + 30.
      EXPECT_EQ(o.matmul_flops, 2 * (255) * 32 * 2 * 128);
      EXPECT_EQ(kv, 30 * 2 * 32 * 128 * 2);
      EXPECT_EQ(o.m, 10);
    } else if (o.name == "layers.3.mlp.down") {
      EXPECT_EQ(o.m, 13);
    } else if (o.kind == trace::op_kind::lm_head) {
      ++heads;
      EXPECT_EQ(o.m, 4);
    }
  }
  EXPECT_EQ(decodes, 32);
  EXPECT_EQ(chunks, 32);
  EXPECT_EQ(heads, 1);
}

TEST(step_operators, a_step_of_equal_decodes_is_a_decode_pass) {
  for (const char* name : {"llama-3.1-8b", "gpt-2", "gemma-2-2b", "mixtral-8x7b", "deepseek-v3"}) {
    const model m = load_model(name);
    trace::workload w;
    w.batch = 4;
    w.context = 50;
    w.types = dtypes::parse("bf16");
    const auto pass = trace::generate(m, w);
    step_shape s;
    s.rows = s.sampled = 4;
    s.contexts = {50, 50, 50, 50};
    const step_operators steps(m, w.types, params(), 1000, w.seed);
    const auto ops = steps.make(s, 0);
    trace::op want;
    std::size_t i = 0;
    for (; pass->next(want); ++i) {
      ASSERT_LT(i, ops.size()) << name;
      const trace::op& got = ops[i].op;
      EXPECT_EQ(got.name, want.name);
      EXPECT_EQ(got.deps, want.deps) << name << " " << got.name;
      EXPECT_EQ(got.matmul_flops, want.matmul_flops) << name << " " << got.name;
      EXPECT_EQ(got.vector_flops, want.vector_flops) << name << " " << got.name;
      EXPECT_EQ(got.m, want.m);
      EXPECT_EQ(got.n, want.n) << name << " " << got.name;
      EXPECT_EQ(got.batch, want.batch);
      for (const auto c :
           {trace::tensor_class::weights, trace::tensor_class::kv_cache, trace::tensor_class::activations})
        for (const auto a : {trace::access::read, trace::access::write})
          EXPECT_EQ(bytes_of_class(steps.header(), got, c, a), bytes_of_class(pass->header(), want, c, a))
              << name << " " << got.name;
    }
    EXPECT_EQ(i, ops.size()) << name;
  }
}

TEST(step_operators, uses_stay_inside_the_pool) {
  const model m = load_model("llama-2-7b");
  const step_operators steps(m, dtypes::parse("fp16"), params(), 64, 1);
  for (const auto& s : steps.make(mixed(), 0))  // 145 positions are read from a pool of 64: shared blocks
    for (const auto& u : s.op.uses) EXPECT_LE(u.offset + u.bytes, steps.header().tensors[u.tensor].bytes);
}

TEST(step_operators, a_window_bounds_what_is_seen) {
  step_shape s;
  s.contexts = {10, 3};
  s.chunks = {{4, 2}, {4, 20}};
  const attention_view v = view_of(s, 4);
  EXPECT_EQ(v.decode_positions, 4 + 3);
  // Queries see 3, 4, 4, 4 positions; of six that are there 6 - but a window of 4 and three more are read.
  EXPECT_EQ(v.chunks[0].pairs, 3 + 4 + 4 + 4);
  EXPECT_EQ(v.chunks[0].positions, 6);
  EXPECT_EQ(v.chunks[1].pairs, 16);
  EXPECT_EQ(v.chunks[1].positions, 7);
}

TEST(step_operators, only_the_layers_asked_for) {
  const model m = load_model("gpt-2");
  const step_operators steps(m, dtypes::parse("fp16"), params(), 1000, 1);
  std::vector<bool> layers(12, false);
  layers[4] = layers[5] = true;
  const auto some = steps.make(mixed(), 0, layers), all = steps.make(mixed(), 0);
  std::vector<std::string> want;
  for (const auto& o : all)
    if (o.op.layer < 0 || o.op.layer == 4 || o.op.layer == 5) want.push_back(o.op.name);
  ASSERT_EQ(some.size(), want.size());
  for (std::size_t i = 0; i < some.size(); ++i) {
    EXPECT_EQ(some[i].op.name, want[i]);
    EXPECT_EQ(some[i].op.id, i);
    for (const auto d : some[i].op.deps) EXPECT_LT(d, i);
    EXPECT_EQ(some[i].op.deps.empty(), i == 0);
  }
}

outcome costs(double time) {
  outcome o;
  o.parts[static_cast<std::size_t>(stall::dram_data)] = time;
  o.energy_pj = 2 * time;
  return o;
}

/// Asks for a size and simulates with `f` what is wanted.
outcome ask(reuse_curve& c, std::int64_t size, const std::function<double(std::int64_t)>& f) {
  std::int64_t wanted = 0;
  for (int i = 0; i < 1000; ++i) {
    if (const auto o = c.at(size, wanted)) return *o;
    c.add(wanted, costs(f(wanted)));
  }
  ADD_FAILURE() << "never known";
  return {};
}

TEST(reuse_curve, a_straight_line_needs_three_points) {
  reuse_curve c({1, 2, 1025}, 0.001);
  const auto line = [](std::int64_t x) { return 100.0 + 3.0 * static_cast<double>(x); };
  for (std::int64_t x = 2; x <= 1024; ++x) {
    const outcome o = ask(c, x, line);
    EXPECT_NEAR(o.time(), line(x), 1e-6);
    EXPECT_NEAR(o.energy_pj, 2 * line(x), 1e-6);
  }
  EXPECT_EQ(c.points(), 3u);
}

TEST(reuse_curve, a_bent_one_is_split_until_it_is_straight_enough) {
  reuse_curve c({1, 2, 1025}, 0.002);
  const auto bent = [](std::int64_t x) { return std::max(1000.0, 7.0 * static_cast<double>(x)); };  // a roofline
  for (std::int64_t x = 2; x <= 1024; x += 5) EXPECT_NEAR(ask(c, x, bent).time(), bent(x), 0.01 * bent(x)) << x;
  EXPECT_LT(c.points(), 40u);
}

TEST(reuse_curve, nothing_is_taken_across_an_edge) {
  reuse_curve c({1, 2, 17, 65}, 0.01);
  const auto jump = [](std::int64_t x) { return x < 17 ? 10.0 : 50.0; };
  EXPECT_EQ(ask(c, 16, jump).time(), 10);
  EXPECT_EQ(ask(c, 17, jump).time(), 50);
  EXPECT_EQ(ask(c, 1, jump).time(), 10);
  EXPECT_EQ(ask(c, 40, jump).time(), 50);
}

TEST(reuse_plane, exact_where_each_size_is_a_line) {
  reuse_plane p;
  const auto f = [](reuse_plane::point q) {
    return 5.0 + 2.0 * static_cast<double>(q.x) + 0.5 * static_cast<double>(q.x) * static_cast<double>(q.y);
  };
  for (const reuse_plane::point at : {reuse_plane::point{3, 700}, {5, 1000}, {8, 1024}, {1, 1}, {100, 3}}) {
    reuse_plane::point wanted;
    std::optional<outcome> o;
    for (int i = 0; i < 20 && !o; ++i) {
      o = p.at(at, wanted);
      if (!o) p.add(wanted, costs(f(wanted)));
    }
    ASSERT_TRUE(o);
    EXPECT_NEAR(o->time(), f(at), 1e-9 * f(at));
  }
}

TEST(reuse_report, the_interval_is_students) {
  reuse_report r;
  r.errors = {0.01, -0.01, 0.02};
  EXPECT_NEAR(r.mean_error(), 0.04 / 3, 1e-12);
  EXPECT_EQ(r.max_error(), 0.02);
  // Mean 0.02 / 3; squared deviations sum to 0.0006 - 0.02^2 / 3; t for 2 degrees of freedom is 4.30265.
  const double deviation = std::sqrt((0.0006 - 0.0004 / 3) / 2);
  EXPECT_NEAR(r.confidence(), 4.30265 * deviation / std::sqrt(3.0), 1e-6);
}

}  // namespace
}  // namespace memwall::serving
