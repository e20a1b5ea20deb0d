// SPDX-License-Identifier: Apache-2.0
// Every weight tensor of a model, and the sums over them.
#include <algorithm>

#include "models/model.h"

namespace memwall {
namespace {

using role = weight::role;

/// Collects tensors of one layer or of the model's ends.
class collector {
 public:
  collector(const model& m, std::vector<weight>& out) : m_model(m), m_out(out) {}

  void layer(std::int64_t index) {
    m_layer = index;
    m_prefix = index < 0 ? "" : "layers." + std::to_string(index) + ".";
  }
  void add(const char* name, role what, std::int64_t rows, std::int64_t columns, std::string parts = {}) {
    m_out.push_back({m_prefix + name, what, m_layer, rows, columns, std::move(parts)});
  }
  /// Gain, and for a layer norm the bias too.
  void norm(const char* name, std::int64_t width) {
    const bool both = m_model.norm == model::norm_kind::layernorm;
    add(name, role::norm, both ? 2 : 1, width, both ? "gain + bias" : "");
  }
  void linear(const std::string& name, std::int64_t rows, std::int64_t columns, bool bias,
              const std::string& parts = {}) {
    add(name.c_str(), role::linear, rows, columns, parts);
    if (bias) add((name + ".bias").c_str(), role::bias, 1, rows);
  }

 private:
  const model& m_model;
  std::vector<weight>& m_out;
  std::int64_t m_layer = -1;
  std::string m_prefix;
};

std::string sum_of(std::initializer_list<std::pair<const char*, std::int64_t>> parts) {
  std::string out;
  for (const auto& [name, rows] : parts)
    out += (out.empty() ? "" : " + ") + std::string(name) + " " + std::to_string(rows);
  return out;
}

void attention_of(const model& m, collector& c) {
  if (m.mla) {
    const auto& a = *m.mla;
    const std::int64_t query = m.heads * (a.nope + a.rope);
    const std::int64_t first = a.q_rank > 0 ? a.q_rank : query;
    c.linear("attn.qkv_a", first + a.kv_rank + a.rope, m.hidden, false,
             sum_of({{a.q_rank > 0 ? "q_a" : "q", first}, {"kv_a", a.kv_rank}, {"k_rope", a.rope}}));
    c.add("attn.qkv_a_norm", role::norm, 1, a.q_rank + a.kv_rank, sum_of({{"q_a", a.q_rank}, {"kv_a", a.kv_rank}}));
    if (a.q_rank > 0) c.linear("attn.q_b", query, a.q_rank, false);
    c.linear("attn.kv_b", m.heads * (a.nope + a.value), a.kv_rank, false,
             sum_of({{"k", m.heads * a.nope}, {"v", m.heads * a.value}}));
    c.linear("attn.o", m.hidden, m.heads * a.value, false);
    return;
  }
  const std::int64_t q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  c.linear("attn.qkv", q + 2 * kv, m.hidden, m.qkv_bias, sum_of({{"q", q}, {"k", kv}, {"v", kv}}));
  if (m.qk_norm) c.add("attn.qk_norm", role::norm, 2, m.head_dim, "q + k");
  if (m.sinks) c.add("attn.sinks", role::norm, 1, m.heads);
  c.linear("attn.o", m.hidden, q, m.out_bias);
}

void mlp_of(const model& m, collector& c, const std::string& prefix, std::int64_t width, bool bias) {
  if (m.gated)
    c.linear(prefix + "gate_up", 2 * width, m.hidden, bias, sum_of({{"gate", width}, {"up", width}}));
  else
    c.linear(prefix + "up", width, m.hidden, bias);
  c.linear(prefix + "down", m.hidden, width, bias);
}

void moe_of(const model& m, collector& c) {
  const auto& e = *m.moe;
  const std::int64_t up = (m.gated ? 2 : 1) * e.ffn;
  c.add("moe.router", role::router, e.experts, m.hidden);
  if (e.router_bias) c.add("moe.router.bias", role::bias, 1, e.experts);
  const auto stack = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    c.add(name.c_str(), role::expert, e.experts * rows, columns,
          std::to_string(e.experts) + " experts x " + std::to_string(rows));
    if (e.expert_bias) c.add((name + ".bias").c_str(), role::expert_bias, e.experts, rows);
  };
  stack(m.gated ? "moe.gate_up" : "moe.up", up, m.hidden);
  stack("moe.down", m.hidden, e.ffn);
  if (e.shared > 0) mlp_of(m, c, "moe.shared.", e.shared * e.ffn, false);
}

}  // namespace

std::vector<weight> weights_of(const model& m) {
  std::vector<weight> out;
  collector c(m, out);
  c.layer(-1);
  c.add("embed", role::embedding, m.vocab, m.hidden);
  if (m.positions == model::position_kind::learned)
    c.add("positions", role::position, m.max_positions + m.position_offset, m.hidden);
  if (m.embed_norm) c.norm("embed_norm", m.hidden);
  for (std::int64_t i = 0; i < m.layers; ++i) {
    c.layer(i);
    c.norm("attn.norm", m.hidden);
    attention_of(m, c);
    if (m.post_norms) c.norm("attn.post_norm", m.hidden);
    if (!m.parallel_blocks || !m.shared_norm) c.norm("mlp.norm", m.hidden);
    if (m.is_moe(i))
      moe_of(m, c);
    else
      mlp_of(m, c, "mlp.", m.ffn, m.mlp_bias);
    if (m.post_norms) c.norm("mlp.post_norm", m.hidden);
  }
  c.layer(-1);
  c.norm("norm", m.hidden);
  if (!m.tied) c.add("lm_head", role::linear, m.vocab, m.hidden);
  if (m.lm_head_bias) c.add("lm_head.bias", role::bias, 1, m.vocab);
  return out;
}

std::int64_t model::moe_layers() const {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < layers; ++i) count += is_moe(i) ? 1 : 0;
  return count;
}

std::int64_t parameter_count(const model& m) {
  std::int64_t sum = 0;
  for (const auto& w : weights_of(m)) sum += w.count();
  return sum;
}

std::int64_t active_parameter_count(const model& m) {
  std::int64_t sum = 0;
  for (const auto& w : weights_of(m))
    sum +=
        w.what == role::expert || w.what == role::expert_bias ? w.count() / m.moe->experts * m.moe->active : w.count();
  return sum;
}

dtype type_of(const weight& w, const dtypes& types) {
  if (w.what == weight::role::expert) return types.experts;
  if (w.what == weight::role::embedding || w.what == weight::role::position || w.name == "lm_head") return types.tables;
  return w.is_matrix() ? types.weights : types.vectors();
}

std::int64_t weight_bytes(const weight& w, const dtypes& types) {
  return bytes_of(type_of(w, types), w.rows, w.columns);
}

std::int64_t weight_bytes(const model& m, const dtypes& types) {
  std::int64_t sum = 0;
  for (const auto& w : weights_of(m)) sum += weight_bytes(w, types);
  return sum;
}

std::int64_t kv_bytes(const model& m, const dtype& type, std::int64_t batch, std::int64_t context) {
  const std::int64_t position =
      m.mla ? bytes_of(type, 1, m.mla->kv_rank + m.mla->rope) : bytes_of(type, 2 * m.kv_heads, m.head_dim);
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < m.layers; ++i) {
    const std::int64_t window = m.window_of(i);
    sum += checked_product({batch, window > 0 ? std::min(context, window) : context, position, m.layers}) / m.layers;
  }
  return sum;
}

}  // namespace memwall
