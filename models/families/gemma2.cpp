// SPDX-License-Identifier: Apache-2.0
// Gemma 2: norms before and after each block, a window in every second layer, head_dim of its own, tied
// embeddings.
#include "models/fields.h"

namespace memwall {
namespace {

void read_gemma2(fields& f, model& m) {
  m.family = "gemma2";
  common_shape(f, m, true);
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.activation = f.text_or({"hidden_activation", "hidden_act"}, "gelu_pytorch_tanh");
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, false);
  m.post_norms = true;
  m.embed_scale = true;
  m.window = f.count_or({"sliding_window"}, 0, 1, most_positions);
  m.full_every = 2;
}

void read_gemma3(fields& f, model& m) {
  read_gemma2(f, m);
  m.family = "gemma3";
  m.qk_norm = true;
  m.full_every = f.count_or({"sliding_window_pattern"}, 6, 1, most_layers);
}

const family_entry gemma3{"gemma3_text", "Gemma 3, the language part", read_gemma3};
const family_entry gemma2{"gemma2", "Gemma 2", read_gemma2};

}  // namespace
}  // namespace memwall
