// SPDX-License-Identifier: Apache-2.0
// GPT-2 (and GPT-3, which has its form) and OPT: layer norms, learned positions, biases everywhere, a plain
// MLP.
#include "models/fields.h"

namespace memwall {
namespace {

void plain_blocks(fields& f, model& m) {
  shape_defaults d;
  d.tied = true;
  d.grouped = false;
  common_shape(f, m, d);
  m.gated = false;
  m.norm = model::norm_kind::layernorm;
  m.positions = model::position_kind::learned;
  m.qkv_bias = m.out_bias = m.mlp_bias = true;
  if (m.max_positions == 0)
    f.count({"max_position_embeddings", "n_positions"}, most_positions);  // reports that it is missing
}

void read_gpt2(fields& f, model& m) {
  m.family = "gpt2";
  plain_blocks(f, m);
  m.ffn = f.count_or({"n_inner"}, 4 * m.hidden, 1, most_ffn);
  m.activation = f.text_or({"activation_function"}, "gelu_new");
  f.only("add_cross_attention", "false", "attention to an encoder is not modelled");
  f.irrelevant({"n_special", "predict_special_tokens", "reorder_and_upcast_attn", "scale_attn_by_inverse_layer_idx",
                "scale_attn_weights", "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
                "summary_type", "summary_use_proj"});
}

void read_opt(fields& f, model& m) {
  m.family = "opt";
  plain_blocks(f, m);
  m.position_offset = 2;  // the table starts with two rows for padding
  m.ffn = f.count({"ffn_dim"}, most_ffn);
  m.activation = f.text_or({"activation_function"}, "relu");
  m.qkv_bias = m.out_bias = m.mlp_bias = f.flag_or({"enable_bias"}, true);
  f.only("do_layer_norm_before", "true", "norms after the blocks are not modelled");
  f.only("_remove_final_layer_norm", "false", "a model without its last norm is not modelled");
  f.only("layer_norm_elementwise_affine", "true", "norms without gain and bias are not modelled");
  f.only("word_embed_proj_dim", std::to_string(m.hidden), "a projection between embedding and layers is not modelled");
}

const family_entry gpt2{"gpt2", "GPT-2 and GPT-3", read_gpt2};
const family_entry opt{"opt", "OPT", read_opt};

}  // namespace
}  // namespace memwall
