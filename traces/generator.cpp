// SPDX-License-Identifier: Apache-2.0
#include "traces/generator.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <utility>

#include "traces/defaults.h"
#include "traces/layout.h"

namespace memwall::trace {
namespace {

/// One pass through the layers: a prefill chunk or a decoded token.
struct pass {
  trace::phase phase = trace::phase::decode;
  std::int64_t index = 0;  ///< op::step
  std::int64_t past = 0;   ///< positions in the cache before it
  std::int64_t fresh = 1;  ///< new positions a sequence
  bool logits = true;      ///< false: an inner prefill chunk, which stops before the lm_head
};

void check_tensors(const std::vector<tensor>& tensors);

class generator final : public op_stream {
 public:
  generator(const model& m, const workload& w, const std::string& beyond) : m_model(m), m_layout(m_model, w) {
    m_header.model = m.name;
    m_header.notes = m.notes;
    if (!beyond.empty()) m_header.notes.push_back(beyond);
    m_header.origin = "memwall";
    m_header.workload = w;
    m_header.tensors = m_layout.tensors();
    check_tensors(m_header.tensors);
    start();
    m_size = count();
    start();
  }

  const trace::header& header() const override { return m_header; }
  std::int64_t size() const override { return m_size; }

  bool next(op& out) override {
    while (m_taken == m_ready.size())
      if (!advance()) return false;
    out = std::move(m_ready[m_taken++]);
    return true;
  }

 private:
  using work = workload::phases;
  const workload& w() const { return m_header.workload; }
  std::int64_t rows() const { return w().batch * m_pass.fresh; }
  std::int64_t passes_of_prefill() const {
    const std::int64_t chunk = w().prefill_chunk > 0 ? w().prefill_chunk : w().prompt;
    return (w().prompt + chunk - 1) / chunk;
  }

  void start() {
    m_ready.clear();
    m_taken = 0;
    m_next_id = 0;
    m_pass_number = -1;
    m_part = m_model.layers + 1;
  }

  /// The pass with this number; false behind the last one.
  bool pass_at(std::int64_t number, pass& out) const {
    const std::int64_t chunks = w().phase == work::decode ? 0 : passes_of_prefill();
    const std::int64_t decoded = w().phase == work::prefill ? 0 : w().tokens;
    if (number < chunks) {
      const std::int64_t chunk = w().prefill_chunk > 0 ? w().prefill_chunk : w().prompt;
      out = {trace::phase::prefill, number, number * chunk, std::min(chunk, w().prompt - number * chunk),
             number + 1 == chunks};
    } else {
      const std::int64_t token = number - chunks;
      const std::int64_t past = w().phase == work::decode ? w().context - 1 : w().prompt;
      out = {trace::phase::decode, token, past + token, 1, true};
    }
    return number < chunks + decoded;
  }

  /// Fills m_ready with the next part: the embedding, a layer, or the model's end.
  bool advance() {
    m_ready.clear();
    m_taken = 0;
    if (++m_part > m_model.layers) {
      if (!pass_at(++m_pass_number, m_pass)) return false;
      m_part = -1;
    }
    emit(m_part);
    return true;
  }

  void emit(std::int64_t part) {
    m_layer = part < m_model.layers ? part : -1;
    m_prefix = m_layer < 0 ? "" : "layers." + std::to_string(m_layer) + ".";
    if (part < 0)
      emit_embed();
    else if (part < m_model.layers)
      emit_layer();
    else if (m_pass.logits)
      emit_end();
  }

  /// Operators in all, from one pass and one layer of each kind.
  std::int64_t count() {
    m_counting = true;
    std::int64_t total = 0, first_dense = -1, first_moe = -1;
    for (std::int64_t i = m_model.layers; i-- > 0;) (m_model.is_moe(i) ? first_moe : first_dense) = i;
    const std::int64_t mixtures = m_model.moe_layers();
    const auto ops_of = [&](std::int64_t part) {
      m_ready.clear();
      emit(part);
      return static_cast<std::int64_t>(m_ready.size());
    };
    const auto ops_of_pass = [&](std::int64_t number) {
      pass_at(number, m_pass);
      std::int64_t sum = ops_of(-1) + ops_of(m_model.layers);
      if (first_dense >= 0) sum += (m_model.layers - mixtures) * ops_of(first_dense);
      if (first_moe >= 0) sum += mixtures * ops_of(first_moe);
      return sum;
    };
    const std::int64_t chunks = w().phase == work::decode ? 0 : passes_of_prefill();
    if (chunks > 1) total += (chunks - 1) * ops_of_pass(0);
    if (chunks > 0) total += ops_of_pass(chunks - 1);
    if (w().phase != work::prefill) total += w().tokens * ops_of_pass(chunks);
    m_counting = false;
    return total;
  }

  // Building one operator
  // -------------------------------------------------------------------------------------------

  op& add(const std::string& name, op_kind kind, const std::string& group, std::int64_t m, std::int64_t n,
          std::int64_t k) {
    op o;
    o.id = m_next_id++;
    o.name = m_prefix + name;
    o.kind = kind;
    o.layer = m_layer;
    o.phase = m_pass.phase;
    o.step = m_pass.index;
    o.group = m_prefix + group;
    o.m = m;
    o.n = n;
    o.k = k;
    o.input = o.weight = o.output = w().types.activations;
    if (o.id > 0) o.deps = {o.id - 1};
    m_ready.push_back(std::move(o));
    return m_ready.back();
  }

  void use(op& o, access what, std::uint32_t index, std::int64_t offset, std::int64_t bytes) const {
    o.uses.push_back({index, what, offset, bytes});
  }
  void read_all(op& o, const std::string& name) const {
    const auto index = m_layout.at(name);
    use(o, access::read, index, 0, m_header.tensors[index].bytes);
  }
  void read_weight(op& o, const std::string& name) const { read_all(o, m_prefix + name); }
  bool has_weight(const std::string& name) const { return m_layout.has(m_prefix + name); }

  /// `width` values a row of an activation buffer. Rows are packed, so a use never exceeds the buffer.
  void act(op& o, access what, const char* buffer, std::int64_t row_count, std::int64_t width) const {
    use(o, what, m_layout.at(buffer), 0, bytes_of(w().types.activations, row_count, width));
  }
  void in(op& o, const char* buffer, std::int64_t row_count, std::int64_t width) const {
    act(o, access::read, buffer, row_count, width);
  }
  void out(op& o, const char* buffer, std::int64_t row_count, std::int64_t width) const {
    act(o, access::write, buffer, row_count, width);
  }

  /// Positions [first, first + count) of all sequences in this layer's cache, which is a ring where there is
  /// a window.
  void cache(op& o, access what, std::int64_t first, std::int64_t positions) const {
    const auto index = m_layout.at(m_prefix + "kv");
    const std::int64_t unit = w().batch * m_layout.kv_position_bytes(), capacity = m_layout.kv_capacity(m_layer);
    const std::int64_t start = first % capacity, upper = std::min(positions, capacity - start);
    use(o, what, index, start * unit, upper * unit);
    if (positions > upper) use(o, what, index, 0, (positions - upper) * unit);
  }
  /// Positions that the queries of this pass can see, and the first of them.
  std::int64_t visible(std::int64_t& first) const {
    const std::int64_t window = m_model.window_of(m_layer);
    first = window > 0 ? std::max<std::int64_t>(0, m_pass.past - (window - 1)) : 0;
    return m_pass.past + m_pass.fresh - first;
  }
  /// Query-position pairs of one sequence and head: sum over the new positions of what each can see.
  std::int64_t pairs() const {
    const std::int64_t window = m_model.window_of(m_layer);
    const auto triangle = [](std::int64_t n) { return n * (n + 1) / 2; };
    const std::int64_t end = m_pass.past + m_pass.fresh;
    if (window == 0 || end <= window) return triangle(end) - triangle(m_pass.past);
    const std::int64_t growing =
        std::max<std::int64_t>(0, window - m_pass.past);  // queries that see less than the window, or just it
    return triangle(m_pass.past + growing) - triangle(m_pass.past) + (m_pass.fresh - growing) * window;
  }

  // Operators that occur more than once
  // -----------------------------------------------------------------------------

  op& norm(const char* name, const char* group, const char* from, const char* to, std::int64_t row_count,
           std::int64_t width) {
    op& o = add(name, op_kind::norm, group, row_count, width, width);
    o.weight = w().types.vectors();
    in(o, from, row_count, width);
    read_weight(o, name);
    out(o, to, row_count, width);
    o.vector_flops =
        row_count * width * (m_model.norm == model::norm_kind::layernorm ? cost::layer_norm : cost::rms_norm);
    return o;
  }

  op& linear(const std::string& name, const std::string& group, op_kind kind, shard cut, const char* from,
             const char* to, std::int64_t m, std::int64_t n, std::int64_t k) {
    op& o = add(name, kind, group, m, n, k);
    o.shard = cut;
    o.weight = kind == op_kind::router ? w().types.vectors() : w().types.weights;
    in(o, from, m, k);
    read_weight(o, name);
    o.matmul_flops = 2 * m * n * k;
    if (has_weight(name + ".bias")) {
      read_weight(o, name + ".bias");
      o.vector_flops = m * n;
    }
    out(o, to, m, n);
    return o;
  }

  op& residual(const char* name, const char* group, const char* from) {
    op& o = add(name, op_kind::elementwise, group, rows(), m_model.hidden, m_model.hidden);
    in(o, from, rows(), m_model.hidden);
    in(o, "act.residual", rows(), m_model.hidden);
    out(o, "act.residual", rows(), m_model.hidden);
    o.vector_flops = rows() * m_model.hidden;
    return o;
  }

  op& activation(const std::string& name, const std::string& group, shard cut, const char* from, const char* to,
                 std::int64_t m, std::int64_t width) {
    const std::int64_t gates = m_model.gated ? 2 : 1;
    op& o = add(name, op_kind::elementwise, group, m, width, gates * width);
    o.shard = cut;
    in(o, from, m, gates * width);
    out(o, to, m, width);
    o.vector_flops = m * width * (cost::activation(m_model.activation) + (m_model.gated ? 1 : 0));
    return o;
  }

  // The parts of a pass
  // ---------------------------------------------------------------------------------------------

  void emit_embed() {
    const std::int64_t r = rows(), h = m_model.hidden;
    op& o = add("embed", op_kind::embed, "embed", r, h, h);
    // The prompt's tokens are known: a chunk starts when its first executor is free, and meets the chunk before it only
    // in the cache (see emit_attention).
    if (m_pass.phase == trace::phase::prefill) o.deps.clear();
    const auto table = m_layout.at("embed");
    o.weight = w().types.tables;
    // A gather: each token's row is read once; a row that several tokens share is fetched once.
    use(o, access::read, table, 0, bytes_of(w().types.tables, std::min(r, m_model.vocab), h));
    if (m_model.positions == model::position_kind::learned) {
      const std::int64_t first = m_pass.past + m_model.position_offset;
      use(o, access::read, m_layout.at("positions"), bytes_of(w().types.tables, first, h),
          bytes_of(w().types.tables, m_pass.fresh, h));
      o.vector_flops += r * h;
    }
    if (m_model.embed_scale) o.vector_flops += r * h;
    out(o, "act.residual", r, h);
    if (m_model.embed_norm) norm("embed_norm", "embed", "act.residual", "act.residual", r, h);
  }

  void emit_end() {
    const std::int64_t b = w().batch, h = m_model.hidden;
    norm("norm", "norm", "act.residual", "act.last", b, h);
    op& o = add("lm_head", op_kind::lm_head, "lm_head", b, m_model.vocab, h);
    o.shard = shard::columns;
    o.weight = w().types.tables;
    in(o, "act.last", b, h);
    read_all(o, m_model.tied ? "embed" : "lm_head");
    o.matmul_flops = 2 * b * m_model.vocab * h;
    if (m_model.lm_head_bias) {
      read_all(o, "lm_head.bias");
      o.vector_flops = b * m_model.vocab;
    }
    out(o, "act.logits", b, m_model.vocab);
    op& s = add("sample", op_kind::sample, "sample", b, 1, m_model.vocab);
    in(s, "act.logits", b, m_model.vocab);
    s.vector_flops = b * m_model.vocab;
  }

  void emit_layer() {
    const std::int64_t r = rows(), h = m_model.hidden;
    const std::uint64_t norm_id = norm("attn.norm", "attn.norm", "act.residual", "act.norm", r, h).id;
    if (m_model.mla)
      emit_mla();
    else
      emit_attention();
    if (m_model.post_norms) norm("attn.post_norm", "mlp.norm", "act.block", "act.block", r, h);
    if (!m_model.parallel_blocks) {
      residual("attn.add", "mlp.norm", "act.block");
      norm("mlp.norm", "mlp.norm", "act.residual", "act.norm", r, h);
      m_model.is_moe(m_layer) ? emit_moe() : emit_mlp("act.norm", "act.block");
      if (m_model.post_norms) join_next_norm(norm("mlp.post_norm", "mlp.post_norm", "act.block", "act.block", r, h));
      join_next_norm(residual("mlp.add", "mlp.add", "act.block"));
      return;
    }
    // Attention and MLP both start from the layer's input.
    const std::uint64_t attention_end = m_next_id - 1;
    const std::size_t mlp_start = m_ready.size();
    if (!m_model.shared_norm) norm("mlp.norm", "mlp.norm", "act.residual", "act.mlp_norm", r, h);
    emit_mlp(m_model.shared_norm ? "act.norm" : "act.mlp_norm", "act.mlp_block");
    auto& first = m_ready[mlp_start];
    first.deps = m_model.shared_norm ? std::vector<std::uint64_t>{norm_id} : m_ready.front().deps;
    op& sum = residual("attn.add", "mlp.add", "act.block");
    sum.deps.insert(sum.deps.begin(), attention_end);
    join_next_norm(sum);
    join_next_norm(residual("mlp.add", "mlp.add", "act.mlp_block"));
  }

  /// The layer's last sum may run together with the norm that follows it.
  void join_next_norm(op& o) const {
    o.group = m_layer + 1 < m_model.layers ? "layers." + std::to_string(m_layer + 1) + ".attn.norm" : "norm";
  }

  void emit_attention() {
    const std::int64_t r = rows(), h = m_model.hidden, q = m_model.heads * m_model.head_dim,
                       kv = m_model.kv_heads * m_model.head_dim;
    const bool rotated = m_model.positions == model::position_kind::rope;
    by_heads(linear("attn.qkv", "attn.qkv", op_kind::gemm, shard::columns, "act.norm", "act.qkv", r, q + 2 * kv, h),
             m_model.kv_heads);
    if (m_model.qk_norm) {
      op& o = norm("attn.qk_norm", "attn.rope", "act.qkv", "act.qkv", r * (m_model.heads + m_model.kv_heads),
                   m_model.head_dim);
      o.uses.front().bytes = o.uses.back().bytes =
          bytes_of(w().types.activations, r, q + kv);  // the rows of act.qkv, but v
      o.shard = shard::heads;
      by_heads(o, m_model.kv_heads);
    }
    op& a = add(rotated ? "attn.rope" : "attn.cache", rotated ? op_kind::rope : op_kind::elementwise, "attn.rope", r,
                rotated ? q + 2 * kv : 2 * kv, rotated ? q + 2 * kv : 2 * kv);
    a.shard = shard::heads;
    by_heads(a, m_model.kv_heads);
    in(a, "act.qkv", r, rotated ? q + 2 * kv : 2 * kv);
    if (rotated) {
      a.vector_flops = r * cost::rope * static_cast<std::int64_t>(static_cast<double>(q + kv) * m_model.rope_fraction);
      out(a, "act.q", r, q);
    }
    cache(a, access::write, m_pass.past, m_pass.fresh);
    const std::uint64_t earlier = std::exchange(m_written[m_layer], a.id);

    op& o = attention(m_model.heads, m_model.kv_heads, m_model.head_dim, m_model.head_dim);
    in(o, rotated ? "act.q" : "act.qkv", r, q);
    std::int64_t first = 0;
    const std::int64_t seen = visible(first);
    if (m_pass.past > 0 && m_pass.phase == trace::phase::prefill) o.deps.insert(o.deps.begin(), earlier);
    o.n = m_pass.phase == trace::phase::decode ? seen : std::min(seen, longest_view());
    if (m_model.sinks) read_weight(o, "attn.sinks");
    cache(o, access::read, first, seen);
    out(o, "act.attention", r, q);
    by_heads(linear("attn.o", "attn.o", op_kind::gemm, shard::rows, "act.attention", "act.block", r, h, q),
             m_model.heads);
  }

  /// Devices that share an operator get whole heads of it.
  void by_heads(op& o, std::int64_t kv_heads) const {
    o.heads = m_model.heads;
    o.kv_heads = kv_heads;
  }

  /// What the last query of this pass sees.
  std::int64_t longest_view() const {
    const std::int64_t window = m_model.window_of(m_layer), end = m_pass.past + m_pass.fresh;
    return window > 0 ? std::min(window, end) : end;
  }

  op& attention(std::int64_t heads, std::int64_t kv_heads, std::int64_t key, std::int64_t value) {
    op& o = add("attn.attention", op_kind::attention, "attn.attention", m_pass.fresh, longest_view(), key);
    o.batch = w().batch;
    o.heads = heads;
    o.kv_heads = kv_heads;
    o.shard = shard::heads;
    o.weight = w().types.kv;
    const std::int64_t scores = w().batch * heads * pairs();
    o.matmul_flops = 2 * scores * (key + value);
    o.vector_flops = cost::softmax * scores;
    return o;
  }

  /// Prefill expands the cached latents to keys and values; decode folds the expansion into queries and
  /// results
  /// ("absorbed"), so that a token reads latents only.
  void emit_mla() {
    const auto& a = *m_model.mla;
    const std::int64_t r = rows(), h = m_model.hidden, heads = m_model.heads, b = w().batch;
    const std::int64_t query = heads * (a.nope + a.rope), latent = a.kv_rank + a.rope;
    const std::int64_t head_part = a.q_rank > 0 ? a.q_rank : query;
    linear("attn.qkv_a", "attn.qkv_a", op_kind::gemm, shard::none, "act.norm", "act.qkv_a", r, head_part + latent, h);
    {
      const std::int64_t width = a.q_rank + a.kv_rank;
      norm("attn.qkv_a_norm", "attn.qkv_a_norm", "act.qkv_a", "act.qkv_a", r, width);
    }
    if (a.q_rank > 0)
      by_heads(
          linear("attn.q_b", "attn.q_b", op_kind::gemm, shard::columns, "act.qkv_a", "act.q_b", r, query, a.q_rank),
          heads);
    op& rope = add("attn.rope", op_kind::rope, "attn.rope", r, query + latent, query + latent);
    rope.shard = shard::heads;
    by_heads(rope, 1);
    rope.vector_flops = r * cost::rope * (heads + 1) * a.rope;
    if (a.q_rank > 0) in(rope, "act.q_b", r, query);
    in(rope, "act.qkv_a", r, a.q_rank > 0 ? latent : query + latent);
    out(rope, "act.q", r, query);
    cache(rope, access::write, m_pass.past, m_pass.fresh);
    const std::uint64_t earlier = std::exchange(m_written[m_layer], rope.id);

    const std::int64_t end = m_pass.past + m_pass.fresh;
    if (m_pass.phase == trace::phase::prefill) {
      const std::int64_t expanded = heads * (a.nope + a.value);
      op& e = add("attn.kv_b", op_kind::gemm, "attn.kv_b", b * end, expanded, a.kv_rank);
      e.shard = shard::columns;
      by_heads(e, heads);
      e.input = w().types.kv;
      e.weight = w().types.weights;
      e.matmul_flops = 2 * e.m * e.n * e.k;
      read_weight(e, "attn.kv_b");
      cache(e, access::read, 0, end);
      if (m_pass.past > 0) e.deps.insert(e.deps.begin(), earlier);
      out(e, "act.kv", b * end, expanded);
      op& o = attention(heads, heads, a.nope + a.rope, a.value);
      o.weight = w().types.activations;
      in(o, "act.q", r, query);
      in(o, "act.kv", b * end, expanded);
      out(o, "act.attention", r, heads * a.value);
    } else {
      const auto kv_b = m_layout.at(m_prefix + "attn.kv_b");
      const std::int64_t keys = bytes_of(w().types.weights, heads * a.nope, a.kv_rank);
      op& k = add("attn.absorb_k", op_kind::gemm, "attn.absorb_k", r, a.kv_rank, a.nope);
      k.batch = heads;
      k.shard = shard::heads;
      by_heads(k, heads);
      k.weight = w().types.weights;
      k.matmul_flops = 2 * k.m * k.n * k.k * k.batch;
      in(k, "act.q", r, heads * a.nope);
      use(k, access::read, kv_b, 0, keys);
      out(k, "act.q_latent", r, heads * a.kv_rank);
      op& o = attention(heads, 1, latent, a.kv_rank);
      in(o, "act.q_latent", r, heads * a.kv_rank);
      in(o, "act.q", r, heads * a.rope);
      cache(o, access::read, 0, end);
      out(o, "act.o_latent", r, heads * a.kv_rank);
      op& v = add("attn.absorb_v", op_kind::gemm, "attn.absorb_v", r, a.value, a.kv_rank);
      v.batch = heads;
      v.shard = shard::heads;
      by_heads(v, heads);
      v.weight = w().types.weights;
      v.matmul_flops = 2 * v.m * v.n * v.k * v.batch;
      in(v, "act.o_latent", r, heads * a.kv_rank);
      use(v, access::read, kv_b, keys, bytes_of(w().types.weights, heads * a.value, a.kv_rank));
      out(v, "act.attention", r, heads * a.value);
    }
    by_heads(
        linear("attn.o", "attn.o", op_kind::gemm, shard::rows, "act.attention", "act.block", r, h, heads * a.value),
        heads);
  }

  void emit_mlp(const char* from, const char* to) { emit_plain_mlp("mlp.", from, to, m_model.ffn); }

  void emit_plain_mlp(const std::string& prefix, const char* from, const char* to, std::int64_t width) {
    const std::int64_t r = rows(), h = m_model.hidden, gates = m_model.gated ? 2 : 1;
    const std::string up = prefix + (m_model.gated ? "gate_up" : "up");
    linear(up, up, op_kind::gemm, shard::columns, from, "act.up", r, gates * width, h);
    activation(prefix + "act", up, shard::columns, "act.up", "act.ffn", r, width);
    linear(prefix + "down", prefix + "down", op_kind::gemm, shard::rows, "act.ffn", to, r, h, width);
  }

  void emit_moe() {
    const auto& e = *m_model.moe;
    const std::int64_t r = rows(), h = m_model.hidden, routed = r * e.active, gates = m_model.gated ? 2 : 1;
    op& router =
        linear("moe.router", "moe.router", op_kind::router, shard::none, "act.norm", "act.router", r, e.experts, h);
    router.vector_flops += cost::softmax * r * e.experts;
    const std::uint64_t router_id = router.id;

    std::vector<std::int64_t> chosen;
    if (!m_counting) {
      std::uint64_t key = mix(w().seed, static_cast<std::uint64_t>(m_pass.phase));
      key = mix(mix(key, static_cast<std::uint64_t>(m_pass.index)), static_cast<std::uint64_t>(m_layer));
      chosen = choose_experts(key, r, e.experts, e.active);
    }
    const std::string up = m_model.gated ? "moe.gate_up" : "moe.up";
    experts(up, up, "act.norm", r, "act.expert_up", routed, gates * e.ffn, h, chosen);
    op& act = activation("moe.act", up, shard::experts, "act.expert_up", "act.expert_ffn", routed, e.ffn);
    act.group_rows.clear();
    const std::uint64_t down =
        experts("moe.down", "moe.down", "act.expert_ffn", routed, "act.expert_block", routed, h, e.ffn, chosen);

    std::uint64_t shared = 0;
    if (e.shared > 0) {
      const std::size_t start = m_ready.size();
      emit_plain_mlp("moe.shared.", "act.norm", "act.shared_block", e.shared * e.ffn);
      m_ready[start].deps = {router_id - 1};  // the norm: it does not wait for the router
      shared = m_ready.back().id;
    }
    op& sum = add("moe.combine", op_kind::elementwise, "moe.combine", r, h, e.active * h);
    sum.shard = shard::rows;  // each device sums what its experts made, then all sum that
    sum.deps = {down};
    if (e.shared > 0) sum.deps.push_back(shared);
    in(sum, "act.expert_block", routed, h);
    if (e.shared > 0) in(sum, "act.shared_block", r, h);
    out(sum, "act.block", r, h);
    sum.vector_flops = 2 * routed * h + (e.shared > 0 ? r * h : 0);
  }

  /// One gemm for each expert that got rows. Returns the operator's id.
  std::uint64_t experts(const std::string& name, const std::string& group, const char* from, std::int64_t from_rows,
                        const char* to, std::int64_t m, std::int64_t n, std::int64_t k,
                        const std::vector<std::int64_t>& chosen) {
    op& o = add(name, op_kind::expert_gemm, group, m, n, k);
    o.shard = shard::experts;
    o.weight = w().types.experts;
    o.matmul_flops = 2 * m * n * k;
    in(o, from, from_rows, k);
    o.choices = m_model.moe->active;
    read_chosen(o, m_prefix + name, bytes_of(w().types.experts, n, k), chosen);
    for (const auto r : chosen)
      if (r > 0) o.group_rows.push_back(r);
    if (has_weight(name + ".bias")) {
      read_chosen(o, m_prefix + name + ".bias", bytes_of(w().types.vectors(), 1, n), chosen);
      o.vector_flops = m * n;
    }
    out(o, to, m, n);
    return o.id;
  }

  /// Reads the parts of a stacked tensor that belong to experts with rows; neighbours are read as one block.
  void read_chosen(op& o, const std::string& stack, std::int64_t one, const std::vector<std::int64_t>& chosen) const {
    const auto index = m_layout.at(stack);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (chosen[i] == 0) continue;
      const std::int64_t offset = static_cast<std::int64_t>(i) * one;
      auto& last = o.uses.back();
      if (last.tensor == index && last.offset + last.bytes == offset)
        last.bytes += one;
      else
        use(o, access::read, index, offset, one);
    }
  }

  const model m_model;
  const layout m_layout;
  trace::header m_header;
  std::int64_t m_size = 0;

  std::vector<op> m_ready;  // of one part
  std::size_t m_taken = 0;
  std::uint64_t m_next_id = 0;
  std::int64_t m_pass_number = -1, m_part = 0, m_layer = -1;
  pass m_pass;
  std::string m_prefix;
  std::map<std::int64_t, std::uint64_t> m_written;  // by layer: the operator that appended to the cache last
  bool m_counting = false;
};

/// Sums over the trace must fit in 63 bits; estimated in floating point, from above.
void check_size(const model& m, const workload& w) {
  const auto real = [](std::int64_t v) { return static_cast<double>(v); };
  const double prefilled = w.phase == workload::phases::decode ? 0.0 : real(w.prompt);
  const double decoded = w.phase == workload::phases::prefill ? 0.0 : real(w.tokens);
  const double rows = real(w.batch) * (prefilled + decoded);
  const double head = real(m.mla ? std::max(m.head_dim, m.mla->kv_rank + m.mla->rope) : m.head_dim);
  const double attention = rows * real(w.longest()) * real(m.heads) * (4 * head + cost::softmax) * real(m.layers);
  // Passes over the latents expand the whole cache again.
  const double passes = w.prefill_chunk > 0 ? prefilled / real(w.prefill_chunk) + 1 : 1;
  const double matrices = 2 * rows * real(active_parameter_count(m)) * (m.mla ? passes : 1.0);
  if (attention + matrices > 4e18)
    throw input_error(problem{"", "batch, prompt, context, tokens",
                              "the workload needs more than 4 x 10^18 operations on '" + m.name + "'",
                              "a workload that one machine could run", ""});
}

void check_tensors(const std::vector<tensor>& tensors) {
  double sum = 0;
  for (const auto& t : tensors) {
    if (t.bytes > most_bytes) throw std::overflow_error("more than 2^50 bytes");
    sum += static_cast<double>(t.bytes);
  }
  if (sum > static_cast<double>(most_flops) / 4)
    throw std::overflow_error("more than 2^60 bytes together with the others");
}

}  // namespace

void check(const workload& w, const std::string& where) {
  problem_list problems;
  const auto range = [&](const char* name, std::int64_t v, std::int64_t lowest, std::int64_t highest) {
    if (v < lowest || v > highest)
      problems.add({where, name, "got " + std::to_string(v),
                    "an integer from " + std::to_string(lowest) + " to " + std::to_string(highest), ""});
  };
  constexpr std::int64_t million = 1 << 20, most = std::int64_t{1} << 24;
  range("batch", w.batch, 1, million);
  range("prompt", w.prompt, 1, most);
  range("context", w.context, 1, most);
  range("tokens", w.tokens, 1, million);
  range("prefill_chunk", w.prefill_chunk, 0, most);
  problems.check();
}

std::unique_ptr<op_stream> generate(const model& m, const workload& w) {
  check(w);
  workload fixed = w;
  if (fixed.phase == workload::phases::both) fixed.context = fixed.prompt + 1;
  const std::string beyond = check_positions(m, fixed.longest());
  check_size(m, fixed);
  try {
    return std::make_unique<generator>(m, fixed, beyond);
  } catch (const std::overflow_error& e) {
    throw input_error(problem{"", "batch, prompt, context", std::string("a tensor would have ") + e.what(),
                              "a smaller workload", ""});
  }
}

}  // namespace memwall::trace
