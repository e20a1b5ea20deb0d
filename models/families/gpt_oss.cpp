// SPDX-License-Identifier: Apache-2.0
// gpt-oss: every MLP a mixture of experts with biases, a window in every second layer, a learned sink a head.
#include "models/fields.h"

namespace memwall {
namespace {

void read_gpt_oss(fields& f, model& m) {
  m.family = "gpt_oss";
  shape_defaults d;  // of GptOssConfig in the transformers library
  d.kv_heads = 8;
  d.head_dim = 64;
  common_shape(f, m, d);
  m.activation = f.text_or({"hidden_act"}, "silu");
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, true);
  m.sinks = true;
  const std::int64_t window =
      f.is_null({"sliding_window"}) ? 0 : f.count_or({"sliding_window"}, 128, 1, most_positions);
  read_windows(
      f, m, window, [](std::int64_t layer) { return layer % 2 == 0; }, false);
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  moe_shape moe;
  moe.experts = f.count({"num_local_experts"}, most_experts);
  moe.active = f.count({"num_experts_per_tok", "experts_per_token"}, most_experts);
  moe.ffn = m.ffn;
  moe.router_bias = moe.expert_bias = true;
  m.moe = moe;
  f.irrelevant({"initial_context_length", "output_router_logits", "router_aux_loss_coef", "swiglu_limit"});
}

const family_entry gpt_oss{"gpt_oss", "gpt-oss", read_gpt_oss};

}  // namespace
}  // namespace memwall
