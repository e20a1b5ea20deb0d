// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "closed_forms.h"

namespace memwall::trace {
namespace {

workload decode(std::int64_t batch, std::int64_t context, const char* types, std::int64_t tokens = 1) {
  workload w;
  w.batch = batch;
  w.context = context;
  w.tokens = tokens;
  w.types = dtypes::parse(types);
  return w;
}

workload prefill(std::int64_t batch, std::int64_t prompt, const char* types, std::int64_t chunk = 0) {
  workload w;
  w.phase = workload::phases::prefill;
  w.batch = batch;
  w.prompt = prompt;
  w.prefill_chunk = chunk;
  w.types = dtypes::parse(types);
  return w;
}

std::vector<op> ops_of(const model& m, const workload& w) {
  std::vector<op> out;
  auto g = generate(m, w);
  for (op o; g->next(o);) out.push_back(o);
  return out;
}

const op& named(const std::vector<op>& ops, const std::string& name) {
  for (const auto& o : ops)
    if (o.name == name) return o;
  throw std::runtime_error("no operator " + name);
}

std::vector<workload> workloads(const model& m) {
  std::vector<workload> out = {decode(1, 1, "fp16"),
                               decode(3, 777, "int4g32/fp16/fp16", 3),
                               decode(2, 512, "w4.85/bf16/int8g32"),
                               prefill(1, 1, "fp16"),
                               prefill(2, 300, "fp8"),
                               prefill(1, 700, "int8", 256)};
  auto both = prefill(2, 100, "fp16", 33);
  both.phase = workload::phases::both;
  both.tokens = 4;
  out.push_back(both);
  if (m.max_positions > 6000) {
    out.push_back(decode(1, 6000, "fp16", 2));  // beyond the windows
    out.push_back(prefill(1, 5000, "fp16", 1024));
  }
  if (m.max_positions >= 131072) {
    out.push_back(prefill(1, 131072, "int4g32/fp16/fp16", 16384));
    out.push_back(decode(256, 131072, "fp8", 2));
  }
  return out;
}

TEST(generator, sums_equal_closed_forms_for_every_model) {
  for (const auto& name : model_names()) {
    const auto m = load_model(name);
    for (const auto& w : workloads(m)) {
      const auto label = name + " " + std::string(name_of(w.phase)) + " batch " + std::to_string(w.batch);
      auto g = generate(m, w);
      totals sum;
      std::int64_t experts = 0;
      op o;
      while (g->next(o)) {
        ASSERT_EQ(defect_of(o, g->header(), static_cast<std::uint64_t>(sum.ops)), "") << label << " " << o.name;
        sum.add(o, g->header().tensors);
        if (o.kind == op_kind::expert_gemm)
          experts += o.bytes(g->header().tensors, tensor_class::weights, access::read);
      }
      EXPECT_EQ(sum.ops, g->size()) << label;
      EXPECT_EQ(sum.read[0] - experts, expected_weight_bytes(m, w)) << label;
      EXPECT_EQ(sum.read[1], expected_kv_read(m, w)) << label;
      EXPECT_EQ(sum.written[1], expected_kv_written(m, w)) << label;
      EXPECT_EQ(sum.matmul_flops, expected_matmul_flops(m, w)) << label;
      EXPECT_EQ(sum.written[0], 0) << label;
    }
  }
}

// A decode step of a dense, untied model: file size less the input embedding, one row of which is read for a
// sequence.
TEST(generator, decode_reads_all_weights_but_the_embedding) {
  const auto m = load_model("llama-65b");
  for (const char* types : {"fp16", "int8", "int4g32/fp16/fp16", "int4g32s32/fp16/fp16"}) {
    const auto w = decode(1, 2048, types);
    auto g = generate(m, w);
    const std::int64_t embedding = bytes_of(w.types.weights, 32000, 8192), row = bytes_of(w.types.weights, 1, 8192);
    EXPECT_EQ(sum_of(*g).read[0], weight_bytes(m, w.types) - embedding + row) << types;
  }
}

// batch x context x layers x 2 x kv_heads x head_dim x bytes
TEST(generator, decode_reads_the_cache_once_for_each_kv_head) {
  for (const auto& name : {"llama-7b", "llama-2-70b", "qwen2.5-7b"}) {
    const auto m = load_model(name);
    auto g = generate(m, decode(4, 1024, "fp16"));
    EXPECT_EQ(sum_of(*g).read[1], 4 * 1024 * m.layers * 2 * m.kv_heads * m.head_dim * 2) << name;
  }
}

TEST(generator, the_cache_grows_by_a_position_a_token) {
  const auto m = load_model("llama-7b");
  std::map<std::int64_t, std::int64_t> seen;
  for (const auto& o : ops_of(m, decode(1, 100, "fp16", 5)))
    if (o.kind == op_kind::attention) {
      EXPECT_EQ(o.n, 100 + o.step);
      seen[o.step] += o.uses[1].bytes;
    }
  ASSERT_EQ(seen.size(), 5u);
  for (const auto& [step, bytes] : seen) EXPECT_EQ(bytes, (100 + step) * 32 * 2 * 32 * 128 * 2);
}

TEST(generator, lm_head_costs_two_hidden_vocab) {
  for (const auto& name : {"llama-7b", "gpt-2", "gemma-2-9b"}) {
    const auto m = load_model(name);
    const auto ops = ops_of(m, decode(3, 10, "fp16"));
    EXPECT_EQ(named(ops, "lm_head").matmul_flops, 3 * 2 * m.hidden * m.vocab) << name;
    const auto all = ops_of(m, prefill(3, 20, "fp16"));  // the last position only
    EXPECT_EQ(named(all, "lm_head").matmul_flops, 3 * 2 * m.hidden * m.vocab) << name;
  }
}

TEST(generator, mla_decode_reads_the_latent) {
  const auto m = load_model("deepseek-v3");
  const auto ops = ops_of(m, decode(2, 500, "fp16"));
  auto g = generate(m, decode(2, 500, "fp16"));
  EXPECT_EQ(sum_of(*g).read[1], 2 * 500 * 61 * 576 * 2);
  const auto& a = named(ops, "layers.5.attn.attention");
  EXPECT_EQ(a.heads, 128);
  EXPECT_EQ(a.kv_heads, 1);
  EXPECT_EQ(a.k, 576);
  EXPECT_EQ(a.matmul_flops, 2 * 2 * 128 * 500 * (576 + 512));
  // 64 of each head's query and the key that all share, three operations each.
  EXPECT_EQ(named(ops, "layers.5.attn.rope").vector_flops, 2 * 3 * (128 + 1) * 64);
  // The up-projection of keys and values is read once, in two parts.
  std::int64_t bytes = 0;
  for (const char* part : {"layers.5.attn.absorb_k", "layers.5.attn.absorb_v"}) bytes += named(ops, part).uses[1].bytes;
  EXPECT_EQ(bytes, 128 * (128 + 128) * 512 * 2);
}

TEST(generator, mla_prefill_expands) {
  const auto m = load_model("deepseek-v3");
  const auto ops = ops_of(m, prefill(1, 64, "fp16"));
  const auto& e = named(ops, "layers.0.attn.kv_b");
  EXPECT_EQ(e.m, 64);
  EXPECT_EQ(e.n, 128 * 256);
  EXPECT_EQ(e.k, 512);
  EXPECT_EQ(named(ops, "layers.0.attn.attention").matmul_flops, 2 * 128 * (64 * 65 / 2) * (192 + 128));
}

TEST(generator, windows_bound_attention) {
  const auto m = load_model("gemma-2-9b");
  const auto ops = ops_of(m, decode(1, 6000, "fp16"));
  EXPECT_EQ(named(ops, "layers.0.attn.attention").n, 4096);
  EXPECT_EQ(named(ops, "layers.1.attn.attention").n, 6000);
}

TEST(generator, prefill_attention_is_causal) {
  const auto m = load_model("llama-7b");
  const auto ops = ops_of(m, prefill(1, 2048, "fp16"));
  const auto& a = named(ops, "layers.0.attn.attention");
  EXPECT_EQ(a.matmul_flops, std::int64_t{2} * 32 * (128 + 128) * (std::int64_t{2048} * 2049 / 2));
  EXPECT_EQ(a.m, 2048);
}

// The second operand of attention is the cache, in its own type; a prompt's of a latent is expanded in that of
// activations.
TEST(generator, attention_takes_the_type_of_its_cache) {
  for (const char* name : {"llama-7b", "deepseek-v3"}) {
    const bool latent = std::string(name) == "deepseek-v3";
    const auto m = load_model(name);
    const auto types = dtypes::parse("int4g32/fp16/fp8");
    const auto token = named(ops_of(m, decode(1, 16, "int4g32/fp16/fp8")), "layers.0.attn.attention"),
               prompt = named(ops_of(m, prefill(1, 16, "int4g32/fp16/fp8")), "layers.0.attn.attention");
    ASSERT_NE(types.kv.name(), types.activations.name());
    EXPECT_EQ(token.weight.name(), types.kv.name()) << name;
    EXPECT_EQ(prompt.weight.name(), (latent ? types.activations : types.kv).name()) << name;
  }
}

// Chunks of one token: the second one expands what the first one has written.
TEST(generator, the_second_token_waits_for_the_latent_of_the_first) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint64_t> written;  // by chunk and layer
  int seen = 0;
  for (const auto& o : ops_of(load_model("deepseek-v3"), prefill(1, 3, "fp16", 1))) {
    if (o.name.find("attn.kv_b") != std::string::npos && o.step > 0) {
      ASSERT_FALSE(o.deps.empty());
      EXPECT_EQ(o.deps.front(), written.at({o.step - 1, o.layer})) << o.name << " of chunk " << o.step;
      ++seen;
    }
    if (o.kind == op_kind::rope) written[{o.step, o.layer}] = o.id;
  }
  EXPECT_EQ(seen, 2 * 61);
}

// Chunks see all that came before; together they do the same attention, and read the weights once each.
TEST(generator, chunks_of_a_prefill_add_up) {
  const auto m = load_model("llama-2-7b");
  auto whole = generate(m, prefill(1, 1000, "fp16"));
  auto chunked = generate(m, prefill(1, 1000, "fp16", 256));
  const auto a = sum_of(*whole), b = sum_of(*chunked);
  EXPECT_EQ(a.matmul_flops, b.matmul_flops);
  EXPECT_EQ(a.written[1], b.written[1]);
  EXPECT_GT(b.read[0], 3 * a.read[0]);
}

// A chunk waits for the one before it only through the cache, so that chunks may follow each other through the stages
// of a pipeline: its embedding has no dependency, its attention waits for the keys of the same layer.
TEST(generator, chunks_meet_in_the_cache_only) {
  const auto m = load_model("llama-2-7b");
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint64_t> written;  // by chunk and layer
  for (const auto& o : ops_of(m, prefill(1, 300, "fp16", 100))) {
    if (o.kind == op_kind::embed) {
      EXPECT_TRUE(o.deps.empty()) << o.step;
    }
    if (o.kind == op_kind::attention && o.step > 0) {
      ASSERT_EQ(o.deps.size(), 2u);
      EXPECT_EQ(o.deps.front(), written.at({o.step - 1, o.layer})) << o.name << " of chunk " << o.step;
      EXPECT_EQ(o.deps.back(), o.id - 1);
    }
    if (o.kind == op_kind::rope) written[{o.step, o.layer}] = o.id;
  }
  for (const auto& o : ops_of(m, decode(1, 10, "fp16", 2)))
    if (o.id > 0) {
      EXPECT_FALSE(o.deps.empty()) << "a token waits for the one before: " << o.name;
    }
}

TEST(generator, both_is_prefill_then_decode) {
  const auto m = load_model("llama-7b");
  auto w = prefill(1, 128, "fp16");
  w.phase = workload::phases::both;
  w.tokens = 3;
  const auto ops = ops_of(m, w);
  EXPECT_EQ(ops.front().phase, phase::prefill);
  EXPECT_EQ(ops.back().phase, phase::decode);
  EXPECT_EQ(ops.back().step, 2);
  std::int64_t last = 0;
  for (const auto& o : ops)
    if (o.kind == op_kind::attention && o.phase == phase::decode && o.layer == 0) last = o.n;
  EXPECT_EQ(last, 128 + 3);
}

TEST(generator, same_arguments_same_trace) {
  const auto m = load_model("mixtral-8x7b");
  const auto w = decode(5, 64, "fp16", 3);
  EXPECT_EQ(ops_of(m, w), ops_of(m, w));
  auto other = w;
  other.seed = 2;
  EXPECT_NE(ops_of(m, w), ops_of(m, other));
}

// What an operator reads in activations, an operator before it has written (the embedding reads none), and
// the writer is among its ancestors.
TEST(generator, dependencies_cover_the_flow_of_activations) {
  for (const auto& name :
       {"llama-7b", "gpt-2", "gemma-2-2b", "mixtral-8x7b", "deepseek-v3", "gpt-j-6b", "falcon-180b"}) {
    const auto m = load_model(name);
    for (auto w : {decode(2, 64, "fp16", 2), prefill(2, 64, "fp16", 40)}) {
      auto g = generate(m, w);
      const auto& tensors = g->header().tensors;
      std::map<std::uint32_t, std::uint64_t> writer;
      std::vector<std::set<std::uint64_t>> ancestors;  // of the operators of the last layers; enough for one hop back
      op o;
      std::vector<std::vector<std::uint64_t>> deps;
      while (g->next(o)) {
        deps.push_back(o.deps);
        for (const auto& u : o.uses) {
          if (tensors[u.tensor].cls != tensor_class::activations || u.what != access::read) continue;
          ASSERT_EQ(writer.count(u.tensor), 1u) << name << " " << o.name << " " << tensors[u.tensor].name;
          std::set<std::uint64_t> reached;
          std::vector<std::uint64_t> open = o.deps;
          while (!open.empty()) {
            const auto at = open.back();
            open.pop_back();
            if (at < writer[u.tensor] || !reached.insert(at).second) continue;
            open.insert(open.end(), deps[at].begin(), deps[at].end());
          }
          EXPECT_EQ(reached.count(writer[u.tensor]), 1u)
              << name << " " << o.name << " reads " << tensors[u.tensor].name;
        }
        for (const auto& u : o.uses)
          if (u.what == access::write) writer[u.tensor] = o.id;
      }
    }
  }
}

// GPT-3 multiplies by 174.6 x 10^9 weights a token, twice as many operations: 2^20 sequences of 8 tokens each are 2.9 x
// 10^18 operations, of 16 tokens 5.9 x 10^18, beside which a context of one position is nothing. The limit is 4 x
// 10^18.
TEST(generator, refuses_more_than_a_machine_could_run) {
  const auto gpt3 = load_model("gpt-3-175b");
  EXPECT_NO_THROW(generate(gpt3, decode(1 << 20, 1, "fp16", 8)));
  EXPECT_THROW(generate(gpt3, decode(1 << 20, 1, "fp16", 16)), input_error);
}

TEST(generator, refuses_workloads_that_cannot_be) {
  const auto gpt2 = load_model("gpt-2");
  EXPECT_NO_THROW(generate(gpt2, decode(1, 1024, "fp16")));
  EXPECT_THROW(generate(gpt2, decode(1, 1025, "fp16")), input_error);  // learned positions
  EXPECT_THROW(generate(gpt2, decode(1, 1024, "fp16", 2)), input_error);
  const auto llama = load_model("llama-7b");
  for (auto w : {decode(0, 1, "fp16"), decode(-1, 1, "fp16"), decode(1, 0, "fp16"), decode(1, -5, "fp16"),
                 decode(1, 1, "fp16", 0), decode(1, INT64_MAX, "fp16"), decode(INT64_MAX, 1, "fp16"),
                 decode(1, 1, "fp16", INT64_MAX), prefill(1, 0, "fp16"), prefill(1, 10, "fp16", -1),
                 prefill(1 << 20, 1 << 24, "fp16"), decode(1 << 20, 1 << 24, "fp32")})
    EXPECT_THROW(generate(llama, w), input_error);
}

TEST(generator, weights_are_declared_as_the_model_counts_them) {
  for (const auto& name : model_names()) {
    const auto m = load_model(name);
    const auto w = decode(2, 128, "int4g32/fp16/fp8");
    auto g = generate(m, w);
    std::int64_t weights = 0, cache = 0;
    for (const auto& t : g->header().tensors) {
      if (t.cls == tensor_class::weights) weights += t.bytes;
      if (t.cls == tensor_class::kv_cache) cache += t.bytes;
    }
    EXPECT_EQ(weights, weight_bytes(m, w.types)) << name;
    EXPECT_EQ(cache, kv_bytes(m, w.types.kv, 2, 128)) << name;
  }
}

}  // namespace
}  // namespace memwall::trace
