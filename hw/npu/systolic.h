// SPDX-License-Identifier: Apache-2.0
// Cycles of a product on a systolic array, in closed form. Plain C++.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>

namespace memwall::npu {

/// What a processing element keeps while the other operands pass through it.
enum class dataflow : std::uint8_t { output, weight, input };
constexpr dataflow dataflows[] = {dataflow::output, dataflow::weight, dataflow::input};
const char* name_of(dataflow flow);

/// One array: processing elements, and what each multiplies a cycle. `rate` above 1: so many values of K at once
/// (a dot product); below 1: a product takes 1 / rate cycles; 1.5: two values in 4 / 3 cycles.
struct array_shape {
  std::int64_t rows = 128, columns = 128;
  double rate = 1;
  /// Values of K that an element takes at once.
  std::int64_t depth() const { return rate <= 1 ? 1 : static_cast<std::int64_t>(std::ceil(rate)); }
  /// Cycles that they take it.
  double cycles_each() const { return static_cast<double>(depth()) / rate; }
};

/// y[m, n] = x[m, k] W[k, n]
struct product_shape {
  std::int64_t m = 1, n = 1, k = 1;
};

/// A product larger than the array is computed fold by fold: each keeps one block of the stationary operand.
struct fold_plan {
  std::int64_t folds = 1;
  std::int64_t length = 1;  ///< cycles of a fold on its own: fill, stream, drain
  std::int64_t steady = 1;  ///< cycles between two folds where the next one's fill runs beneath this one's stream
  std::int64_t stream = 1;  ///< values that pass by a stationary block: K (output), M (weight), N (input)
};

/// Output-stationary: ceil(M/R) ceil(N/C) folds of R + C + K - 2 cycles. Weight-stationary: ceil(K/R) ceil(N/C) of
/// 2R + C + M - 2 (R of them load the block). Input-stationary: ceil(K/R) ceil(M/C) of 2R + C + N - 2.
/// Source: the closed forms of SCALE-Sim (Samajdar et al., ISPASS 2020).
fold_plan folds_of(dataflow flow, const array_shape& array, const product_shape& p);

/// Cycles of a product on one array. Serial folds: folds x length - 1, SCALE-Sim's count. Pipelined: a fold's fill and
/// drain hide behind its neighbours' streams but for the first and the last.
std::int64_t product_cycles(dataflow flow, const array_shape& array, const product_shape& p, bool pipelined);

/// How several arrays share one product, and what it takes.
struct array_split {
  dataflow flow = dataflow::output;
  std::int64_t by_fold = 1;    ///< arrays that hold different stationary blocks
  std::int64_t by_stream = 1;  ///< arrays that hold the same block and take a part of the stream each
  std::int64_t cycles = 0;     ///< of the slowest array
};

/// The fewest cycles over splits into `arrays` arrays, `batch` independent products. The inner dimension is never
/// split between arrays (their sums would have to be joined).
array_split split_over(dataflow flow, const array_shape& array, const product_shape& p, std::int64_t batch,
                       std::int64_t arrays, bool pipelined);

/// Cycles in which the edge of an array takes `lanes` values that lie `stride` bytes apart in a scratchpad of `banks`
/// banks, each with one word of `word` bytes a cycle, consecutive words in consecutive banks: at least 1.
/// Stride 0: the values lie side by side, as a compiler that knows the array lays them out.
std::int64_t feed_cycles(std::int64_t lanes, double value_bytes, std::int64_t stride, std::int64_t banks,
                         std::int64_t word);

}  // namespace memwall::npu
