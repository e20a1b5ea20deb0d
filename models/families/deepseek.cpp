// SPDX-License-Identifier: Apache-2.0
// DeepSeek V2 and V3: multi-head latent attention, fine-grained experts beside shared ones, dense first
// layers.
#include "models/fields.h"

namespace memwall {
namespace {

void read_deepseek(fields& f, model& m, bool router_bias) {
  m.family = "deepseek";
  m.hidden = f.count({"hidden_size"}, most_hidden);
  m.layers = f.count({"num_hidden_layers"}, most_layers);
  m.heads = f.count({"num_attention_heads"}, most_heads);
  m.kv_heads = m.heads;
  m.vocab = f.count({"vocab_size"}, most_vocab);
  m.max_positions = f.count_or({"max_position_embeddings"}, 0, 1, most_positions);
  m.tied = f.flag_or({"tie_word_embeddings"}, false);
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.activation = f.text_or({"hidden_act"}, "silu");
  if (f.flag_or({"attention_bias"}, false)) f.problem_at({"attention_bias"}, "true: not modelled with MLA", "false");

  mla_shape mla;
  mla.q_rank = f.count_or({"q_lora_rank"}, 0, 1, most_hidden);
  mla.kv_rank = f.count({"kv_lora_rank"}, most_hidden);
  mla.nope = f.count({"qk_nope_head_dim"}, most_hidden);
  mla.rope = f.count({"qk_rope_head_dim"}, most_hidden);
  mla.value = f.count({"v_head_dim"}, most_hidden);
  m.mla = mla;
  m.head_dim = mla.nope + mla.rope;

  if (!f.has({"n_routed_experts"})) return;
  f.only("moe_layer_freq", "1", "layers without experts between layers with experts are not modelled");
  moe_shape moe;
  moe.experts = f.count({"n_routed_experts"}, most_experts);
  moe.active = f.count({"num_experts_per_tok"}, most_experts);
  moe.shared = f.count_or({"n_shared_experts"}, 0, 0, most_experts);
  moe.ffn = f.count({"moe_intermediate_size"}, most_ffn);
  moe.dense_layers = f.count_or({"first_k_dense_replace"}, 0, 0, most_layers);
  moe.router_bias = router_bias;
  m.moe = moe;
}

const family_entry v2{"deepseek_v2", "DeepSeek V2", [](fields& f, model& m) { read_deepseek(f, m, false); }};
const family_entry v3{"deepseek_v3", "DeepSeek V3 and R1", [](fields& f, model& m) { read_deepseek(f, m, true); }};

}  // namespace
}  // namespace memwall
