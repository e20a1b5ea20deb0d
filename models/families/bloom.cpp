// SPDX-License-Identifier: Apache-2.0
// BLOOM: ALiBi positions, a norm after the embedding, biases everywhere, a plain MLP of 4 x hidden.
#include "models/fields.h"

namespace memwall {
namespace {

void read_bloom(fields& f, model& m) {
  m.family = "bloom";
  shape_defaults d;
  d.tied = true;
  d.grouped = false;
  common_shape(f, m, d);
  m.gated = false;
  m.norm = model::norm_kind::layernorm;
  m.positions = model::position_kind::alibi;
  m.embed_norm = true;
  m.qkv_bias = m.out_bias = m.mlp_bias = true;
  m.activation = "gelu";
  m.ffn = 4 * m.hidden;
  f.only("n_inner", std::to_string(m.ffn), "the family's MLP is four times the hidden size");
  f.irrelevant({"apply_residual_connection_post_layernorm", "attention_softmax_in_fp32", "bias_dropout_fusion",
                "masked_softmax_fusion", "offset_alibi", "skip_bias_add", "skip_bias_add_qkv", "slow_but_exact"});
}

const family_entry bloom{"bloom", "BLOOM", read_bloom};

}  // namespace
}  // namespace memwall
