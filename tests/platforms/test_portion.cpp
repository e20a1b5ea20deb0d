// SPDX-License-Identifier: Apache-2.0
// Tensor parallelism of what cannot be cut: a KV head or a latent is whole on every device that needs it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "place_bench.h"
#include "platforms/place/portion.h"

using namespace memwall;
using namespace memwall::platforms;
using namespace memwall::test;

namespace {

constexpr auto kv_class = static_cast<std::size_t>(trace::tensor_class::kv_cache);
constexpr auto weight_class = static_cast<std::size_t>(trace::tensor_class::weights);

trace::workload decode(std::int64_t batch, std::int64_t context) {
  trace::workload w;
  w.batch = batch;
  w.context = context;
  w.types = dtypes::parse("fp16");
  return w;
}

TEST(portion, heads_stay_whole) {
  struct row {
    std::int64_t heads, kv_heads, devices, queries, kv;
  };
  for (const auto& r :
       {row{64, 8, 8, 8, 1},     // one KV head each
        row{64, 8, 4, 16, 2},    // two
        row{32, 2, 8, 4, 1},     // four copies of each: a group of 16 query heads over four devices
        row{28, 4, 8, 4, 1},     // a group of 7 over two devices: 4 and 3, all reckoned as 4
        row{71, 1, 8, 9, 1},     // one KV head, eight copies: 71 over eight
        row{32, 8, 3, 12, 3},    // 3, 3 and 2 KV heads of four query heads
        row{12, 12, 8, 2, 2},    // 12 heads on eight devices: two, on some one
        row{40, 8, 12, 5, 1},    // four of eight KV heads have a second copy, the others' groups are whole
        row{128, 1, 8, 16, 1},   // latent attention: one latent for all heads
        row{4, 4, 16, 1, 1}}) {  // no less than a head
    const auto h = heads_on_device(r.heads, r.kv_heads, r.devices);
    EXPECT_EQ(h.queries, r.queries) << r.heads << "/" << r.kv_heads << " on " << r.devices;
    EXPECT_EQ(h.kv, r.kv) << r.heads << "/" << r.kv_heads << " on " << r.devices;
    // All heads are somewhere.
    EXPECT_GE(h.queries * r.devices, r.heads);
    EXPECT_GE(h.kv * r.devices, r.kv_heads);
  }
}

TEST(portion, counts_round_up_and_starts_down) {
  const portion third{1, 3};
  EXPECT_EQ(third.count(9), 3);
  EXPECT_EQ(third.count(10), 4);
  EXPECT_EQ(third.start(10), 3);
  EXPECT_EQ(portion().count(10), 10);
  EXPECT_EQ(portion().start(10), 10);
  EXPECT_EQ((portion{3, 1 << 20}.count(std::int64_t{1} << 50)), std::int64_t{3} << 30);  // no overflow between
  EXPECT_EQ((portion{1 << 20, 1 << 21}.start(std::int64_t{1} << 50)), std::int64_t{1} << 49);
  EXPECT_EQ((portion{2, 3}.start(10)), 6);
}

// 32 query heads and 2 KV heads on 8 devices: 4 and 1 on each. A cut goes through what a tensor holds of them.
TEST(portion, tensors_of_heads_are_cut_by_what_they_hold) {
  using trace::access;
  using trace::op_kind;
  using trace::tensor_class;
  trace::op op;
  op.shard = trace::shard::heads;
  op.heads = 32;
  op.kv_heads = 2;
  const auto cut = [&](op_kind kind, tensor_class cls, access what) {
    op.kind = kind;
    trace::tensor t;
    t.cls = cls;
    const portion p = part_of(op, t, what, 8);
    return std::pair(p.part, p.of);
  };
  using parts = std::pair<std::int64_t, std::int64_t>;
  for (const access what : {access::read, access::write}) {
    EXPECT_EQ(cut(op_kind::norm, tensor_class::activations, what), parts(4 + 1, 32 + 2)) << "queries and keys";
    EXPECT_EQ(cut(op_kind::elementwise, tensor_class::activations, what), parts(1, 2)) << "keys and values";
    EXPECT_EQ(cut(op_kind::attention, tensor_class::activations, what), parts(4, 32)) << "queries";
    EXPECT_EQ(cut(op_kind::attention, tensor_class::kv_cache, what), parts(1, 2));
  }
  EXPECT_EQ(cut(op_kind::rope, tensor_class::activations, access::read), parts(4 + 2 * 1, 32 + 2 * 2))
      << "queries, keys and values";
  EXPECT_EQ(cut(op_kind::rope, tensor_class::activations, access::write), parts(4, 32)) << "queries";
  EXPECT_EQ(cut(op_kind::norm, tensor_class::weights, access::read), parts(1, 1)) << "gains serve all heads";
  EXPECT_EQ(cut(op_kind::attention, tensor_class::weights, access::read), parts(4, 32));
  // The product that makes them, and the one that takes the queries' results.
  op.n = op.k = 1000;
  op.shard = trace::shard::columns;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(4 + 2 * 1, 32 + 2 * 2));
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::activations, access::write), parts(4 + 2 * 1, 32 + 2 * 2));
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::activations, access::read), parts(1, 1));
  op.shard = trace::shard::rows;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(4, 32));
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::activations, access::read), parts(4, 32));
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::activations, access::write), parts(1, 1));
  // Without heads: outputs, or inputs, each in eight; who has neither is cut in eight.
  op.heads = op.kv_heads = 0;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(125, 1000));
  op.k = 1001;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(126, 1001));
  op.shard = trace::shard::columns;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(125, 1000));
  op.n = 0;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(1, 8));
  op.shard = trace::shard::heads;
  EXPECT_EQ(cut(op_kind::elementwise, tensor_class::activations, access::read), parts(1, 8));
  op.shard = trace::shard::experts;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(1, 8));
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::activations, access::read), parts(1, 1));
  op.shard = trace::shard::none;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(1, 1));
  // One latent for 128 heads; two devices; one head on two.
  op.shard = trace::shard::columns;
  op.heads = 128;
  op.kv_heads = 1;
  EXPECT_EQ(cut(op_kind::gemm, tensor_class::weights, access::read), parts(16 + 2 * 1, 128 + 2 * 1));
  EXPECT_EQ(work_of(op, 2).part, 64 + 2 * 1);
  EXPECT_TRUE(work_of(op, 1).whole());
  op.heads = 1;
  op.shard = trace::shard::rows;
  EXPECT_TRUE(work_of(op, 2).whole());
  op.shard = trace::shard::heads;
  EXPECT_EQ(cut(op_kind::attention, tensor_class::activations, access::read), parts(1, 1));
}

// LLaMA's form with two KV heads on eight devices.
model two_kv_heads() {
  return parse_model(R"({"model_type":"llama","hidden_size":512,"num_hidden_layers":3,"num_attention_heads":16,
                         "num_key_value_heads":2,"intermediate_size":1024,"vocab_size":1024})",
                     "f", "two-kv-heads");
}

TEST(portion, each_device_holds_and_reads_a_whole_kv_head) {
  const auto m = two_kv_heads();
  const auto w = decode(4, 100);
  const auto source = source_of(m, w);
  const auto platform = tensor_parallel(8);
  const placement where(platform, memories(8, std::int64_t{1} << 30), source);
  const std::int64_t head = 4 * 100 * 2 * 32 * 2;  // batch x positions x (key, value) x 32 values x 2 bytes
  for (const auto& slot : where.slots()) EXPECT_EQ(slot.by_class[kv_class], 3 * head);
  int seen = 0;
  for_each_op(where, source, [&](const auto& op, const auto&, const auto& parts, const auto&) {
    ASSERT_EQ(parts.size(), 8u);
    for (const auto& p : parts) {
      if (op.kind == trace::op_kind::attention) {
        EXPECT_EQ(bytes_of_class(p, traffic::kv_cache), head);
        EXPECT_EQ(p.work.batch, 4);  // sequences x one KV head
        EXPECT_EQ(p.work.group, 2);  // 16 query heads on eight devices
        EXPECT_DOUBLE_EQ(p.work.flops, static_cast<double>(op.flops()) / 8);
        ++seen;
      }
      if (op.kind == trace::op_kind::rope) {  // the new position of one head
        EXPECT_EQ(bytes_of_class(p, traffic::kv_cache), head / 100);
      }
      if (op.name.find("attn.qkv") != std::string::npos) {
        // Two query heads, a key and a value head of 32 rows each, of 16 + 2 x 2 heads.
        EXPECT_EQ(p.work.n, 4 * 32);
        EXPECT_EQ(bytes_of_class(p, traffic::weights), std::int64_t{4} * 32 * 512 * 2);
        EXPECT_DOUBLE_EQ(p.work.flops, static_cast<double>(op.flops()) * 4 / 20);
      }
      if (op.name.find("attn.o") != std::string::npos) {
        EXPECT_EQ(p.work.k, 2 * 32);
        EXPECT_EQ(bytes_of_class(p, traffic::weights), std::int64_t{2} * 32 * 512 * 2);
      }
    }
  });
  EXPECT_EQ(seen, 3 * 8);
}

// Law: what devices hold is what they read, copies included: a decode step reads every weight it holds once, and the
// whole cache.
TEST(portion, devices_read_what_they_hold) {
  for (const char* name : {"qwen2.5-7b", "llama-2-7b", "deepseek-v3", "gpt-oss-20b", "falcon-180b"})
    for (const int devices : {2, 3, 8}) {
      const auto m = load_model(name);
      const auto source = source_of(m, decode(2, 64));
      const auto platform = tensor_parallel(devices);
      const placement where(platform, memories(devices, std::int64_t{1} << 50, 1), source);
      std::int64_t cache = 0, weights = 0, gathered = 0, chosen = 0, experts = 0;
      for_each_op(where, source, [&](const auto& op, const trace::header& header, const auto& parts, const auto&) {
        const auto& first = parts.front();
        if (op.kind == trace::op_kind::attention) cache += bytes_of_class(first, traffic::kv_cache);
        if (op.kind == trace::op_kind::embed) gathered += bytes_of_class(first, traffic::weights);
        if (op.kind == trace::op_kind::expert_gemm) chosen += bytes_of_class(first, traffic::weights);
        weights += bytes_of_class(first, traffic::weights);
        if (op.id == 0)
          for (const auto& t : header.tensors)
            if (t.cls == trace::tensor_class::weights && t.name.find(".moe.") != std::string::npos &&
                t.name.find("shared") == std::string::npos && t.name.find("router") == std::string::npos)
              experts += (t.bytes + devices - 1) / devices;
      });
      const auto& slot = where.slots().front();
      std::int64_t table = 0;
      const auto stream = source();
      for (const auto& t : stream->header().tensors)
        if (t.name == "embed") table = t.bytes;
      EXPECT_EQ(cache, slot.by_class[kv_class]) << name << " on " << devices;
      EXPECT_EQ(weights - gathered - chosen, slot.by_class[weight_class] - table - experts)
          << name << " on " << devices;
    }
}

// DeepSeek's cache is one latent of 512 + 64 values for all heads: a copy on each device.
TEST(portion, latents_are_whole_on_every_device) {
  const auto m = load_model("deepseek-v3");
  for (const int devices : {1, 8}) {
    const auto source = source_of(m, decode(2, 64));
    const auto platform = tensor_parallel(devices);
    auto slots = memories(devices, std::int64_t{1} << 50);
    if (devices == 1) slots[0].name = "hbm0";
    const placement where(platform, slots, source);
    for (const auto& slot : where.slots()) EXPECT_EQ(slot.by_class[kv_class], std::int64_t{61} * 2 * 64 * 576 * 2);
    for_each_op(where, source, [&](const auto& op, const auto&, const auto& parts, const auto&) {
      if (op.kind != trace::op_kind::attention) return;
      EXPECT_EQ(bytes_of_class(parts.front(), traffic::kv_cache), 2 * 64 * 576 * 2);
      EXPECT_EQ(parts.front().work.batch, 2);
      EXPECT_EQ(parts.front().work.group, 128 / devices);
    });
  }
}

// One memory that all share holds each KV head once, whoever reads it.
TEST(portion, a_shared_memory_holds_one_copy) {
  const auto platform = read_platform(
      config::node::parse_text("modules:\n  hbm: {type: dram, standard: HBM3}\n  gpu: {type: gpu, count: 8}\nmapping:\n"
                               "  - {executor: gpu, weights: hbm, kv_cache: hbm, activations: hbm}\n",
                               "p.yaml"),
      "p");
  auto slots = memories(1, std::int64_t{1} << 40);
  slots[0].name = "hbm";
  const auto m = two_kv_heads();
  const auto w = decode(4, 100);
  const placement where(platform, slots, source_of(m, w));
  EXPECT_EQ(where.slots()[0].by_class[kv_class], kv_bytes(m, w.types.kv, 4, 100));
  for_each_op(where, source_of(m, w), [&](const auto& op, const auto&, const auto& parts, const auto&) {
    if (op.kind == trace::op_kind::attention) {
      EXPECT_EQ(bytes_of_class(parts[7], traffic::kv_cache), 4 * 100 * 2 * 32 * 2);
    }
  });
}

// After products cut along their inputs, and after each device has added up what its experts made, partial sums are
// reduced over the devices: 2 (P - 1) / P of the result in two passes of P - 1 steps each.
TEST(portion, sums_of_parts_are_reduced) {
  const auto m = load_model("gpt-oss-20b");
  const auto source = source_of(m, decode(3, 64));
  const auto platform = tensor_parallel(4);
  const placement where(platform, memories(4, std::int64_t{1} << 40), source);
  int outputs = 0, combines = 0;
  for_each_op(where, source, [&](const auto& op, const auto&, const auto&, const auto& reduce) {
    const bool output = op.name.find("attn.o") != std::string::npos,
               combine = op.name.find("combine") != std::string::npos;
    outputs += output;
    combines += combine;
    ASSERT_EQ(reduce.size(), output || combine ? 4u : 0u) << op.name;
    for (const auto& part : reduce) {
      EXPECT_EQ(part.work.n, 2 * 3);
      ASSERT_EQ(part.work.operands.size(), 2u);
      for (const auto& o : part.work.operands) EXPECT_EQ(o.bytes, 3 * 2880 * 2 * 3 / 4);
      EXPECT_DOUBLE_EQ(part.work.flops, 3.0 * 2880 * 3 / 4);
    }
    if (!reduce.empty()) {  // each sends to its neighbour
      const auto next = where.slots()[1].base;
      EXPECT_GE(reduce[0].work.operands[0].address, next);
      EXPECT_LT(reduce[0].work.operands[0].address, next + (std::uint64_t{1} << 50));
    }
  });
  EXPECT_EQ(outputs, 24);
  EXPECT_EQ(combines, 24);
}

// The bias of a product cut along its inputs is added to the sum: every device holds it whole.
TEST(portion, biases_of_summed_products_are_whole) {
  const auto m = load_model("gpt-2");
  const auto source = source_of(m, decode(1, 64));
  const auto platform = tensor_parallel(4);
  const placement where(platform, memories(4, std::int64_t{1} << 40), source);
  for_each_op(where, source, [&](const auto& op, const auto&, const auto& parts, const auto&) {
    if (op.name == "layers.0.mlp.down") {
      EXPECT_EQ(bytes_of_class(parts[2], traffic::weights), 768 * 3072 / 4 * 2 + 768 * 2);
    }
    if (op.name == "layers.0.mlp.up") {
      EXPECT_EQ(bytes_of_class(parts[2], traffic::weights), 768 * 3072 / 4 * 2 + 3072 / 4 * 2);
    }
    if (op.name == "lm_head") {  // 50257 rows do not divide by four
      EXPECT_EQ(parts[2].work.n, 12565);
      EXPECT_EQ(bytes_of_class(parts[2], traffic::weights), 12565 * 768 * 2);
    }
  });
}

}  // namespace
