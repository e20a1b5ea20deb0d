// SPDX-License-Identifier: Apache-2.0
// LLaMA and its descendants: RMS norm, rotary positions, gated SiLU MLP, grouped queries; dense or with
// experts.
#include "models/fields.h"

namespace memwall {
namespace {

void read_llama(fields& f, model& m) {
  m.family = "llama";
  common_shape(f, m, false);
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.activation = f.text_or({"hidden_act"}, "silu");
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, false);
  m.mlp_bias = f.flag_or({"mlp_bias"}, false);
}

void read_mistral(fields& f, model& m) {
  read_llama(f, m);
  m.family = "mistral";
  m.window = f.count_or({"sliding_window"}, 0, 1, most_positions);
}

void read_mixtral(fields& f, model& m) {
  read_mistral(f, m);
  m.family = "mixtral";
  moe_shape moe;
  moe.experts = f.count({"num_local_experts"}, most_experts);
  moe.active = f.count({"num_experts_per_tok"}, most_experts);
  moe.ffn = m.ffn;
  m.moe = moe;
}

void read_qwen2(fields& f, model& m) {
  read_llama(f, m);
  m.family = "qwen2";
  m.qkv_bias = true;
  m.out_bias = false;
  if (f.flag_or({"use_sliding_window"}, false))
    f.problem_at({"use_sliding_window"}, "true: a window in some layers only is not modelled for this family", "false");
}

void read_qwen3(fields& f, model& m) {
  read_llama(f, m);
  m.family = "qwen3";
  m.qk_norm = true;
}

void read_qwen3_moe(fields& f, model& m) {
  m.family = "qwen3_moe";
  common_shape(f, m, false);
  m.activation = f.text_or({"hidden_act"}, "silu");
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, false);
  m.qk_norm = true;
  f.only("decoder_sparse_step", "1", "layers without experts between layers with experts are not modelled");
  moe_shape moe;
  moe.experts = f.count({"num_experts"}, most_experts);
  moe.active = f.count({"num_experts_per_tok"}, most_experts);
  moe.ffn = f.count({"moe_intermediate_size"}, most_ffn);
  m.ffn = moe.ffn;  // no layer has a dense MLP
  m.moe = moe;
}

const family_entry llama{"llama", "LLaMA 1, 2, 3 and models of the same form", read_llama};
const family_entry mistral{"mistral", "LLaMA's form with a sliding attention window", read_mistral};
const family_entry mixtral{"mixtral", "Mistral's form, every MLP a mixture of experts", read_mixtral};
const family_entry qwen2{"qwen2", "LLaMA's form with biases on queries, keys and values", read_qwen2};
const family_entry qwen3{"qwen3", "LLaMA's form with norms on queries and keys", read_qwen3};
const family_entry qwen3_moe{"qwen3_moe", "Qwen3, every MLP a mixture of experts", read_qwen3_moe};

}  // namespace
}  // namespace memwall
