// SPDX-License-Identifier: Apache-2.0
#include "tools/kernel_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/model.h"
#include "traces/file.h"
#include "traces/layout.h"
#include "traces/serving/step_operators.h"
#include "traces/totals.h"
#include "traces/trace.h"

namespace memwall::tools {
namespace {

// Together more than any last-level cache here, each less than the smallest: a tensor larger than a cache streams past
// it and evicts nothing.
constexpr std::int64_t flush_bytes = std::int64_t{4} << 20;
constexpr std::uint32_t flush_tensors = 48;

/// Operators that are timed one by one, or in runs of `together`. Before each, another reads what flushes the caches.
class flushed_stream final : public trace::op_stream {
 public:
  /// `operands`: the tensors that the operators use, each as large as the largest use.
  flushed_stream(const std::string& model, std::vector<trace::tensor> operands, std::vector<trace::op> operators,
                 std::size_t together = 1)
      : m_operators(std::move(operators)),
        m_together(together),
        m_first_flush(static_cast<std::uint32_t>(operands.size())) {
    m_header.model = model;
    m_header.origin = "memwall validate";
    m_header.tensors = std::move(operands);
    for (std::uint32_t i = 0; i < flush_tensors; ++i)
      m_header.tensors.push_back(block("flush" + std::to_string(i), trace::tensor_class::weights, flush_bytes));
    m_header.workload.types = dtypes::parse("fp16");
  }
  /// A tensor of which only the size matters.
  static trace::tensor block(const std::string& name, trace::tensor_class c, std::int64_t bytes) {
    trace::tensor t;
    t.name = name;
    t.cls = c;
    t.type = dtype::parse("fp16");
    t.shape = {1, (bytes + 1) / 2};
    t.bytes = 2 * ((bytes + 1) / 2);
    return t;
  }
  const trace::header& header() const override { return m_header; }
  std::int64_t size() const override {
    return static_cast<std::int64_t>(m_operators.size() + m_operators.size() / m_together);
  }
  bool next(trace::op& o) override {
    if (static_cast<std::int64_t>(m_at) == size()) return false;
    const std::size_t run = m_at / (m_together + 1), in_run = m_at % (m_together + 1);
    const std::size_t first = run * m_together;
    o = in_run == 0 ? flush(m_operators[first].name) : m_operators[first + in_run - 1];
    o.id = m_at;
    if (m_at > 0) o.deps = {m_at - 1};
    ++m_at;
    return true;
  }

 private:
  trace::op flush(const std::string& before) const {
    trace::op o;
    o.name = "flush." + before;
    o.kind = trace::op_kind::elementwise;
    o.input = o.weight = o.output = dtype::parse("fp16");
    o.m = 1;
    o.n = o.k = flush_tensors * flush_bytes / 2;
    for (std::uint32_t i = 0; i < flush_tensors; ++i)
      o.uses.push_back({m_first_flush + i, trace::access::read, 0, flush_bytes});
    return o;
  }
  std::vector<trace::op> m_operators;
  std::size_t m_together;
  std::uint32_t m_first_flush;
  trace::header m_header;
  std::size_t m_at = 0;
};

/// Rows of each expert. A benchmark's time is the mean over many choices: of some, the one that touches about as many
/// experts as choices do on average.
std::vector<std::int64_t> usual_choice(const expert_row& r) {
  const auto experts = static_cast<double>(r.experts);
  const double untouched = std::pow(1 - static_cast<double>(r.choices) / experts, static_cast<double>(r.tokens));
  std::vector<std::int64_t> best;
  double least = HUGE_VAL;
  for (std::uint64_t key = 0; key < 32; ++key) {
    auto rows = trace::choose_experts(key, r.tokens, r.experts, r.choices);
    const auto touched =
        static_cast<double>(rows.size()) - static_cast<double>(std::count(rows.begin(), rows.end(), 0));
    const double off = std::abs(touched - experts * (1 - untouched));
    if (off < least) {
      least = off;
      best = std::move(rows);
    }
  }
  return best;
}

/// The tensors that the experts of all rows use, and their operators.
class expert_layers {
 public:
  const std::vector<trace::tensor>& tensors() const { return m_tensors; }
  std::vector<trace::op> operators;

  void add(const expert_row& r) {
    const dtype type = dtype::parse(r.dtype);
    const std::int64_t routed = r.tokens * r.choices;
    const auto chosen = usual_choice(r);
    const auto names = expert_operators(r.id);
    const auto in = buffer("in", bytes_of(type, r.tokens, r.hidden));
    const auto up = buffer("up", bytes_of(type, routed, 2 * r.ffn)),
               inner = buffer("inner", bytes_of(type, routed, r.ffn));
    const auto block = buffer("block", bytes_of(type, routed, r.hidden));
    const auto out = buffer("out", bytes_of(type, r.tokens, r.hidden));

    trace::op router = op(names[0], trace::op_kind::router, type, r.tokens, r.experts, 1);
    router.matmul_flops = 2 * r.tokens * r.experts;
    operators.push_back(router);
    product(names[1], r, type, chosen, 2 * r.ffn, r.hidden, in, up);
    trace::op act = op(names[2], trace::op_kind::elementwise, type, routed, r.ffn, 2 * r.ffn);
    act.vector_flops = 8 * routed * r.ffn;
    act.uses = {read(up), write(inner)};
    operators.push_back(act);
    product(names[3], r, type, chosen, r.hidden, r.ffn, inner, block);
    trace::op sum = op(names[4], trace::op_kind::elementwise, type, r.tokens, r.hidden, r.choices * r.hidden);
    sum.vector_flops = 2 * routed * r.hidden;
    sum.uses = {read(block), write(out)};
    operators.push_back(sum);
  }

 private:
  struct piece {
    std::uint32_t tensor;
    std::int64_t bytes;
  };
  static trace::op op(const std::string& name, trace::op_kind kind, const dtype& type, std::int64_t m, std::int64_t n,
                      std::int64_t k) {
    trace::op o;
    o.name = name;
    o.kind = kind;
    o.input = o.weight = o.output = type;
    o.m = m;
    o.n = n;
    o.k = k;
    return o;
  }
  static trace::tensor_use read(const piece& p) { return {p.tensor, trace::access::read, 0, p.bytes}; }
  static trace::tensor_use write(const piece& p) { return {p.tensor, trace::access::write, 0, p.bytes}; }

  void product(const std::string& name, const expert_row& r, const dtype& type, const std::vector<std::int64_t>& chosen,
               std::int64_t n, std::int64_t k, const piece& from, const piece& to) {
    trace::op o = op(name, trace::op_kind::expert_gemm, type, r.tokens * r.choices, n, k);
    o.choices = r.choices;
    o.matmul_flops = 2 * o.m * n * k;
    o.uses = {read(from)};
    const std::int64_t one = bytes_of(type, n, k);
    const auto stack =
        tensor(fmt::format("{} x {} x {} {}", r.experts, n, k, r.dtype), trace::tensor_class::weights, r.experts * one);
    m_tensors[stack].shape = {r.experts * n, k};
    for (std::size_t e = 0; e < chosen.size(); ++e)
      if (chosen[e] > 0) {
        o.group_rows.push_back(chosen[e]);
        o.uses.push_back({stack, trace::access::read, static_cast<std::int64_t>(e) * one, one});
      }
    o.uses.push_back(write(to));
    operators.push_back(std::move(o));
  }
  piece buffer(const std::string& name, std::int64_t bytes) {
    return {tensor(name, trace::tensor_class::activations, bytes), bytes};
  }
  std::uint32_t tensor(const std::string& name, trace::tensor_class c, std::int64_t bytes) {
    for (std::uint32_t i = 0; i < m_tensors.size(); ++i)
      if (m_tensors[i].name == name) {
        if (m_tensors[i].bytes < bytes) m_tensors[i] = flushed_stream::block(name, c, bytes);
        return i;
      }
    m_tensors.push_back(flushed_stream::block(name, c, bytes));
    return static_cast<std::uint32_t>(m_tensors.size() - 1);
  }
  std::vector<trace::tensor> m_tensors;
};

class all_reduce_stream final : public trace::op_stream {
 public:
  explicit all_reduce_stream(const std::vector<const collective_row*>& rows) : m_rows(rows) {
    m_header.model = "all-reduces";
    m_header.origin = "memwall validate";
    trace::tensor t;
    t.name = "partial sums";
    t.cls = trace::tensor_class::activations;
    t.type = dtype::parse("fp16");
    for (const auto* r : rows) t.bytes = std::max(t.bytes, r->bytes);
    t.shape = {1, t.bytes / 2};
    m_header.tensors.push_back(t);
    m_header.workload.types = dtypes::parse("fp16");
  }
  const trace::header& header() const override { return m_header; }
  std::int64_t size() const override { return 2 * static_cast<std::int64_t>(m_rows.size()); }
  bool next(trace::op& o) override {
    if (m_at == 2 * m_rows.size()) return false;
    const collective_row& r = *m_rows[m_at / 2];
    const bool reduced = m_at % 2 == 1;
    o = trace::op{};
    o.id = m_at;
    if (m_at > 0) o.deps = {m_at - 1};
    ++m_at;
    o.input = o.weight = o.output = dtype::parse("fp16");
    o.name = reduced ? r.id : all_reduce_baseline(r.id);
    o.kind = trace::op_kind::elementwise;
    o.shard = reduced ? trace::shard::rows : trace::shard::none;
    o.m = 1;
    o.n = o.k = r.bytes / 2;
    o.uses = {{0, trace::access::write, 0, r.bytes}};
    return true;
  }

 private:
  const std::vector<const collective_row*>& m_rows;
  trace::header m_header;
  std::size_t m_at = 0;
};

}  // namespace

std::string all_reduce_baseline(const std::string& id) {
  return id + ".baseline";
}

void write_all_reduce_trace(const std::vector<const collective_row*>& rows, const std::string& file) {
  all_reduce_stream s(rows);
  trace::write_file(s, file);
}

void write_kernel_trace(const std::vector<const kernel_row*>& kernels, const std::string& file) {
  std::int64_t weights = 1, in = 1, out = 1;
  std::vector<trace::op> operators;
  for (const auto* k : kernels) {
    trace::op o;
    o.name = k->id;
    o.kind = trace::op_kind::gemm;
    o.input = o.weight = dtype::parse(k->dtype);
    o.output = dtype::parse("fp16");
    o.m = k->m;
    o.k = k->k;
    o.n = k->n;
    o.matmul_flops = 2 * k->m * k->n * k->k;
    o.uses = {{1, trace::access::read, 0, bytes_of(o.input, k->m * k->k)},
              {0, trace::access::read, 0, bytes_of(o.weight, k->k * k->n)},
              {2, trace::access::write, 0, bytes_of(o.output, k->m * k->n)}};
    in = std::max(in, o.uses[0].bytes);
    weights = std::max(weights, o.uses[1].bytes);
    out = std::max(out, o.uses[2].bytes);
    operators.push_back(std::move(o));
  }
  flushed_stream s("linear layers",
                   {flushed_stream::block("weights", trace::tensor_class::weights, weights),
                    flushed_stream::block("inputs", trace::tensor_class::activations, in),
                    flushed_stream::block("outputs", trace::tensor_class::activations, out)},
                   std::move(operators));
  trace::write_file(s, file);
}

std::vector<std::string> expert_operators(const std::string& id) {
  return {id + ".choose", id + ".up", id + ".act", id + ".down", id + ".sum"};
}

void write_expert_trace(const std::vector<const expert_row*>& rows, const std::string& file) {
  expert_layers layers;
  for (const auto* r : rows) layers.add(*r);
  flushed_stream s("experts", layers.tensors(), layers.operators, expert_operators("").size());
  trace::write_file(s, file);
}

void write_attention_trace(const std::vector<const attention_row*>& rows, const std::string& file) {
  std::int64_t cache = 1, queries = 1;
  std::vector<trace::op> operators;
  for (const auto* r : rows) {
    trace::op o;
    o.name = r->id;
    o.kind = trace::op_kind::attention;
    o.input = o.weight = o.output = dtype::parse(r->dtype);
    const bool prompt = r->phase == "prefill";
    o.m = prompt ? r->length : 1;
    o.n = r->length;
    o.k = r->head_size;
    o.batch = r->batch;
    o.heads = r->heads;
    o.kv_heads = r->kv_heads;
    // A query of a prompt sees itself and what is before it.
    const std::int64_t scores = r->batch * r->heads * (prompt ? r->length * (r->length + 1) / 2 : r->length);
    o.matmul_flops = 4 * scores * r->head_size;
    o.uses = {{1, trace::access::read, 0, bytes_of(o.input, o.m * r->batch * r->heads * r->head_size)},
              {0, trace::access::read, 0, bytes_of(o.weight, 2 * r->batch * r->length * r->kv_heads * r->head_size)},
              {2, trace::access::write, 0, bytes_of(o.output, o.m * r->batch * r->heads * r->head_size)}};
    queries = std::max(queries, o.uses[0].bytes);
    cache = std::max(cache, o.uses[1].bytes);
    operators.push_back(std::move(o));
  }
  flushed_stream s("attention",
                   {flushed_stream::block("cache", trace::tensor_class::kv_cache, cache),
                    flushed_stream::block("queries", trace::tensor_class::activations, queries),
                    flushed_stream::block("results", trace::tensor_class::activations, queries)},
                   std::move(operators));
  trace::write_file(s, file);
}

void write_step_trace(const energy_row& r, std::int64_t prompts, const std::string& file) {
  serving::step_shape shape;
  shape.contexts.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, r.batch - prompts)), r.context);
  shape.chunks.assign(static_cast<std::size_t>(prompts), {r.prompt, 0});
  shape.rows = static_cast<std::int64_t>(shape.contexts.size()) + prompts * r.prompt;
  shape.sampled = r.batch;
  serving::server_params server;
  server.max_num_batched_tokens = shape.rows;
  server.max_num_seqs = r.batch;
  // A part of the cache, read several times, is as much to read. That all of it fits is for the decode step to show.
  constexpr std::int64_t positions = 1 << 16;
  const serving::step_operators steps(load_model(r.model), dtypes::parse(r.dtype), server,
                                      std::min(positions, r.batch * std::max(r.context, r.prompt)), 1);
  std::vector<trace::op> operators;
  for (auto& o : steps.make(shape, 0)) {
    // One pass: what the host does before it is counted once, and not by its rows.
    o.op.phase = trace::phase::prefill;
    operators.push_back(std::move(o.op));
  }
  trace::op_list s(steps.header(), std::move(operators));
  trace::write_file(s, file);
}

}  // namespace memwall::tools
