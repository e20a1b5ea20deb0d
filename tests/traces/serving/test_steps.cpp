// SPDX-License-Identifier: Apache-2.0
// Operators of mixed steps against the formulas of a transformer, and layers that stand for others against the whole
// step.
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "models/model.h"
#include "traces/generator.h"
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
      EXPECT_TRUE(o.beside_prompt);
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

TEST(step_operators, decodes_alone_have_a_kernel_of_their_own) {
  const step_operators steps(load_model("llama-2-7b"), dtypes::parse("fp16"), params(), 1000, 1);
  step_shape s = mixed();
  s.chunks.clear();
  for (const auto& x : steps.make(s, 0)) EXPECT_FALSE(x.op.beside_prompt) << x.op.name;
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

/// What an operator takes on a made-up machine: its layer decides, and its rows.
std::vector<outcome> play(const std::vector<step_operator>& operators, const std::function<double(std::int64_t)>& of) {
  std::vector<outcome> out;
  for (const auto& o : operators) {
    outcome x;
    x.parts[static_cast<std::size_t>(stall::dram_data)] = of(o.op.layer);
    x.flops = static_cast<double>(o.op.flops());
    out.push_back(x);
  }
  return out;
}

/// A whole step tells that the layers are of two classes; then a layer of each, and the one before it, stand for all.
TEST(step_costs, a_layer_of_each_class_stands_for_it) {
  const step_operators steps(load_model("opt-1.3b"), dtypes::parse("fp16", ""), params(), 1024, 1);
  step_costs costs(steps, false);
  const std::int64_t layers = steps.model().layers;
  const auto machine = [&](std::int64_t layer) { return layer < 0 ? 7e6 : layer < layers / 3 ? 100e6 : 150e6; };
  const auto total = [&](const probe& p) {
    const auto operators = costs.operators_of(p, 0);
    return std::pair(costs.cost(p, operators, play(operators, machine)), operators.size());
  };
  const probe first = costs.probe_of(mixed());
  EXPECT_TRUE(first.whole);
  const auto [whole, all] = total(first);
  for (int i = 0; i < 2 * layers; ++i) {
    const probe next = costs.probe_of(mixed());
    ASSERT_FALSE(next.whole);
    ASSERT_EQ(next.chosen.size(), 2u);
    const auto [known, some] = total(next);
    EXPECT_LT(some, all / 3);
    EXPECT_NEAR(known.time(), whole.time(), 1e-9 * whole.time());
    EXPECT_NEAR(known.flops, whole.flops, 1e-9 * whole.flops);
  }
}

/// Refreshes decide what layers of a few microseconds take: nothing is left out.
TEST(step_costs, of_short_layers_every_one_runs) {
  const step_operators steps(load_model("opt-1.3b"), dtypes::parse("fp16", ""), params(), 1024, 1);
  step_costs costs(steps, false);
  const probe first = costs.probe_of(mixed());
  const auto operators = costs.operators_of(first, 0);
  costs.cost(first, operators, play(operators, [](std::int64_t) { return 1e6; }));
  EXPECT_TRUE(costs.probe_of(mixed()).whole);
}

/// Caches could hold a good part of it: nothing is left out.
TEST(step_costs, of_a_small_model_every_layer_runs) {
  const step_operators steps(load_model("gpt-2"), dtypes::parse("fp16", ""), params(), 1024, 1);
  step_costs costs(steps, false);
  for (int i = 0; i < 3; ++i) {
    const probe p = costs.probe_of(mixed());
    EXPECT_TRUE(p.whole);
    const auto operators = costs.operators_of(p, i);
    costs.cost(p, operators, play(operators, [](std::int64_t) { return 1.0; }));
  }
}

// Llama-2-7B: 32 layers, keys and values of 4096 values of 2 bytes a token each. Three blocks of 16 tokens go out, one
// comes back: 48 and 16 tokens of 16 KiB a layer.
TEST(step_operators, swaps_copy_blocks_of_every_layer_to_the_host_and_back) {
  server_params p = params();
  p.block_size = 16;
  p.preemption = "swap";
  const step_operators steps(load_model("llama-2-7b"), dtypes::parse("fp16"), p, 1000, 1);
  const auto& tensors = steps.header().tensors;
  const auto swaps = steps.swaps(3, 1, 7);
  ASSERT_EQ(swaps.size(), 64u);
  for (std::size_t i = 0; i < swaps.size(); ++i) {
    const trace::op& o = swaps[i].op;
    const bool back = i >= 32;
    EXPECT_EQ(o.id, i);
    EXPECT_EQ(o.deps, i == 0 ? std::vector<std::uint64_t>{} : std::vector<std::uint64_t>{i - 1}) << "one after another";
    EXPECT_EQ(o.name, "layers." + std::to_string(i % 32) + (back ? ".kv_swap.in" : ".kv_swap.out"));
    EXPECT_EQ(o.layer, static_cast<std::int64_t>(i % 32));
    EXPECT_EQ(o.step, 7);
    EXPECT_EQ(o.flops(), 0);
    EXPECT_EQ(o.kv_heads, 32) << "each device copies its heads";
    std::int64_t read = 0, written = 0;
    for (const auto& u : o.uses) {
      const bool write = u.what == trace::access::write;
      (write ? written : read) += u.bytes;
      const std::string& name = tensors[u.tensor].name;
      const bool host = name.size() > 8 && name.substr(name.size() - 8) == ".swapped";
      EXPECT_EQ(host, write != back) << name;
      EXPECT_EQ(tensors[u.tensor].layer, o.layer);
      EXPECT_EQ(tensors[u.tensor].cls, trace::tensor_class::kv_cache);
    }
    EXPECT_EQ(read, (back ? 16 : 48) * 16384);
    EXPECT_EQ(written, read);
  }
  EXPECT_EQ(steps.swaps(0, 2, 0).size(), 32u);
  EXPECT_TRUE(steps.swaps(0, 0, 0).empty());
  // Who computes again has no room elsewhere.
  p.preemption = "recompute";
  const step_operators again(load_model("llama-2-7b"), dtypes::parse("fp16"), p, 1000, 1);
  EXPECT_LT(again.header().tensors.size(), tensors.size());
}

}  // namespace
}  // namespace memwall::serving
