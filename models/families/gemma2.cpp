// SPDX-License-Identifier: Apache-2.0
// Gemma 2 and 3: norms before and after each block, a window in some layers, head_dim of its own, tied
// embeddings.
#include "models/fields.h"

namespace memwall {
namespace {

/// Defaults: Gemma2Config and Gemma3TextConfig of the transformers library.
shape_defaults defaults(std::int64_t vocab, std::int64_t positions) {
  shape_defaults d;
  d.tied = true;
  d.heads = 8;
  d.kv_heads = 4;
  d.head_dim = 256;
  d.vocab = vocab;
  d.max_positions = positions;
  return d;
}

void read_gemma(fields& f, model& m, const shape_defaults& d) {
  common_shape(f, m, d);
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.activation = f.text_or({"hidden_activation", "hidden_act"}, "gelu_pytorch_tanh");
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, false);
  m.post_norms = true;
  m.embed_scale = true;
  f.only("use_bidirectional_attention", "false", "attention to later positions is not modelled");
  f.irrelevant({"attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar"});
}

std::int64_t window(fields& f) {
  const fields::names spellings = {"sliding_window", "sliding_window_size"};
  return f.is_null(spellings) ? 0 : f.count_or(spellings, 4096, 1, most_positions);
}

void read_gemma2(fields& f, model& m) {
  m.family = "gemma2";
  read_gemma(f, m, defaults(256000, 8192));
  read_windows(
      f, m, window(f), [](std::int64_t layer) { return layer % 2 == 0; }, false);
}

void read_gemma3(fields& f, model& m) {
  m.family = "gemma3";
  read_gemma(f, m, defaults(262208, 131072));
  m.qk_norm = true;
  const fields::names pattern = {"sliding_window_pattern", "_sliding_window_pattern"};
  const std::int64_t every = f.count_or(pattern, 6, 1, most_layers);
  read_windows(
      f, m, window(f), [every](std::int64_t layer) { return (layer + 1) % every != 0; }, f.has(pattern));
}

const family_entry gemma3{"gemma3_text", "Gemma 3, the language part", read_gemma3};
const family_entry gemma2{"gemma2", "Gemma 2", read_gemma2};

}  // namespace
}  // namespace memwall
