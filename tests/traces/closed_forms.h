// SPDX-License-Identifier: Apache-2.0
// What a trace must sum to, derived from the model and the workload without looking at operators.
#pragma once
#include <algorithm>
#include <functional>

#include "traces/generator.h"
#include "traces/totals.h"

namespace memwall::trace {

/// The passes of a workload: positions in the cache before, new positions a sequence, whether logits are
/// made.
struct forward {
  std::int64_t past, fresh;
  bool logits, prefill;
};

inline std::vector<forward> forwards_of(const workload& w) {
  std::vector<forward> out;
  if (w.phase != workload::phases::decode) {
    const std::int64_t chunk = w.prefill_chunk > 0 ? w.prefill_chunk : w.prompt;
    for (std::int64_t done = 0; done < w.prompt; done += chunk)
      out.push_back({done, std::min(chunk, w.prompt - done), done + chunk >= w.prompt, true});
  }
  if (w.phase != workload::phases::prefill) {
    const std::int64_t before = w.phase == workload::phases::decode ? w.context - 1 : w.prompt;
    for (std::int64_t t = 0; t < w.tokens; ++t) out.push_back({before + t, 1, true, false});
  }
  return out;
}

/// Bytes of all weights of one kind.
inline std::int64_t bytes_where(const model& m, const dtypes& types, const std::function<bool(const weight&)>& take) {
  std::int64_t sum = 0;
  for (const auto& w : weights_of(m))
    if (take(w)) sum += weight_bytes(w, types);
  return sum;
}

/// Bytes of weights all passes read, experts aside: the layers once a pass, the head where logits are made,
/// and of the embedding and position tables the rows that are gathered.
inline std::int64_t expected_weight_bytes(const model& m, const workload& w) {
  using role = weight::role;
  const auto is_table = [](const weight& t) { return t.what == role::embedding || t.what == role::position; };
  const auto is_head = [](const weight& t) {
    return t.layer < 0 && (t.name == "norm" || t.name.rfind("lm_head", 0) == 0);
  };
  const std::int64_t head =
      bytes_where(m, w.types, is_head) +
      (m.tied ? bytes_where(m, w.types, [](const weight& t) { return t.what == role::embedding; }) : 0);
  const std::int64_t body = bytes_where(m, w.types, [&](const weight& t) {
    return !is_table(t) && !is_head(t) && t.what != role::expert && t.what != role::expert_bias;
  });
  const std::int64_t row = bytes_of(w.types.weights, 1, m.hidden);
  std::int64_t sum = 0;
  for (const auto& f : forwards_of(w)) {
    sum += body + (f.logits ? head : 0) + std::min(w.batch * f.fresh, m.vocab) * row;
    if (m.positions == model::position_kind::learned) sum += f.fresh * row;
  }
  return sum;
}

inline std::int64_t position_bytes(const model& m, const workload& w) {
  return m.mla ? bytes_of(w.types.kv, 1, m.mla->kv_rank + m.mla->rope)
               : bytes_of(w.types.kv, 2 * m.kv_heads, m.head_dim);
}

/// Every position that a pass's queries see is read once a layer and sequence, whatever the number of query
/// heads.
inline std::int64_t expected_kv_read(const model& m, const workload& w) {
  std::int64_t positions = 0;
  for (const auto& f : forwards_of(w))
    for (std::int64_t l = 0; l < m.layers; ++l) {
      const std::int64_t window = m.window_of(l);
      positions += f.fresh + (window > 0 ? std::min(f.past, window - 1) : f.past);
    }
  return positions * w.batch * position_bytes(m, w);
}

/// Every new position is written once a layer and sequence.
inline std::int64_t expected_kv_written(const model& m, const workload& w) {
  std::int64_t positions = 0;
  for (const auto& f : forwards_of(w)) positions += f.fresh * m.layers;
  return positions * w.batch * position_bytes(m, w);
}

/// Query-position pairs of a sequence, head and layer, counted one by one.
inline std::int64_t counted_pairs(const forward& f, std::int64_t window) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < f.fresh; ++i) sum += window > 0 ? std::min(f.past + i + 1, window) : f.past + i + 1;
  return sum;
}

/// Two operations for every weight of a matrix and row that meets it, and for every pair in attention.
inline std::int64_t expected_matmul_flops(const model& m, const workload& w) {
  using role = weight::role;
  std::int64_t sum = 0;
  const auto weights = weights_of(m);
  for (const auto& f : forwards_of(w)) {
    const std::int64_t rows = w.batch * f.fresh;
    for (const auto& t : weights) {
      if (t.what == role::expert)
        sum += 2 * rows * (t.count() / m.moe->experts * m.moe->active);
      else if (t.name.size() > 5 &&
               t.name.compare(t.name.size() - 5, 5, ".kv_b") == 0)  // prefill expands the whole cache
        sum += 2 * (f.prefill ? w.batch * (f.past + f.fresh) : rows) * t.count();
      else if ((t.what == role::linear && t.layer >= 0) || t.what == role::router)
        sum += 2 * rows * t.count();
    }
    if (f.logits) sum += 2 * w.batch * m.vocab * m.hidden;
    for (std::int64_t l = 0; l < m.layers; ++l) {
      std::int64_t key = m.head_dim, value = m.head_dim;
      if (m.mla) {
        key = f.prefill ? m.mla->nope + m.mla->rope : m.mla->kv_rank + m.mla->rope;
        value = f.prefill ? m.mla->value : m.mla->kv_rank;
      }
      sum += 2 * w.batch * m.heads * (key + value) * counted_pairs(f, m.window_of(l));
    }
  }
  return sum;
}

/// Each new activation value is finite work: reads and writes must lie inside the tensors, and so on. Returns
/// "" or what is wrong with an operator.
inline std::string defect_of(const op& o, const header& h, std::uint64_t expected_id) {
  if (o.id != expected_id) return "id";
  for (const auto d : o.deps)
    if (d >= o.id) return "dependency";
  if (o.m < 1 || o.n < 1 || o.k < 1 || o.batch < 1) return "shape";
  if (o.matmul_flops < 0 || o.vector_flops < 0) return "flops";
  if (o.uses.empty()) return "no tensors";
  bool wrote = false;
  for (const auto& u : o.uses) {
    if (u.tensor >= h.tensors.size()) return "tensor index";
    const auto& t = h.tensors[u.tensor];
    if (u.offset < 0 || u.bytes < 1 || u.offset + u.bytes > t.bytes) return "part of " + t.name;
    if (u.what == access::write && t.cls == tensor_class::weights) return "weights are written";
    if (u.what == access::read && wrote) return "a read after a write";
    wrote = wrote || u.what == access::write;
  }
  if (is_gemm(o.kind) && o.matmul_flops != 2 * o.m * o.n * o.k * o.batch) return "flops of a gemm";
  return {};
}

}  // namespace memwall::trace
