// SPDX-License-Identifier: Apache-2.0
// What a config.json says about the values of a forward pass.
#include <algorithm>
#include <cmath>

#include "hw/common/config.h"
#include "models/fields.h"
#include "models/forward/forward.h"
#include "models/weights/tensor_names.h"

namespace memwall {
namespace {

void read_activation(const model& m, fields& f, numerics& n) {
  using act = numerics::activation;
  const std::string& a = m.activation;
  if (m.family == "gpt_oss" && a == "silu")
    n.act = act::clamped;
  else if (a == "silu" || a == "swish")
    n.act = act::silu;
  else if (a == "gelu")
    n.act = m.family == "bloom" ? act::gelu_tanh : act::gelu;  // BLOOM has but the approximation
  else if (a == "gelu_new" || a == "gelu_pytorch_tanh" || a == "gelu_fast")
    n.act = act::gelu_tanh;
  else if (a == "relu")
    n.act = act::relu;
  else
    f.problem_at({"hidden_act", "hidden_activation", "activation_function", "activation"}, "got '" + a + "'",
                 "silu, gelu, gelu_new, gelu_pytorch_tanh or relu");
}

void read_scaling(const config::node& s, problem_list& problems, const model& m, numerics& n) {
  fields g(s, problems);
  const std::string type = g.text_or({"rope_type", "type"}, "default");
  const auto original = static_cast<double>(m.max_positions > 0 ? m.max_positions : 8192);
  n.rope_theta = g.number_or({"rope_theta"}, n.rope_theta, 1, 1e12);
  if (type == "default") return;
  n.rope_factor = g.number_or({"factor"}, 1, 1e-3, 1e6);
  n.rope_original = g.number_or({"original_max_position_embeddings"}, original, 1, 1e9);
  if (type == "linear") {
    n.rope_scaling = numerics::scaling::linear;
  } else if (type == "llama3") {
    n.rope_scaling = numerics::scaling::llama3;
    n.rope_low = g.number_or({"low_freq_factor"}, 1, 1e-3, 1e6);
    n.rope_high = g.number_or({"high_freq_factor"}, 4, 1e-3, 1e6);
  } else if (type == "yarn") {
    n.rope_scaling = numerics::scaling::yarn;
    n.yarn_fast = g.number_or({"beta_fast"}, 32, 1e-3, 1e6);
    n.yarn_slow = g.number_or({"beta_slow"}, 1, 1e-3, 1e6);
    n.yarn_truncate = g.flag_or({"truncate"}, true);
    // Peng et al. 2023: logits of a longer context are sharpened; where there are two factors, the rotations take their
    // ratio, and DeepSeek's scores the second one squared.
    const auto sharper = [&](double by) { return n.rope_factor > 1 ? 0.1 * by * std::log(n.rope_factor) + 1 : 1; };
    const double of_turns = g.number_or({"mscale"}, 0, 0, 1e3), of_all = g.number_or({"mscale_all_dim"}, 0, 0, 1e3);
    const double usual = of_turns > 0 && of_all > 0 ? sharper(of_turns) / sharper(of_all) : sharper(1);
    n.yarn_magnitude = g.number_or({"attention_factor"}, usual, 1e-3, 1e3);
    if (m.mla && of_all > 0) n.score_scale *= sharper(of_all) * sharper(of_all);
  } else {
    g.problem_at({"rope_type", "type"}, "got '" + type + "'", "default, linear, llama3 or yarn");
  }
}

// modeling_deepseek.py beside the models' own checkpoints.
void read_deepseek_experts(const model& m, fields& f, numerics& n) {
  const bool third = f.text_or({"model_type"}, "") == "deepseek_v3";
  n.experts_grouped = true;
  const std::string scores = f.text_or({"scoring_func"}, third ? "sigmoid" : "softmax");
  if (scores != "sigmoid" && scores != "softmax")
    f.problem_at({"scoring_func"}, "got '" + scores + "'", "sigmoid or softmax");
  const std::string method = f.text_or({"topk_method"}, third ? "noaux_tc" : "greedy");
  if (method != "greedy" && method != "group_limited_greedy" && method != "noaux_tc")
    f.problem_at({"topk_method"}, "got '" + method + "'", "greedy, group_limited_greedy or noaux_tc");
  n.experts_sigmoid = scores == "sigmoid";
  n.group_by_two = method == "noaux_tc";
  n.experts_normalised = f.flag_or({"norm_topk_prob"}, third);
  n.experts_scale = f.number_or({"routed_scaling_factor"}, third ? 2.5 : 1, 0, 1e6);
  n.shares_scaled = third || !n.experts_normalised;
  if (method == "greedy") return;
  n.expert_groups = f.count_or({"n_group"}, third ? 8 : 1, 1, m.moe->experts);
  n.groups_taken = f.count_or({"topk_group"}, third ? std::min<std::int64_t>(4, n.expert_groups) : n.expert_groups, 1,
                              n.expert_groups);
  if (m.moe->experts % n.expert_groups != 0 || n.groups_taken * (m.moe->experts / n.expert_groups) < m.moe->active)
    f.problem_at({"n_group", "topk_group"},
                 std::to_string(n.groups_taken) + " of " + std::to_string(n.expert_groups) + " groups for " +
                     std::to_string(m.moe->active) + " of " + std::to_string(m.moe->experts) + " experts",
                 "groups of equal size, and enough experts in those taken");
}

}  // namespace

numerics read_numerics(const model& m) {
  problem_list problems;
  const auto root = config::node::parse_file(m.file);
  const config::node* inner = root.find("text_config");  // the language part of a multimodal file
  const config::node& top = inner != nullptr && inner->is_map() ? *inner : root;
  fields f(top, problems, &root);
  if (!has_tensor_names(m.family))
    f.problem_at({"model_type"}, "'" + m.family + "' has no forward pass here", "another family");
  numerics n;
  read_activation(m, f, n);
  n.norm_eps = f.number_or({"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"},
                           m.norm == model::norm_kind::layernorm ? 1e-5 : 1e-6, 0, 1);
  n.rope_theta = f.number_or({"rope_theta", "rotary_emb_base"}, m.family == "gemma3" ? 1e6 : 10000, 1, 1e12);
  n.rope_interleaved = m.family == "gptj";
  n.alibi_scaled = m.family == "falcon";
  n.experts_normalised = m.family == "mixtral" || m.family == "gpt_oss" || f.flag_or({"norm_topk_prob"}, false);
  if (m.family == "gpt_oss") n.swiglu_limit = f.number_or({"swiglu_limit"}, 7, 0, 1e6);
  if (m.family == "gemma2" || m.family == "gemma3") {
    n.gain_offset = 1;
    n.score_scale = 1 / std::sqrt(f.number_or({"query_pre_attn_scalar"}, 256, 1e-6, 1e6));
    const bool second = m.family == "gemma2";
    if (!f.is_null({"attn_logit_softcapping"}))
      n.score_cap = f.number_or({"attn_logit_softcapping"}, second ? 50 : 0, 0, 1e6);
    if (!f.is_null({"final_logit_softcapping"}))
      n.logit_cap = f.number_or({"final_logit_softcapping"}, second ? 30 : 0, 0, 1e6);
    if (!second) n.local_theta = f.number_or({"rope_local_base_freq"}, 10000, 1, 1e12);
  }
  if (m.mla) {
    n.rope_interleaved = f.flag_or({"rope_interleave"}, true);
    n.score_scale = 1 / std::sqrt(static_cast<double>(m.mla->nope + m.mla->rope));
    if (m.moe) read_deepseek_experts(m, f, n);
  }
  if (m.family == "gpt2") {
    f.only("scale_attn_by_inverse_layer_idx", "false", "scores scaled by the layer's number are not computed");
    f.only("scale_attn_weights", "true", "scores without a scale are not computed");
  }
  if (m.family == "bloom" || m.family == "falcon")
    f.only("apply_residual_connection_post_layernorm", "false", "sums of what norms give are not computed");
  for (const char* key : {"rope_scaling", "rope_parameters"})
    if (const auto* s = top.find(key); s != nullptr && s->is_map()) read_scaling(*s, problems, m, n);
  problems.check();
  return n;
}

}  // namespace memwall
