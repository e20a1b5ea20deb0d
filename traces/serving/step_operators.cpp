// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/step_operators.h"

#include <algorithm>
#include <unordered_map>

#include "traces/generator.h"
#include "traces/layout.h"

namespace memwall::serving {
namespace {

/// 1 + 2 + ... + n
std::int64_t triangle(std::int64_t n) {
  return n * (n + 1) / 2;
}

/// A decode pass with one position: its operators, but attention, are those of any step with as many rows.
trace::workload template_of(const dtypes& types, std::int64_t rows, std::uint64_t seed) {
  trace::workload w;
  w.phase = trace::workload::phases::decode;
  w.batch = rows;
  w.context = 1;
  w.types = types;
  w.seed = seed;
  return w;
}

}  // namespace

attention_view view_of(const step_shape& s, std::int64_t window) {
  attention_view out;
  const auto seen = [window](std::int64_t positions) { return window > 0 ? std::min(positions, window) : positions; };
  out.decodes = static_cast<std::int64_t>(s.contexts.size());
  for (const auto c : s.contexts) out.decode_positions += seen(c);
  for (const auto& c : s.chunks) {
    attention_view::part p;
    p.fresh = c.fresh;
    const std::int64_t end = c.past + c.fresh;
    if (window <= 0 || end <= window) {
      p.pairs = triangle(end) - triangle(c.past);
      p.positions = end;
    } else {
      // Queries whose view still grows, then those that see a whole window.
      const std::int64_t growing = std::clamp<std::int64_t>(window - c.past, 0, c.fresh);
      p.pairs = triangle(c.past + growing) - triangle(c.past) + (c.fresh - growing) * window;
      p.positions = std::min(end, window + c.fresh - 1);
    }
    out.chunks.push_back(p);
  }
  return out;
}

step_operators::step_operators(const memwall::model& m, const dtypes& types, const server_params& server,
                               std::int64_t kv_tokens, std::uint64_t seed)
    : m_model(m), m_seed(seed), m_block_size(server.block_size) {
  const std::int64_t rows = std::max(server.max_num_batched_tokens, server.max_num_seqs);
  const auto widest = trace::generate(m, template_of(types, rows, seed));
  m_header = widest->header();
  m_header.origin = "memwall serve";
  const auto logits = trace::generate(m, template_of(types, server.max_num_seqs, seed));
  for (std::size_t i = 0; i < m_header.tensors.size(); ++i) {
    trace::tensor& t = m_header.tensors[i];
    if (t.cls == trace::tensor_class::kv_cache) {
      // One position of one sequence in the template; here a pool that all sequences take blocks from.
      t.bytes = checked_product({t.bytes / rows, kv_tokens});
      t.shape[0] = kv_tokens;
      t.shape[1] = 1;
    } else if (t.name == "act.last" || t.name == "act.logits") {
      t = logits->header().tensors[i];
    }
  }
  if (server.preemption != "swap") return;
  for (std::size_t i = 0, pool = m_header.tensors.size(); i < pool; ++i) {
    if (m_header.tensors[i].cls != trace::tensor_class::kv_cache) continue;
    trace::tensor t = m_header.tensors[i];
    t.name += ".swapped";
    m_swapped.emplace_back(static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(m_header.tensors.size()));
    m_header.tensors.push_back(std::move(t));
  }
}

std::int64_t step_operators::pool_bytes() const {
  std::int64_t sum = 0, swapped = 0;
  for (const auto& t : m_header.tensors)
    if (t.cls == trace::tensor_class::kv_cache) sum += t.bytes;
  for (const auto& [unused, host] : m_swapped) swapped += m_header.tensors[host].bytes;
  return sum - swapped;
}

std::vector<step_operator> step_operators::swaps(std::int64_t blocks_out, std::int64_t blocks_in,
                                                 std::int64_t number) const {
  std::vector<step_operator> out;
  for (const bool back : {false, true}) {
    const std::int64_t tokens = (back ? blocks_in : blocks_out) * m_block_size;
    if (tokens == 0) continue;
    // As the attention that reads them: the same heads on the same devices.
    for (const trace::op& attention : template_for(1)) {
      if (attention.kind != trace::op_kind::attention) continue;
      trace::op o;
      o.id = out.size();
      if (o.id > 0) o.deps = {o.id - 1};
      o.name = "layers." + std::to_string(attention.layer) + (back ? ".kv_swap.in" : ".kv_swap.out");
      o.kind = trace::op_kind::elementwise;
      o.layer = attention.layer;
      o.phase = trace::phase::decode;
      o.step = number;
      o.shard = attention.shard;
      o.heads = attention.heads;
      o.kv_heads = attention.kv_heads;
      o.input = o.weight = o.output = attention.weight;
      o.m = tokens;
      for (const auto& [pool, swapped] : m_swapped) {
        const trace::tensor& t = m_header.tensors[pool];
        if (t.layer != attention.layer) continue;
        o.n = o.k = t.bytes / t.shape[0];
        const std::int64_t bytes = std::min(t.bytes, t.bytes / t.shape[0] * tokens);
        o.uses.push_back({back ? swapped : pool, trace::access::read, 0, bytes});
        o.uses.push_back({back ? pool : swapped, trace::access::write, 0, bytes});
      }
      out.push_back({std::move(o), segment::rows});
    }
  }
  return out;
}

/// Puts a step together.
class step_operators::maker {
 public:
  maker(const step_operators& all, const step_shape& shape, std::vector<step_operator>& out)
      : m_all(all), m_shape(shape), m_out(out) {}

  void layers(const std::vector<bool>& wanted) {
    for (const trace::op& made : m_all.template_for(m_shape.rows)) {
      const bool inside = made.layer >= 0;
      if (!inside && m_inside) break;  // the model's end has as many rows as are sampled
      if (inside && !wanted.empty() && !wanted[static_cast<std::size_t>(made.layer)]) {
        m_inside = true;
        continue;
      }
      m_inside = inside;
      trace::op o = made;
      o.phase = m_shape.prompt() ? trace::phase::prefill : trace::phase::decode;
      if (o.kind == trace::op_kind::attention)
        attention(o, view_of(m_shape, m_all.m_model.window_of(o.layer)));
      else
        add(std::move(o), inside ? segment::rows : segment::begin);
    }
  }

  void end() {
    if (m_shape.sampled == 0) return;
    m_moved.clear();
    bool inside = false;
    for (const trace::op& made : m_all.template_for(m_shape.sampled)) {
      inside = inside || made.layer >= 0;
      if (!inside || made.layer >= 0) continue;
      trace::op o = made;
      o.phase = m_shape.prompt() ? trace::phase::prefill : trace::phase::decode;
      add(std::move(o), segment::end);
    }
  }

 private:
  /// Gives it the next number; what it waited for in the template has another one here, or is left out: then it waits
  /// for the operator before it.
  void add(trace::op o, segment part) {
    const std::uint64_t was = o.id;
    o.id = m_out.size();
    for (auto& d : o.deps) {
      const auto moved = m_moved.find(d);
      d = moved != m_moved.end() ? moved->second : o.id - 1;
    }
    if (o.id == 0) o.deps.clear();
    if (o.id > 0 && o.deps.empty()) o.deps = {o.id - 1};
    m_moved[was] = o.id;
    m_out.push_back({std::move(o), part});
  }

  /// The template has one query and one position for each row: its flops and cache bytes are those of a pair.
  void attention(const trace::op& o, const attention_view& v) {
    const std::int64_t window = m_all.m_model.window_of(o.layer);
    if (v.decodes > 0) {
      trace::op d = part_of(o, v.decodes, v.decode_positions, v.decode_positions);
      d.phase = trace::phase::decode;
      d.batch = v.decodes;
      d.m = 1;
      d.beside_prompt = !v.chunks.empty();
      d.n = (v.decode_positions + v.decodes - 1) / v.decodes;
      add(std::move(d), segment::decode_attention);
    }
    for (const auto& c : v.chunks) {
      // Of the same group as the decodes: engines hand sequences of all lengths to one kernel.
      trace::op p = part_of(o, c.fresh, c.pairs, c.positions);
      p.phase = trace::phase::prefill;
      p.batch = 1;
      p.m = c.fresh;
      p.n = window > 0 ? std::min(window, c.positions) : c.positions;
      add(std::move(p), segment::chunk_attention);
    }
  }

  trace::op part_of(const trace::op& o, std::int64_t queries, std::int64_t pairs, std::int64_t positions) const {
    const auto& tensors = m_all.m_header.tensors;
    const std::int64_t rows = m_shape.rows;
    trace::op out = o;
    out.matmul_flops = o.matmul_flops / rows * pairs;
    out.vector_flops = o.vector_flops / rows * pairs;
    out.uses.clear();
    for (auto u : o.uses) {
      const trace::tensor& t = tensors[u.tensor];
      if (t.cls != trace::tensor_class::kv_cache) {
        if (t.cls == trace::tensor_class::activations) u.bytes = u.bytes / rows * queries;
        out.uses.push_back(u);
        continue;
      }
      // Sequences that share blocks read them each for itself: more bytes than the pool has are several readings.
      std::int64_t left = u.bytes / rows * positions;
      u.offset = 0;
      for (; left > 0; left -= u.bytes) {
        u.bytes = std::min(left, t.bytes);
        out.uses.push_back(u);
      }
    }
    return out;
  }

  const step_operators& m_all;
  const step_shape& m_shape;
  std::vector<step_operator>& m_out;
  std::unordered_map<std::uint64_t, std::uint64_t> m_moved;
  bool m_inside = false;
};

std::vector<step_operator> step_operators::make(const step_shape& shape, std::int64_t number,
                                                const std::vector<bool>& layers) const {
  std::vector<step_operator> out;
  maker m(*this, shape, out);
  m.layers(layers);
  m.end();
  for (auto& o : out) o.op.step = number;
  return out;
}

/// Steps with as many rows follow each other; the last templates are kept.
const std::vector<trace::op>& step_operators::template_for(std::int64_t rows) const {
  constexpr std::size_t kept = 48;
  if (const auto found = m_templates.find(rows); found != m_templates.end()) return found->second;
  if (m_templates.size() == kept) m_templates.clear();
  std::vector<trace::op>& out = m_templates[rows];
  const auto stream = trace::generate(m_model, template_of(m_header.workload.types, rows, m_seed));
  for (trace::op o; stream->next(o);) out.push_back(o);
  return out;
}

}  // namespace memwall::serving
