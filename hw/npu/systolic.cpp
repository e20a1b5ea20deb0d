// SPDX-License-Identifier: Apache-2.0
#include "hw/npu/systolic.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace memwall::npu {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

std::int64_t cycles_of(const fold_plan& f, std::int64_t folds, bool pipelined, double slow) {
  const std::int64_t cycles = pipelined ? (folds - 1) * f.steady + f.length - 1 : folds * f.length - 1;
  return slow > 1 ? static_cast<std::int64_t>(std::ceil(static_cast<double>(cycles) * slow)) : cycles;
}

}  // namespace

const char* name_of(dataflow flow) {
  switch (flow) {
    case dataflow::output:
      return "output";
    case dataflow::weight:
      return "weight";
    case dataflow::input:
      return "input";
  }
  return "?";
}

fold_plan folds_of(dataflow flow, const array_shape& array, const product_shape& p) {
  const std::int64_t r = array.rows, c = array.columns, k = divide_up(p.k, array.depth());
  fold_plan out;
  switch (flow) {
    case dataflow::output:
      out.stream = k;
      out.folds = divide_up(p.m, r) * divide_up(p.n, c);
      out.length = r + c + k - 2;
      break;
    case dataflow::weight:
      out.stream = p.m;
      out.folds = divide_up(k, r) * divide_up(p.n, c);
      out.length = 2 * r + c + p.m - 2;
      break;
    case dataflow::input:
      out.stream = p.n;
      out.folds = divide_up(k, r) * divide_up(p.m, c);
      out.length = 2 * r + c + p.n - 2;
      break;
  }
  // The next block is loaded (or the last sums are shifted out) through R rows while the stream passes.
  out.steady = std::max(out.stream, r);
  return out;
}

std::int64_t product_cycles(dataflow flow, const array_shape& array, const product_shape& p, bool pipelined) {
  const fold_plan f = folds_of(flow, array, p);
  return cycles_of(f, f.folds, pipelined, array.cycles_each());
}

array_split split_over(dataflow flow, const array_shape& array, const product_shape& p, std::int64_t batch,
                       std::int64_t arrays, bool pipelined) {
  array_split best;
  best.flow = flow;
  for (std::int64_t by_stream = 1; by_stream <= arrays; ++by_stream) {
    if (by_stream > 1 && flow == dataflow::output) break;
    if (arrays % by_stream != 0) continue;
    product_shape part = p;
    if (flow == dataflow::weight) part.m = divide_up(p.m, by_stream);
    if (flow == dataflow::input) part.n = divide_up(p.n, by_stream);
    const fold_plan f = folds_of(flow, array, part);
    const std::int64_t by_fold = std::min(arrays / by_stream, f.folds * batch);
    const std::int64_t cycles = cycles_of(f, divide_up(f.folds * batch, by_fold), pipelined, array.cycles_each());
    if (best.cycles == 0 || cycles < best.cycles) {
      best.by_fold = by_fold;
      best.by_stream = by_stream;
      best.cycles = cycles;
    }
  }
  return best;
}

std::int64_t feed_cycles(std::int64_t lanes, double value_bytes, std::int64_t stride, std::int64_t banks,
                         std::int64_t word) {
  if (stride <= 0) {
    const auto words =
        static_cast<std::int64_t>(std::ceil(static_cast<double>(lanes) * value_bytes / static_cast<double>(word)));
    return std::max<std::int64_t>(1, divide_up(words, banks));
  }
  // Values closer than a word share one; else each is a word of its own, in a bank that the stride decides.
  if (stride < word) return std::max<std::int64_t>(1, divide_up(divide_up(lanes * stride, word), banks));
  const std::int64_t reached = banks / std::gcd(stride / word, banks);
  return divide_up(lanes, reached);
}

}  // namespace memwall::npu
