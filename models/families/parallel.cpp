// SPDX-License-Identifier: Apache-2.0
// GPT-J, GPT-NeoX and Falcon: attention and MLP both read the layer's input, and their results are added to
// it together.
#include <algorithm>

#include "models/fields.h"

namespace memwall {
namespace {

void parallel_blocks(fields& f, model& m, bool tied) {
  shape_defaults d;
  d.tied = tied;
  d.grouped = false;
  common_shape(f, m, d);
  m.gated = false;
  m.norm = model::norm_kind::layernorm;
  m.parallel_blocks = true;
}

void read_gptj(fields& f, model& m) {
  m.family = "gptj";
  parallel_blocks(f, m, false);
  m.shared_norm = true;
  m.mlp_bias = m.lm_head_bias = true;
  m.ffn = f.count_or({"n_inner"}, 4 * m.hidden, 1, most_ffn);
  m.activation = f.text_or({"activation_function"}, "gelu_new");
  f.only("rotary", "true", "the family's positions are rotary");
  const std::int64_t by_default = f.is_null({"rotary_dim"}) ? m.head_dim : std::min<std::int64_t>(64, m.head_dim);
  const auto rotated = f.count_or({"rotary_dim"}, by_default, 1, m.head_dim);
  m.rope_fraction = static_cast<double>(rotated) / static_cast<double>(m.head_dim);
  f.irrelevant({"scale_attn_weights", "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
                "summary_type", "summary_use_proj"});
}

void read_neox(fields& f, model& m) {
  m.family = "gpt_neox";
  parallel_blocks(f, m, false);
  m.parallel_blocks = f.flag_or({"use_parallel_residual"}, true);
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, true);
  m.mlp_bias = true;
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.activation = f.text_or({"hidden_act"}, "gelu");
  m.rope_fraction = f.number_or({"rotary_pct", "partial_rotary_factor"}, 0.25, 0, 1);
}

/// Falcon 7B has one norm and one KV head; 40B and 180B ("new_decoder_architecture") two norms and several KV
/// heads; 11B several KV heads and one norm; the RW models blocks one after the other, each with its norm.
void read_falcon(fields& f, model& m) {
  m.family = "falcon";
  parallel_blocks(f, m, true);
  const bool late = f.flag_or({"new_decoder_architecture"}, false);
  // Without the late architecture, multi_query alone decides, whatever num_kv_heads says.
  const bool one = f.flag_or({"multi_query"}, true) && !late;
  const auto given = f.count_or({"num_kv_heads", "n_head_kv"}, m.heads, 1, most_heads);
  m.kv_heads = one ? 1 : given;
  if (m.heads % m.kv_heads != 0)
    f.problem_at({"num_kv_heads", "n_head_kv"},
                 std::to_string(m.kv_heads) + " KV heads do not divide " + std::to_string(m.heads),
                 "a divisor of the number of heads");
  m.parallel_blocks = f.flag_or({"parallel_attn"}, true);
  const auto norms = f.count_or({"num_ln_in_parallel_attn"}, late ? 2 : 1, 1, 2);
  m.shared_norm = m.parallel_blocks && norms == 1;
  m.qkv_bias = m.out_bias = m.mlp_bias = f.flag_or({"bias"}, false);
  m.ffn = f.count_or({"ffn_hidden_size"}, 4 * m.hidden, 1, most_ffn);
  m.activation = f.text_or({"activation"}, "gelu");
  if (f.flag_or({"alibi"}, false)) m.positions = model::position_kind::alibi;
  f.irrelevant({"apply_residual_connection_post_layernorm"});
}

const family_entry gptj{"gptj", "GPT-J", read_gptj};
const family_entry neox{"gpt_neox", "GPT-NeoX and Pythia", read_neox};
const family_entry falcon{"falcon", "Falcon", read_falcon};

}  // namespace
}  // namespace memwall
