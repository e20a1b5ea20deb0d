// SPDX-License-Identifier: Apache-2.0
// What a field of a trace file means when it is left out. Writer and reader share it.
#pragma once
#include <cstdint>
#include <optional>
#include <stdexcept>

#include "traces/trace.h"

namespace memwall::trace {

/// Largest values a trace may hold: sums and products of a few stay far below 2^63.
constexpr std::int64_t most_elements = std::int64_t{1} << 40, most_bytes = std::int64_t{1} << 50,
                       most_flops = std::int64_t{1} << 62, most_index = std::int64_t{1} << 40;

inline std::optional<std::int64_t> product(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

/// bytes: of the shape in its type.
inline std::optional<std::int64_t> default_bytes(const tensor& t) {
  if (t.shape.empty()) return std::nullopt;
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < t.shape.size(); ++i) {
    const auto p = product(rows, t.shape[i]);
    if (!p) return std::nullopt;
    rows = *p;
  }
  try {
    return bytes_of(t.type, rows, t.shape.back());
  } catch (const std::overflow_error&) {
    return std::nullopt;
  }
}

/// weight: the KV type for attention, the weights' for matrix products and embeddings, else the activations'.
inline dtype default_weight(op_kind kind, const dtypes& types) {
  switch (kind) {
    case op_kind::attention:
      return types.kv;
    case op_kind::embed:
    case op_kind::lm_head:
      return types.tables;
    case op_kind::gemm:
      return types.weights;
    case op_kind::expert_gemm:
      return types.experts;
    case op_kind::norm:
    case op_kind::router:
      return types.vectors();
    default:
      return types.activations;
  }
}

/// matmul_flops: two a multiply-accumulate for gemm, lm_head, router and expert_gemm, else none. -1 where it
/// overflows.
inline std::int64_t default_matmul_flops(const op& o) {
  if (!is_gemm(o.kind)) return 0;
  std::optional<std::int64_t> p = 2;
  for (const std::int64_t factor : {o.m, o.n, o.k, o.batch})
    if (p) p = product(*p, factor);
  return p.value_or(-1);
}

}  // namespace memwall::trace
