// SPDX-License-Identifier: Apache-2.0
#include "tools/kernel_trace.h"

#include <algorithm>

#include "models/model.h"
#include "traces/file.h"
#include "traces/serving/step_operators.h"
#include "traces/totals.h"
#include "traces/trace.h"

namespace memwall::tools {
namespace {

// Together more than any last-level cache here, each less than the smallest: a tensor larger than a cache streams past
// it and evicts nothing.
constexpr std::int64_t flush_bytes = std::int64_t{4} << 20;
constexpr std::uint32_t flush_tensors = 48;

/// Operators that are timed one by one. Before each, another reads what flushes the caches.
class flushed_stream final : public trace::op_stream {
 public:
  /// `operands`: the tensors that the operators use, each as large as the largest use.
  flushed_stream(const std::string& model, std::vector<trace::tensor> operands, std::vector<trace::op> operators)
      : m_operators(std::move(operators)), m_first_flush(static_cast<std::uint32_t>(operands.size())) {
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
  std::int64_t size() const override { return 2 * static_cast<std::int64_t>(m_operators.size()); }
  bool next(trace::op& o) override {
    if (m_at == 2 * m_operators.size()) return false;
    o = m_at % 2 == 0 ? flush(m_operators[m_at / 2].name) : m_operators[m_at / 2];
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
  std::uint32_t m_first_flush;
  trace::header m_header;
  std::size_t m_at = 0;
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
