// SPDX-License-Identifier: Apache-2.0
// BLOOM: ALiBi positions, a norm after the embedding, biases everywhere, a plain MLP of 4 x hidden.
#include "models/fields.h"

namespace memwall {
namespace {

void read_bloom(fields& f, model& m) {
  m.family = "bloom";
  common_shape(f, m, true);
  m.gated = false;
  m.norm = model::norm_kind::layernorm;
  m.positions = model::position_kind::alibi;
  m.embed_norm = true;
  m.qkv_bias = m.out_bias = m.mlp_bias = true;
  m.activation = "gelu";
  m.ffn = f.count_or({"n_inner"}, 4 * m.hidden, 1, most_ffn);
}

const family_entry bloom{"bloom", "BLOOM", read_bloom};

}  // namespace
}  // namespace memwall
