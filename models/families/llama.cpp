// SPDX-License-Identifier: Apache-2.0
// LLaMA and its descendants: RMS norm, rotary positions, gated SiLU MLP, grouped queries; dense or with
// experts. Defaults of absent fields are those of the transformers library's classes.
#include "models/fields.h"

namespace memwall {
namespace {

shape_defaults with_kv_heads(std::int64_t kv_heads, std::int64_t head_dim = 0) {
  shape_defaults d;
  d.kv_heads = kv_heads;
  d.head_dim = head_dim;
  return d;
}

void read_form(fields& f, model& m, const char* family, const shape_defaults& d) {
  m.family = family;
  common_shape(f, m, d);
  m.activation = f.text_or({"hidden_act"}, "silu");
}

void read_llama(fields& f, model& m) {
  read_form(f, m, "llama", {});
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, false);
  m.mlp_bias = f.flag_or({"mlp_bias"}, false);
  f.irrelevant({"is_llama_config"});
  f.only("rope_interleaved", "false", "the family rotates halves of a head");
}

/// A window in all layers.
void windows_everywhere(fields& f, model& m, std::int64_t by_default) {
  const std::int64_t size =
      f.is_null({"sliding_window"}) ? 0 : f.count_or({"sliding_window"}, by_default, 1, most_positions);
  if (size > 0 && !f.has({"sliding_window"}))
    m.notes.push_back("sliding_window is not in the file: " + std::to_string(size) + ", the family's default");
  read_windows(
      f, m, size, [](std::int64_t) { return true; }, false);
}

/// Qwen: a window only where use_sliding_window says so, and then from layer max_window_layers on.
void windows_on_request(fields& f, model& m) {
  const bool used = f.flag_or({"use_sliding_window"}, false);
  const std::int64_t size = f.count_or({"sliding_window"}, 4096, 1, most_positions);
  const std::int64_t first = f.count_or({"max_window_layers"}, 28, 0, most_layers);
  read_windows(
      f, m, used ? size : 0, [first](std::int64_t layer) { return layer >= first; },
      used && f.has({"max_window_layers"}));
}

void read_mistral(fields& f, model& m) {
  read_form(f, m, "mistral", with_kv_heads(8));
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  windows_everywhere(f, m, 4096);
}

void read_mixtral(fields& f, model& m) {
  read_form(f, m, "mixtral", with_kv_heads(8));
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  windows_everywhere(f, m, 0);
  moe_shape moe;
  moe.experts = f.count({"num_local_experts"}, most_experts);
  moe.active = f.count({"num_experts_per_tok"}, most_experts);
  moe.ffn = m.ffn;
  m.moe = moe;
  f.irrelevant({"output_router_logits", "router_aux_loss_coef", "router_jitter_noise"});
}

void read_qwen2(fields& f, model& m) {
  read_form(f, m, "qwen2", with_kv_heads(32));
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.qkv_bias = true;
  f.only("attention_bias", "true", "the family has biases on queries, keys and values");
  f.only("use_mrope", "false", "positions in several dimensions are not modelled");
  windows_on_request(f, m);
}

void read_qwen3(fields& f, model& m) {
  read_form(f, m, "qwen3", with_kv_heads(32, 128));
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, false);
  m.qk_norm = true;
  windows_on_request(f, m);
}

void read_qwen3_moe(fields& f, model& m) {
  read_form(f, m, "qwen3_moe", with_kv_heads(4));
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, false);
  m.qk_norm = true;
  f.only("qkv_bias", "false", "the family says attention_bias");
  f.only("use_qk_norm", "true", "the family has norms on queries and keys");
  f.only("shared_expert_intermediate_size", "0", "the family has no shared expert");
  // The library gives this family's window to all layers, its documentation to those from max_window_layers on.
  f.only("use_sliding_window", "false", "which layers have the window is not settled for this family");
  for (const char* unused : {"sliding_window", "max_window_layers"}) f.has({unused});
  read_windows(
      f, m, 0, [](std::int64_t) { return false; }, false);
  moe_shape moe;
  moe.experts = f.count({"num_experts", "num_local_experts"}, most_experts);
  moe.active = f.count({"num_experts_per_tok"}, most_experts);
  moe.ffn = f.count({"moe_intermediate_size"}, most_ffn);
  const std::int64_t every = f.count_or({"decoder_sparse_step"}, 1, 1, most_layers);
  for (std::int64_t i = 0; i < m.layers; ++i) moe.dense.push_back((i + 1) % every != 0);
  for (const auto layer : f.integers("mlp_only_layers", 0, m.layers - 1))
    moe.dense[static_cast<std::size_t>(layer)] = true;
  m.moe = moe;
  m.ffn = f.count_or({"intermediate_size"}, 6144, 1, most_ffn);
  f.irrelevant({"norm_topk_prob", "output_router_logits", "router_aux_loss_coef"});
}

const family_entry llama{"llama", "LLaMA 1, 2, 3 and models of the same form", read_llama};
const family_entry mistral{"mistral", "LLaMA's form with a sliding attention window", read_mistral};
const family_entry mixtral{"mixtral", "Mistral's form, every MLP a mixture of experts", read_mixtral};
const family_entry qwen2{"qwen2", "LLaMA's form with biases on queries, keys and values", read_qwen2};
const family_entry qwen3{"qwen3", "LLaMA's form with norms on queries and keys", read_qwen3};
const family_entry qwen3_moe{"qwen3_moe", "Qwen3, MLPs that are mixtures of experts", read_qwen3_moe};

}  // namespace
}  // namespace memwall
