// SPDX-License-Identifier: Apache-2.0
#include "traces/layout.h"

#include <algorithm>

namespace memwall::trace {

std::int64_t cost::activation(const std::string& name) {
  if (name.rfind("relu", 0) == 0) return 1;
  if (name.rfind("gelu", 0) == 0) return 9;  // x (1 + tanh(a (x + b x^3))) / 2
  return 4;                                  // x / (1 + exp(-x))
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a + 0x9e3779b97f4a7c15u * (b + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::vector<std::int64_t> choose_experts(std::uint64_t key, std::int64_t tokens, std::int64_t experts,
                                         std::int64_t active) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(experts), 0);
  if (active == experts) {
    rows.assign(rows.size(), tokens);
    return rows;
  }
  std::vector<std::uint32_t> order(rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  std::uint64_t state = key;
  for (std::int64_t t = 0; t < tokens; ++t)
    // A partial shuffle: any starting order gives a uniform choice, so `order` need not be reset.
    for (std::int64_t i = 0; i < active; ++i) {
      const auto left = static_cast<std::uint64_t>(experts - i);
      state = mix(state, 1);
      const auto pick = static_cast<std::size_t>(i) + static_cast<std::size_t>(((state >> 32) * left) >> 32);
      std::swap(order[static_cast<std::size_t>(i)], order[pick]);
      ++rows[order[static_cast<std::size_t>(i)]];
    }
  return rows;
}

layout::layout(const model& m, const workload& w) : m_model(m) {
  const bool prefill = w.phase != workload::phases::decode;
  m_pass = prefill ? (w.prefill_chunk > 0 ? std::min(w.prefill_chunk, w.prompt) : w.prompt) : 1;
  m_rows = w.batch * m_pass;
  m_longest = w.longest();
  m_kv_bytes = m.mla ? bytes_of(w.types.kv, 1, m.kv_values()) : bytes_of(w.types.kv, 2 * m.kv_heads, m.head_dim);

  for (const auto& weight : weights_of(m)) {
    tensor t;
    t.name = weight.name;
    t.cls = tensor_class::weights;
    t.type = type_of(weight, w.types);
    t.shape = {weight.rows, weight.columns};
    t.layer = weight.layer;
    t.bytes = weight_bytes(weight, w.types);
    t.parts = weight.parts;
    add(std::move(t));
  }
  for (std::int64_t i = 0; i < m.layers; ++i) {
    tensor t;
    t.name = "layers." + std::to_string(i) + ".kv";
    t.cls = tensor_class::kv_cache;
    t.type = w.types.kv;
    t.layer = i;
    t.shape = {kv_capacity(i), w.batch};
    if (m.mla)
      t.shape.push_back(m.kv_values());
    else
      t.shape.insert(t.shape.end(), {2, m.kv_heads, m.head_dim});
    t.bytes = checked_product({kv_capacity(i), w.batch, m_kv_bytes});
    add(std::move(t));
  }
  add_activations(m, w);
}

std::int64_t layout::kv_capacity(std::int64_t layer) const {
  const std::int64_t window = m_model.window_of(layer);
  return window > 0 ? std::min(m_longest, window + m_pass - 1) : m_longest;
}

void layout::add_activations(const model& m, const workload& w) {
  const auto buffer = [&](const char* name, std::int64_t rows, std::int64_t width) {
    tensor t;
    t.name = name;
    t.cls = tensor_class::activations;
    t.type = w.types.activations;
    t.shape = {rows, width};
    t.bytes = bytes_of(w.types.activations, rows, width);
    add(std::move(t));
  };
  buffer("act.residual", m_rows, m.hidden);
  buffer("act.norm", m_rows, m.hidden);
  if (m.parallel_blocks && !m.shared_norm) buffer("act.mlp_norm", m_rows, m.hidden);
  if (m.mla) {
    const auto& a = *m.mla;
    const std::int64_t query = m.heads * (a.nope + a.rope);
    buffer("act.qkv_a", m_rows, (a.q_rank > 0 ? a.q_rank : query) + a.kv_rank + a.rope);
    if (a.q_rank > 0) buffer("act.q_b", m_rows, query);
    buffer("act.q", m_rows, query);
    if (w.phase != workload::phases::decode) buffer("act.kv", w.batch * w.prompt, m.heads * (a.nope + a.value));
    if (w.phase != workload::phases::prefill) {
      buffer("act.q_latent", w.batch, m.heads * a.kv_rank);
      buffer("act.o_latent", w.batch, m.heads * a.kv_rank);
    }
    buffer("act.attention", m_rows, m.heads * a.value);
  } else {
    buffer("act.qkv", m_rows, (m.heads + 2 * m.kv_heads) * m.head_dim);
    if (m.positions == model::position_kind::rope) buffer("act.q", m_rows, m.heads * m.head_dim);
    buffer("act.attention", m_rows, m.heads * m.head_dim);
  }
  buffer("act.block", m_rows, m.hidden);
  if (m.parallel_blocks) buffer("act.mlp_block", m_rows, m.hidden);
  const std::int64_t gates = m.gated ? 2 : 1;
  std::int64_t widest = 0;  // of the dense MLP and the shared expert
  const std::int64_t mixtures = m.moe_layers();
  if (mixtures < m.layers) widest = m.ffn;
  if (mixtures > 0) widest = std::max(widest, m.moe->shared * m.moe->ffn);
  if (widest > 0) {
    buffer("act.up", m_rows, gates * widest);
    buffer("act.ffn", m_rows, widest);
  }
  if (mixtures > 0) {
    const std::int64_t routed = m_rows * m.moe->active;
    buffer("act.router", m_rows, m.moe->experts);
    buffer("act.expert_up", routed, gates * m.moe->ffn);
    buffer("act.expert_ffn", routed, m.moe->ffn);
    buffer("act.expert_block", routed, m.hidden);
    if (m.moe->shared > 0) buffer("act.shared_block", m_rows, m.hidden);
  }
  buffer("act.last", w.batch, m.hidden);
  buffer("act.logits", w.batch, m.vocab);
}

void layout::add(tensor t) {
  m_index.emplace(t.name, static_cast<std::uint32_t>(m_tensors.size()));
  m_tensors.push_back(std::move(t));
}

std::uint32_t layout::at(std::string_view name) const {
  return m_index.at(std::string(name));
}

}  // namespace memwall::trace
