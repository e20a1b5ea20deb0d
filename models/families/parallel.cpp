// SPDX-License-Identifier: Apache-2.0
// GPT-J, GPT-NeoX and Falcon: attention and MLP both read the layer's input, and their results are added to
// it together.
#include "models/fields.h"

namespace memwall {
namespace {

void parallel_blocks(model& m) {
  m.gated = false;
  m.norm = model::norm_kind::layernorm;
  m.parallel_blocks = true;
}

void read_gptj(fields& f, model& m) {
  m.family = "gptj";
  common_shape(f, m, false);
  parallel_blocks(m);
  m.shared_norm = true;
  m.mlp_bias = m.lm_head_bias = true;
  m.ffn = f.count_or({"n_inner"}, 4 * m.hidden, 1, most_ffn);
  m.activation = f.text_or({"activation_function"}, "gelu_new");
  const auto rotated = f.count_or({"rotary_dim"}, m.head_dim, 1, m.head_dim);
  m.rope_fraction = static_cast<double>(rotated) / static_cast<double>(m.head_dim);
}

void read_neox(fields& f, model& m) {
  m.family = "gpt_neox";
  common_shape(f, m, false);
  parallel_blocks(m);
  m.parallel_blocks = f.flag_or({"use_parallel_residual"}, true);
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, true);
  m.mlp_bias = true;
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.activation = f.text_or({"hidden_act"}, "gelu");
  m.rope_fraction = f.number_or({"rotary_pct"}, 0.25, 0, 1);
}

/// Falcon 7B has one norm and one KV head; 40B and 180B ("new_decoder_architecture") two norms and several KV
/// heads.
void read_falcon(fields& f, model& m) {
  m.family = "falcon";
  common_shape(f, m, true);
  parallel_blocks(m);
  const bool late = f.flag_or({"new_decoder_architecture"}, false);
  if (late)
    m.kv_heads = f.count({"num_kv_heads"}, m.heads);
  else
    m.kv_heads = f.flag_or({"multi_query"}, true) ? 1 : m.heads;
  if (m.heads % m.kv_heads != 0)
    f.problem_at({"num_kv_heads"}, std::to_string(m.kv_heads) + " KV heads do not divide " + std::to_string(m.heads),
                 "a divisor of the number of heads");
  m.shared_norm = !late;
  if (!late) f.only("parallel_attn", "true", "blocks one after the other are not modelled for this family");
  m.qkv_bias = m.out_bias = m.mlp_bias = f.flag_or({"bias"}, false);
  m.ffn = f.count_or({"ffn_hidden_size"}, 4 * m.hidden, 1, most_ffn);
  m.activation = f.text_or({"activation"}, "gelu");
  if (f.flag_or({"alibi"}, false)) m.positions = model::position_kind::alibi;
}

const family_entry gptj{"gptj", "GPT-J", read_gptj};
const family_entry neox{"gpt_neox", "GPT-NeoX and Pythia", read_neox};
const family_entry falcon{"falcon", "Falcon", read_falcon};

}  // namespace
}  // namespace memwall
