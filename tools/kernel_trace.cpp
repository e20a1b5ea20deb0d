// SPDX-License-Identifier: Apache-2.0
#include "tools/kernel_trace.h"

#include <algorithm>

#include "traces/file.h"
#include "traces/trace.h"

namespace memwall::tools {
namespace {

// Together more than any last-level cache here, each less than the smallest: a tensor larger than a cache streams past
// it and evicts nothing.
constexpr std::int64_t flush_bytes = std::int64_t{4} << 20;
constexpr std::uint32_t flush_tensors = 26;

/// Tensors 0: weights; 1: inputs; 2: outputs, each as large as the largest kernel needs; then what flushes the caches.
class kernel_stream final : public trace::op_stream {
 public:
  explicit kernel_stream(const std::vector<const kernel_row*>& kernels) : m_kernels(kernels) {
    m_header.model = "linear layers";
    m_header.origin = "memwall validate";
    std::int64_t weights = 1, in = 1, out = 1;
    for (const auto* k : kernels) {
      weights = std::max(weights, k->k * k->n);
      in = std::max(in, k->m * k->k);
      out = std::max(out, k->m * k->n);
    }
    const auto add = [&](const char* name, trace::tensor_class c, std::int64_t values) {
      trace::tensor t;
      t.name = name;
      t.cls = c;
      t.type = dtype::parse("fp16");
      t.shape = {1, values};
      t.bytes = 2 * values;
      m_header.tensors.push_back(t);
    };
    add("weights", trace::tensor_class::weights, weights);
    add("inputs", trace::tensor_class::activations, in);
    add("outputs", trace::tensor_class::activations, out);
    for (std::uint32_t i = 0; i < flush_tensors; ++i)
      add(("flush" + std::to_string(i)).c_str(), trace::tensor_class::weights, flush_bytes / 2);
    m_header.workload.types = dtypes::parse("fp16");
  }
  const trace::header& header() const override { return m_header; }
  std::int64_t size() const override { return 2 * static_cast<std::int64_t>(m_kernels.size()); }
  bool next(trace::op& o) override {
    if (m_at == 2 * m_kernels.size()) return false;
    const kernel_row& k = *m_kernels[m_at / 2];
    const bool flush = m_at % 2 == 0;
    o = trace::op{};
    o.id = m_at;
    if (m_at > 0) o.deps = {m_at - 1};
    ++m_at;
    o.input = o.weight = o.output = dtype::parse("fp16");
    if (flush) {
      o.name = "flush." + k.id;
      o.kind = trace::op_kind::elementwise;
      o.m = 1;
      o.n = o.k = flush_tensors * flush_bytes / 2;
      for (std::uint32_t i = 0; i < flush_tensors; ++i) o.uses.push_back({3 + i, trace::access::read, 0, flush_bytes});
      return true;
    }
    o.name = k.id;
    o.kind = trace::op_kind::gemm;
    o.m = k.m;
    o.k = k.k;
    o.n = k.n;
    o.matmul_flops = 2 * k.m * k.n * k.k;
    o.uses = {{1, trace::access::read, 0, 2 * k.m * k.k},
              {0, trace::access::read, 0, 2 * k.k * k.n},
              {2, trace::access::write, 0, 2 * k.m * k.n}};
    return true;
  }

 private:
  const std::vector<const kernel_row*>& m_kernels;
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
  kernel_stream s(kernels);
  trace::write_file(s, file);
}

}  // namespace memwall::tools
