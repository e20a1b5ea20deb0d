// SPDX-License-Identifier: Apache-2.0
// DeepSeek V2 and V3: multi-head latent attention, fine-grained experts beside shared ones, dense first
// layers.
#include <algorithm>

#include "models/fields.h"

namespace memwall {
namespace {

/// Layers from first_k_dense_replace on whose number divides by moe_layer_freq have experts; some files list the
/// layers instead (1: experts).
std::vector<bool> dense_layers(fields& f, const model& m, std::int64_t first) {
  if (first > m.layers)
    f.problem_at({"first_k_dense_replace"},
                 "got " + std::to_string(first) + " of " + std::to_string(m.layers) + " layers",
                 "no more than there are");
  std::vector<bool> dense;
  if (f.is_list("moe_layer_freq")) {
    for (const auto v : f.integers("moe_layer_freq", 0, 1)) dense.push_back(v == 0);
    if (static_cast<std::int64_t>(dense.size()) != m.layers)
      f.problem_at({"moe_layer_freq"},
                   "has " + std::to_string(dense.size()) + " entries for " + std::to_string(m.layers) + " layers",
                   "one for each layer");
  } else {
    const std::int64_t every = f.count_or({"moe_layer_freq"}, 1, 1, most_layers);
    for (std::int64_t i = 0; i < m.layers; ++i) dense.push_back(i % every != 0);
  }
  dense.resize(static_cast<std::size_t>(m.layers), false);
  for (std::int64_t i = 0; i < std::min(first, m.layers); ++i) dense[static_cast<std::size_t>(i)] = true;
  return dense;
}

void read_deepseek(fields& f, model& m, bool v3) {
  // What the library's class takes for a field that is left out. null: none.
  const auto or_default = [&](const char* name, std::int64_t fallback, std::int64_t lowest, std::int64_t highest) {
    if (f.is_null({name})) return std::int64_t{0};
    if (!f.has({name}))
      m.notes.push_back(std::string(name) + " is not in the file: " + std::to_string(fallback) +
                        ", the family's default");
    return f.count_or({name}, fallback, lowest, highest);
  };
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
  f.only("attention_bias", "false", "not modelled with latent attention");
  f.only("num_key_value_heads", std::to_string(m.heads), "all heads share one latent");

  mla_shape mla;
  mla.q_rank = or_default("q_lora_rank", 1536, 1, most_hidden);
  mla.kv_rank = f.count({"kv_lora_rank"}, most_hidden);
  mla.nope = f.count({"qk_nope_head_dim"}, most_hidden);
  mla.rope = f.count({"qk_rope_head_dim"}, most_hidden);
  mla.value = f.count({"v_head_dim"}, most_hidden);
  m.mla = mla;
  m.head_dim = mla.nope + mla.rope;
  f.only("qk_head_dim", std::to_string(m.head_dim), "a head's query is nope and rope together");
  f.only("head_dim", std::to_string(mla.rope), "the library's name for the rotated part of a head");
  f.irrelevant({"aux_loss_alpha", "ep_size", "n_group", "norm_topk_prob", "output_router_logits", "rope_interleave",
                "routed_scaling_factor", "router_aux_loss_coef", "scoring_func", "seq_aux", "topk_group"});
  if (const auto more = f.count_or({"num_nextn_predict_layers"}, 0, 0, most_layers); more > 0)
    m.notes.push_back("num_nextn_predict_layers: " + std::to_string(more) +
                      "; layers that predict further tokens are not counted, as in published sizes");

  moe_shape moe;
  // The correction bias of an expert belongs to the choice of experts without an auxiliary loss.
  moe.router_bias = f.text_or({"topk_method"}, v3 ? "noaux_tc" : "greedy") == "noaux_tc";
  const bool others = f.has({"num_experts_per_tok"}) || f.has({"moe_intermediate_size"}) || f.has({"n_shared_experts"});
  if (!f.has({"n_routed_experts"}) && !others && (!v3 || f.is_null({"n_routed_experts"}))) {
    f.irrelevant({"first_k_dense_replace", "moe_layer_freq"});
    return;  // no experts
  }
  const bool listed = f.is_list("moe_layer_freq") && !f.has({"first_k_dense_replace"});
  moe.dense = dense_layers(f, m, listed ? 0 : or_default("first_k_dense_replace", v3 ? 3 : 0, 0, most_layers));
  moe.shared = or_default("n_shared_experts", v3 ? 1 : 2, 0, most_experts);
  moe.experts = f.count({"n_routed_experts"}, most_experts);
  moe.active = f.count({"num_experts_per_tok"}, most_experts);
  moe.ffn = f.count({"moe_intermediate_size"}, most_ffn);
  m.moe = moe;
}

const family_entry v2{"deepseek_v2", "DeepSeek V2", [](fields& f, model& m) { read_deepseek(f, m, false); }};
const family_entry kimi{"kimi_k2", "Kimi K2, DeepSeek V3's form",
                        [](fields& f, model& m) { read_deepseek(f, m, true); }};
const family_entry v3{"deepseek_v3", "DeepSeek V3 and R1", [](fields& f, model& m) { read_deepseek(f, m, true); }};

}  // namespace
}  // namespace memwall
