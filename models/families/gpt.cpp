// SPDX-License-Identifier: Apache-2.0
// GPT-2 (and GPT-3, which has its form) and OPT: layer norms, learned positions, biases everywhere, a plain
// MLP.
#include "models/fields.h"

namespace memwall {
namespace {

void plain_blocks(model& m) {
  m.gated = false;
  m.norm = model::norm_kind::layernorm;
  m.positions = model::position_kind::learned;
  m.qkv_bias = m.out_bias = m.mlp_bias = true;
}

void need_positions(fields& f, const model& m) {
  if (m.max_positions == 0)
    f.count({"max_position_embeddings", "n_positions"}, most_positions);  // reports that it is missing
}

void read_gpt2(fields& f, model& m) {
  m.family = "gpt2";
  common_shape(f, m, true);
  plain_blocks(m);
  need_positions(f, m);
  m.ffn = f.count_or({"n_inner"}, 4 * m.hidden, 1, most_ffn);
  m.activation = f.text_or({"activation_function"}, "gelu_new");
}

void read_opt(fields& f, model& m) {
  m.family = "opt";
  common_shape(f, m, true);
  plain_blocks(m);
  need_positions(f, m);
  m.position_offset = 2;  // the table starts with two rows for padding
  m.ffn = f.count({"ffn_dim"}, most_ffn);
  m.activation = f.text_or({"activation_function"}, "relu");
  m.qkv_bias = m.out_bias = m.mlp_bias = f.flag_or({"enable_bias"}, true);
  f.only("do_layer_norm_before", "true", "norms after the blocks are not modelled");
  f.only("word_embed_proj_dim", std::to_string(m.hidden), "a projection between embedding and layers is not modelled");
}

const family_entry gpt2{"gpt2", "GPT-2 and GPT-3", read_gpt2};
const family_entry opt{"opt", "OPT", read_opt};

}  // namespace
}  // namespace memwall
