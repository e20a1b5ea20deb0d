// SPDX-License-Identifier: Apache-2.0
#include "platforms/place/mapper.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "models/model.h"
#include "traces/generator.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

platform_description tensor_parallel(int devices) {
  const std::string yaml = R"(
modules:
  hbm: {type: dram, standard: HBM3, count: )" +
                           std::to_string(devices) + R"(}
  gpu: {type: gpu, count: )" +
                           std::to_string(devices) + R"(}
mapping:
  - {executor: gpu, weights: hbm, kv_cache: hbm, activations: hbm}
)";
  return read_platform(config::node::parse_text(yaml, "p.yaml"), "p");
}

std::vector<memory_slot> slots(int devices, std::int64_t capacity) {
  std::vector<memory_slot> out;
  for (int i = 0; i < devices; ++i) {
    memory_slot s;
    s.name = devices == 1 ? "hbm0" : "hbm" + std::to_string(i);
    s.base = static_cast<std::uint64_t>(i + 1) << 44;
    s.capacity = capacity;
    out.push_back(s);
  }
  return out;
}

trace_source source_of(const std::string& model, trace::workload w) {
  const memwall::model m = load_model(model);
  return [m, w] { return trace::generate(m, w); };
}

// Law: what devices ask for sums to what the trace asks for, class by class, weights exactly once over all devices.
TEST(mapper, tensor_parallel_parts_sum_to_the_operator) {
  const trace::workload w;
  const auto source = source_of("llama-2-7b", w);
  for (const int devices : {1, 2, 4, 8}) {
    const auto d = tensor_parallel(devices);
    const placement where(d, slots(devices, std::int64_t{80} << 30), source);
    const auto stream = source();
    trace::op op;
    double flops = 0, split_flops = 0;
    std::int64_t weights = 0, split_weights = 0, repeated = 0;
    while (stream->next(op)) {
      const auto& group = where.executors(where.rule(op));
      const auto parts = split_operator(op, stream->header(), where, group);
      ASSERT_EQ(parts.size(), static_cast<std::size_t>(devices));
      flops += static_cast<double>(op.flops()) * (op.shard == trace::shard::none ? devices : 1);
      weights += op.bytes(stream->header().tensors, trace::tensor_class::weights, trace::access::read);
      if (op.shard == trace::shard::none)
        repeated +=
            (devices - 1) * op.bytes(stream->header().tensors, trace::tensor_class::weights, trace::access::read);
      for (const auto& p : parts) {
        split_flops += p.work.flops;
        for (const auto& o : p.work.operands)
          if (o.kind == traffic::weights) split_weights += o.bytes;
      }
      const auto reduce = all_reduce(op, stream->header(), where, group);
      EXPECT_EQ(reduce.size(), devices > 1 && op.shard == trace::shard::rows ? static_cast<std::size_t>(devices) : 0u)
          << op.name;
    }
    EXPECT_NEAR(split_flops, flops, 1e-9 * flops);
    EXPECT_EQ(split_weights, weights + repeated)
        << devices << " devices: only small unsharded tensors (norms) are read by each";
    EXPECT_LT(repeated, weights / 100);
  }
}

// Five tokens go to two of eight experts each. A kernel is told what each expert gets, and what there was before.
TEST(mapper, experts_are_products_of_their_own_rows) {
  trace::workload w;
  w.batch = 5;
  const auto source = source_of("mixtral-8x7b", w);
  const auto d = tensor_parallel(2);
  const placement where(d, slots(2, std::int64_t{80} << 30), source);
  const auto stream = source();
  int routers = 0, experts = 0;
  for (trace::op op; stream->next(op);)
    for (const auto& part : split_operator(op, stream->header(), where, where.executors(where.rule(op)))) {
      EXPECT_EQ(part.work.routes, op.kind == trace::op_kind::router);
      routers += part.work.routes ? 1 : 0;
      if (op.kind != trace::op_kind::expert_gemm) {
        EXPECT_TRUE(part.work.rows.empty());
        continue;
      }
      ++experts;
      EXPECT_EQ(part.work.rows, op.group_rows);
      EXPECT_EQ(part.work.tokens, 5);
      EXPECT_EQ(part.work.experts, 8);
      op.choices = 0;  // a trace that does not say it
      EXPECT_EQ(split_operator(op, stream->header(), where, where.executors(where.rule(op)))[0].work.tokens, 10);
      op.choices = 2;
    }
  EXPECT_EQ(routers, 2 * 32);
  EXPECT_EQ(experts, 2 * 2 * 32);
}

// GPT-2's lm_head is its embedding table: gathered whole by every device, multiplied in parts.
TEST(mapper, a_tied_table_is_multiplied_in_parts) {
  const auto d = tensor_parallel(2);
  const auto source = source_of("gpt-2", [] {
    trace::workload w;
    w.context = 64;
    return w;
  }());
  const placement where(d, slots(2, std::int64_t{8} << 30), source);
  const auto stream = source();
  trace::op op;
  while (stream->next(op)) {
    if (op.kind != trace::op_kind::lm_head) continue;
    std::int64_t bytes = 0;
    for (const auto& p : split_operator(op, stream->header(), where, where.executors(where.rule(op))))
      for (const auto& o : p.work.operands)
        if (o.kind == traffic::weights) bytes += o.bytes;
    EXPECT_EQ(bytes, 2 * 25129 * 768 * 2);  // 50257 rows of 768 values: 25129 each, one of them padding
  }
}

TEST(placement, refuses_with_the_arithmetic) {
  trace::workload w;
  w.types = dtypes::parse("fp16");
  const auto source = source_of("llama-65b", w);
  const auto d = tensor_parallel(1);
  try {
    placement where(d, slots(1, std::int64_t{80'000'000'000}), source);
    FAIL();
  } catch (const capacity_error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("missing"), std::string::npos) << text;
    EXPECT_NE(text.find("int4g32"), std::string::npos) << "what would fit: " << text;
    EXPECT_NE(text.find("Or 2 such devices in all"), std::string::npos) << text;
  }
}

TEST(placement, streams_the_rest_where_the_rule_says_so) {
  const std::string yaml = R"(
modules:
  hbm: {type: dram, standard: HBM3}
  host: {type: dram, standard: DDR5-4800}
  gpu: {type: gpu}
mapping:
  - {executor: gpu, weights: hbm, kv_cache: hbm, activations: hbm, overflow: host}
)";
  const auto d = read_platform(config::node::parse_text(yaml, "p.yaml"), "p");
  memory_slot hbm, host;
  hbm.name = "hbm";
  hbm.capacity = std::int64_t{8} << 30;
  host.name = "host";
  host.base = std::uint64_t{1} << 44;
  host.capacity = std::int64_t{64} << 30;
  const placement where(d, {hbm, host}, source_of("llama-2-7b", {}));
  EXPECT_GT(where.slots()[0].used, std::int64_t{7} << 30);
  EXPECT_GT(where.slots()[1].used, std::int64_t{4} << 30);
  EXPECT_EQ(where.report()["notes"].size(), 1u);
}

/// Where operators and tensors of no layer are in a pipeline of four stages: by name, the stages.
std::map<std::string, std::set<std::size_t>> stages(const std::string& model, trace::workload::phases phase) {
  const std::string yaml = R"(
parallel: pipeline
modules:
  hbm: {type: dram, standard: HBM3, count: 4}
  gpu: {type: gpu, count: 4}
mapping:
  - {executor: gpu, weights: hbm, kv_cache: hbm, activations: hbm}
)";
  const auto d = read_platform(config::node::parse_text(yaml, "p.yaml"), "p");
  trace::workload w;
  w.phase = phase;
  w.prompt = 8;
  w.prefill_chunk = 4;
  w.context = 100;
  w.tokens = 2;
  const auto source = source_of(model, w);
  const placement where(d, slots(4, std::int64_t{80} << 30), source);
  const auto stream = source();
  std::map<std::string, std::set<std::size_t>> out;
  trace::op op;
  while (stream->next(op)) {
    const auto parts = split_operator(op, stream->header(), where, where.executors(where.rule(op)));
    EXPECT_EQ(parts.size(), 1U);
    if (op.layer < 0) out[op.name].insert(parts.front().device);
    // Stages read what lies beside them, of weights and caches.
    for (const auto& u : op.uses)
      if (stream->header().tensors[u.tensor].cls != trace::tensor_class::activations) {
        EXPECT_EQ(where.of(u.tensor, parts.front().device).memory, static_cast<int>(parts.front().device)) << op.name;
      }
  }
  std::int64_t used = 0, all = 0;
  for (const auto& s : where.slots()) used += s.by_class[static_cast<std::size_t>(trace::tensor_class::weights)];
  for (const auto& t : stream->header().tensors) all += t.cls == trace::tensor_class::weights ? t.bytes : 0;
  out["bytes held beyond the model's"].insert(static_cast<std::size_t>(used - all));
  return out;
}

// What comes before the layers is on the first device, what follows them on the last, in each pass.
TEST(mapper, a_pipeline_begins_at_its_first_device_and_ends_at_its_last) {
  const std::set<std::size_t> first{0}, last{3};
  for (const auto phase : {trace::workload::phases::prefill, trace::workload::phases::decode}) {
    const auto llama = stages("llama-2-7b", phase);
    EXPECT_EQ(llama.at("embed"), first);
    EXPECT_EQ(llama.at("norm"), last);
    EXPECT_EQ(llama.at("lm_head"), last);
    EXPECT_EQ(llama.at("sample"), last);
    EXPECT_EQ(llama.at("bytes held beyond the model's"), first) << "none";
  }
}

// GPT-2's output table is its input table, 50257 x 768 of 2 bytes: either end has a copy.
TEST(mapper, both_ends_of_a_pipeline_hold_a_tied_table) {
  const auto gpt = stages("gpt-2", trace::workload::phases::decode);
  EXPECT_EQ(gpt.at("lm_head"), (std::set<std::size_t>{3}));
  EXPECT_EQ(gpt.at("bytes held beyond the model's"), (std::set<std::size_t>{50257 * 768 * 2}));
}

}  // namespace
