// SPDX-License-Identifier: Apache-2.0
// Random valid configs and workloads: the generator never fails, and sums equal the closed forms.
#include <fmt/format.h>

#include <random>
#include <sstream>

#include "closed_forms.h"
#include "traces/file.h"

namespace memwall::trace {
namespace {

class dice {
 public:
  explicit dice(std::uint64_t seed) : m_random(seed) {}
  std::int64_t in(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(m_random() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool maybe() { return in(0, 1) == 1; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + in(0, static_cast<std::int64_t>(values.size()) - 1));
  }

 private:
  std::mt19937_64 m_random;
};

std::string random_config(dice& d) {
  const std::string type = d.one_of<std::string>({"llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "phi3",
                                                  "gemma2", "gpt2", "opt", "bloom", "deepseek_v2", "deepseek_v3",
                                                  "gptj", "gpt_neox", "falcon", "gpt_oss", "gemma3_text"});
  const auto kv = d.in(1, 4), groups = d.in(1, 4), heads = kv * groups, head_dim = 2 * d.in(1, 20);
  const bool own_head_dim =
      (type == "llama" || type.rfind("qwen3", 0) == 0 || type.rfind("gemma", 0) == 0 || type == "gpt_oss") && d.maybe();
  const auto hidden = own_head_dim ? d.in(1, 300) : heads * head_dim;
  const auto layers = d.in(1, 6), experts = d.in(1, 12);
  std::string c = fmt::format(
      R"({{"model_type":"{}","hidden_size":{},"num_hidden_layers":{},"num_attention_heads":{},"vocab_size":{})", type,
      hidden, layers, heads, d.in(1, 500));
  const bool mixture = type == "qwen3_moe";
  const bool latent = type.rfind("deepseek", 0) == 0;
  if (type == "falcon" && d.maybe())
    c += fmt::format(R"(,"num_kv_heads":{},"new_decoder_architecture":true,"num_ln_in_parallel_attn":{})", kv,
                     d.in(1, 2));
  else if (type == "falcon")
    c += fmt::format(R"(,"multi_query":{},"parallel_attn":{})", d.maybe(), d.maybe());
  else if (type != "gpt2" && type != "opt" && type != "bloom" && type != "gptj" && type != "gpt_neox" && !latent)
    c += fmt::format(R"(,"num_key_value_heads":{})", kv);
  if (own_head_dim || type == "qwen3" || type.rfind("gemma", 0) == 0 || type == "gpt_oss")
    c += fmt::format(R"(,"head_dim":{})", head_dim);
  if (type == "opt")
    c += fmt::format(R"(,"ffn_dim":{},"enable_bias":{})", d.in(1, 700), d.maybe());
  else if (type == "gpt2" || type == "gptj")
    c += d.maybe() ? fmt::format(R"(,"n_inner":{})", d.in(1, 700)) : "";
  else if (type == "falcon")
    c += d.maybe() ? fmt::format(R"(,"ffn_hidden_size":{})", d.in(1, 700)) : "";
  else if (type != "bloom")
    c += fmt::format(R"(,"intermediate_size":{})", d.in(1, 700));
  c += R"(,"max_position_embeddings":4096)";
  // A window in all layers, by the family's rule, or in those that the file lists.
  if (type.rfind("qwen", 0) == 0 && !mixture && d.maybe()) {
    c += fmt::format(R"(,"use_sliding_window":true,"sliding_window":{})", d.in(1, 60));
    if (d.maybe()) {
      c += fmt::format(R"(,"max_window_layers":{})", d.in(0, layers));
    } else {
      std::string types;
      for (std::int64_t i = 0; i < layers; ++i)
        types += (i == 0 ? "" : ",") + std::string(d.maybe() ? R"("sliding_attention")" : R"("full_attention")");
      c += ",\"layer_types\":[" + types + "]";
    }
  }
  if (mixture && d.maybe())
    c += fmt::format(R"(,"decoder_sparse_step":{},"mlp_only_layers":[{}])", d.in(1, 3), d.in(0, layers - 1));
  if (d.maybe() &&
      (type == "mistral" || type == "mixtral" || type == "phi3" || type.rfind("gemma", 0) == 0 || type == "gpt_oss"))
    c += fmt::format(R"(,"sliding_window":{})", d.in(1, 60));
  if (d.maybe()) c += fmt::format(R"(,"tie_word_embeddings":{})", d.maybe());
  if (type == "llama" && d.maybe()) c += R"(,"attention_bias":true,"mlp_bias":true)";
  if (type == "mixtral" || type == "gpt_oss")
    c += fmt::format(R"(,"num_local_experts":{},"num_experts_per_tok":{})", experts, d.in(1, experts));
  if (type == "qwen3_moe")
    c += fmt::format(R"(,"num_experts":{},"num_experts_per_tok":{},"moe_intermediate_size":{})", experts,
                     d.in(1, experts), d.in(1, 90));
  if (latent) {
    c += fmt::format(R"(,"kv_lora_rank":{},"qk_nope_head_dim":{},"qk_rope_head_dim":{},"v_head_dim":{})", d.in(1, 60),
                     d.in(1, 30), 2 * d.in(1, 15), d.in(1, 40));
    if (d.maybe()) c += fmt::format(R"(,"q_lora_rank":{})", d.in(1, 80));
    if (d.maybe())
      c += fmt::format(
          R"(,"n_routed_experts":{},"num_experts_per_tok":{},"n_shared_experts":{},"moe_intermediate_size":{},)"
          R"("first_k_dense_replace":{},"moe_layer_freq":{})",
          experts, d.in(1, experts), d.in(0, 2), d.in(1, 90), d.in(0, layers), d.in(1, 3));
    else
      c += R"(,"n_routed_experts":null)";
  }
  return c + "}";
}

workload random_workload(dice& d) {
  workload w;
  w.phase = d.one_of({workload::phases::prefill, workload::phases::decode, workload::phases::both});
  w.batch = d.in(1, 9);
  w.prompt = d.in(1, 200);
  w.context = d.in(1, 200);
  w.tokens = d.in(1, 5);
  w.prefill_chunk = d.maybe() ? d.in(1, 220) : 0;
  w.types = dtypes::parse(d.one_of({"fp16", "fp32", "int4g32", "int4g32s32", "int4/int8/int8", "int4g128z4/bf16/fp8",
                                    "w4.85/fp16/int4g32", "int3g8/fp8/int8g32"}));
  w.seed = static_cast<std::uint64_t>(d.in(0, 1000));
  return w;
}

TEST(random_models, conserve_bytes_and_flops) {
  dice d(2024);
  for (int i = 0; i < 1500; ++i) {
    const auto text = random_config(d);
    const auto m = parse_model(text, "random", "random");
    const auto w = random_workload(d);
    SCOPED_TRACE(text + fmt::format(" {} batch {} prompt {} context {} tokens {} chunk {} {}", name_of(w.phase),
                                    w.batch, w.prompt, w.context, w.tokens, w.prefill_chunk, w.types.name()));
    auto g = generate(m, w);
    totals sum;
    std::int64_t experts = 0;
    for (op o; g->next(o);) {
      ASSERT_EQ(defect_of(o, g->header(), static_cast<std::uint64_t>(sum.ops)), "") << o.name;
      sum.add(o, g->header().tensors);
      if (o.kind == op_kind::expert_gemm) experts += o.bytes(g->header().tensors, tensor_class::weights, access::read);
    }
    auto effective = w;
    ASSERT_EQ(sum.ops, g->size());
    ASSERT_EQ(sum.read[0] - experts, expected_weight_bytes(m, effective));
    ASSERT_EQ(sum.read[1], expected_kv_read(m, effective));
    ASSERT_EQ(sum.written[1], expected_kv_written(m, effective));
    ASSERT_EQ(sum.matmul_flops, expected_matmul_flops(m, effective));
  }
}

TEST(random_models, round_trip_through_the_file_format) {
  dice d(77);
  for (int i = 0; i < 150; ++i) {
    const auto m = parse_model(random_config(d), "random", "a \"name\"\\ with\tescapes");
    const auto w = random_workload(d);
    auto first = generate(m, w), again = generate(m, w);
    auto text = std::make_unique<std::stringstream>();
    const auto count = write(*first, *text);
    auto back = read_stream(std::move(text), "round trip");
    EXPECT_EQ(back->header().model, m.name);
    ASSERT_EQ(back->header().tensors, again->header().tensors);
    ASSERT_TRUE(back->header().workload == again->header().workload);
    op a, b;
    std::int64_t same = 0;
    while (again->next(a)) {
      ASSERT_TRUE(back->next(b));
      ASSERT_TRUE(a == b) << a.name;
      ++same;
    }
    EXPECT_FALSE(back->next(b));
    EXPECT_EQ(same, count);
  }
}

}  // namespace
}  // namespace memwall::trace
