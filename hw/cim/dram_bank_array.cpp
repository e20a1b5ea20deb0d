// SPDX-License-Identifier: Apache-2.0
// What the units beside the banks compute, in their own arithmetic.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "hw/cim/dram_bank.h"
#include "hw/cim/products.h"
#include "hw/common/each_cpu.h"

namespace memwall::cim {
namespace {

// Rounds to `bits` significant bits, ties to even, no smaller than the subnormal step 2^least.
double round_significant(double v, int bits, int least, double largest) {
  if (v == 0 || !std::isfinite(v)) return v;
  int exponent = 0;
  std::frexp(v, &exponent);
  const int step = std::max(exponent - bits, least);
  const double r = std::ldexp(std::nearbyint(std::ldexp(v, -step)), step);
  return std::fabs(r) > largest ? std::copysign(HUGE_VAL, v) : r;
}

// Half precision and bfloat16 in single precision, ties to even: written without branches, so that loops over columns
// become vector instructions.
inline float half_of(float v) {
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  const std::uint32_t sign = bits & 0x80000000U, magnitude = bits ^ sign;
  std::uint32_t normal = (magnitude + 0xfffU + ((magnitude >> 13) & 1U)) & ~0x1fffU;
  normal = normal >= 0x47800000U && magnitude <= 0x7f800000U ? 0x7f800000U : normal;  // 65520 and more: infinity
  // Below 2^-14 the step is 2^-24, that of single precision around 1/2.
  float small;
  std::memcpy(&small, &magnitude, sizeof small);
  small = (small + 0.5F) - 0.5F;
  std::uint32_t small_bits;
  std::memcpy(&small_bits, &small, sizeof small_bits);
  const std::uint32_t out = sign | (magnitude < 0x38800000U ? small_bits : normal);
  float rounded;
  std::memcpy(&rounded, &out, sizeof rounded);
  return rounded;
}
inline float bfloat_of(float v) {
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) & 0xffff0000U;
  const std::uint32_t out = (bits & 0x7fffffffU) > 0x7f800000U ? bits : rounded;
  float value;
  std::memcpy(&value, &out, sizeof value);
  return value;
}

// One row's products into the lanes that take it, column by column.
MEMWALL_EACH_CPU void add_half_row(float x, const float* w, std::int64_t cols, float* lane) {
  for (std::int64_t c = 0; c < cols; ++c) lane[c] = half_of(lane[c] + half_of(x * w[c]));
}
MEMWALL_EACH_CPU void add_bfloat_row(float x, const float* w, std::int64_t cols, float* lane) {
  for (std::int64_t c = 0; c < cols; ++c) lane[c] = bfloat_of(lane[c] + bfloat_of(x * w[c]));
}
MEMWALL_EACH_CPU void add_single_row(float x, const float* w, std::int64_t cols, float* lane) {
  for (std::int64_t c = 0; c < cols; ++c) lane[c] = lane[c] + x * w[c];
}
MEMWALL_EACH_CPU void add_tree_row(float x, const float* w, std::int64_t cols, double* sum) {
  for (std::int64_t c = 0; c < cols; ++c) sum[c] += static_cast<double>(x) * static_cast<double>(w[c]);
}

// Numbers that the units multiply and add in a floating-point type of theirs.
class bank_array final : public programmed_array {
 public:
  template <class Number>
  bank_array(const dram_bank_params& p, const Number* weights, std::int64_t rows, std::int64_t cols)
      : m_half(p.arithmetic == "fp16"),
        m_single(p.arithmetic == "fp32"),
        m_tree(p.dataflow == "broadcast" && !m_half),
        m_lanes(p.dataflow == "processor" ? 1 : p.lanes),
        m_rows(rows),
        m_cols(cols) {
    m_weights.reserve(static_cast<std::size_t>(rows * cols));
    for (std::int64_t i = 0; i < rows * cols; ++i) m_weights.push_back(operand(static_cast<float>(weights[i])));
  }

  void compute(const std::int32_t* inputs, number_format, double* outputs, double, std::uint64_t) const override {
    const std::vector<float> x(inputs, inputs + m_rows);
    sum_columns(x.data(), outputs);
  }

  void compute_reals(const float* inputs, std::int64_t vectors, float* outputs) const override {
    std::vector<double> sums(static_cast<std::size_t>(m_cols));
    for (std::int64_t v = 0; v < vectors; ++v) {
      sum_columns(inputs + v * m_rows, sums.data());
      for (std::int64_t c = 0; c < m_cols; ++c) outputs[v * m_cols + c] = static_cast<float>(sums[c]);
    }
  }
  std::int64_t rows() const override { return m_rows; }
  std::int64_t cols() const override { return m_cols; }

 private:
  float operand(float v) const { return m_single ? v : m_half ? half_of(v) : bfloat_of(v); }

  // Each lane (or, with an adder tree, each bank) has one accumulator of the unit's width; the host adds the
  // lanes.
  void sum_columns(const float* inputs, double* outputs) const {
    const auto columns = static_cast<std::size_t>(m_cols);
    if (m_tree) {
      // The tree is wide enough for the products of one access; what it hands on is kept in single precision.
      std::vector<double> sum(columns);
      std::fill(outputs, outputs + m_cols, 0.0);
      for (std::int64_t r = 0; r < m_rows; r += m_lanes) {
        std::fill(sum.begin(), sum.end(), 0.0);
        for (std::int64_t l = r; l < std::min(r + m_lanes, m_rows); ++l)
          add_tree_row(operand(inputs[l]), &m_weights[static_cast<std::size_t>(l * m_cols)], m_cols, sum.data());
        for (std::size_t c = 0; c < columns; ++c)
          outputs[c] = static_cast<double>(static_cast<float>(outputs[c] + sum[c]));
      }
      return;
    }
    std::vector<float> lanes(static_cast<std::size_t>(m_lanes) * columns, 0.0F);
    const auto add_row = m_single ? add_single_row : m_half ? add_half_row : add_bfloat_row;
    for (std::int64_t r = 0; r < m_rows; ++r)
      add_row(operand(inputs[r]), &m_weights[static_cast<std::size_t>(r * m_cols)], m_cols,
              &lanes[static_cast<std::size_t>(r % m_lanes) * columns]);
    std::fill(outputs, outputs + m_cols, 0.0);
    for (std::int64_t l = 0; l < m_lanes; ++l)
      for (std::size_t c = 0; c < columns; ++c) outputs[c] += lanes[static_cast<std::size_t>(l) * columns + c];
  }

  bool m_half, m_single, m_tree;
  std::int64_t m_lanes;
  std::vector<float> m_weights;
  std::int64_t m_rows, m_cols;
};

// Processors with integer instructions.
class integer_bank_array final : public programmed_array {
 public:
  integer_bank_array(const std::int32_t* weights, std::int64_t rows, std::int64_t cols)
      : m_weights(weights, weights + rows * cols), m_rows(rows), m_cols(cols) {}
  void compute(const std::int32_t* inputs, number_format, double* outputs, double, std::uint64_t) const override {
    std::fill(outputs, outputs + m_cols, 0.0);
    add_integer_products(inputs, m_rows, m_weights.data(), m_cols, std::int64_t{1} << 31, outputs);
  }
  std::int64_t rows() const override { return m_rows; }
  std::int64_t cols() const override { return m_cols; }

 private:
  std::vector<std::int32_t> m_weights;
  std::int64_t m_rows, m_cols;
};

}  // namespace

double round_fp16(double v) {
  return round_significant(v, 11, -24, 65504);
}
double round_bf16(double v) {
  return round_significant(v, 8, -133, 3.3895313892515355e38);
}

std::unique_ptr<programmed_array> hold_weights(const dram_bank_params& p, const std::int32_t* weights,
                                               std::int64_t rows, std::int64_t cols) {
  if (p.arithmetic == "integer") return std::make_unique<integer_bank_array>(weights, rows, cols);
  return std::make_unique<bank_array>(p, weights, rows, cols);
}

std::unique_ptr<programmed_array> hold_reals(const dram_bank_params& p, const float* weights, std::int64_t rows,
                                             std::int64_t cols) {
  return std::make_unique<bank_array>(p, weights, rows, cols);
}

}  // namespace memwall::cim
