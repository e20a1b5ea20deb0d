// SPDX-License-Identifier: Apache-2.0
// Sums over a trace.
#pragma once
#include <array>
#include <utility>
#include <vector>

#include "traces/trace.h"

namespace memwall::trace {

struct totals {
  std::int64_t ops = 0, matmul_flops = 0, vector_flops = 0;
  std::array<std::int64_t, tensor_classes> read{}, written{};  ///< bytes, by tensor_class

  std::int64_t flops() const { return matmul_flops + vector_flops; }
  std::int64_t bytes(tensor_class c) const {
    return read[static_cast<std::size_t>(c)] + written[static_cast<std::size_t>(c)];
  }
  void add(const op& o, const std::vector<tensor>& tensors);
};

/// Passes another stream through and sums it up.
class tally final : public op_stream {
 public:
  explicit tally(op_stream& inner) : m_inner(inner) {}
  const trace::header& header() const override { return m_inner.header(); }
  std::int64_t size() const override { return m_inner.size(); }
  bool next(op& out) override {
    if (!m_inner.next(out)) return false;
    m_sum.add(out, m_inner.header().tensors);
    return true;
  }
  const totals& sum() const { return m_sum; }

 private:
  op_stream& m_inner;
  totals m_sum;
};

/// Sums up a stream by reading it to its end.
totals sum_of(op_stream& trace);

/// A trace held in memory: of importers and tests.
class op_list final : public op_stream {
 public:
  op_list(trace::header h, std::vector<op> ops) : m_header(std::move(h)), m_ops(std::move(ops)) {}
  const trace::header& header() const override { return m_header; }
  std::int64_t size() const override { return static_cast<std::int64_t>(m_ops.size()); }
  bool next(op& out) override {
    if (m_at == m_ops.size()) return false;
    out = m_ops[m_at++];
    return true;
  }

 private:
  trace::header m_header;
  std::vector<op> m_ops;
  std::size_t m_at = 0;
};

}  // namespace memwall::trace
