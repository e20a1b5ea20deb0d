// SPDX-License-Identifier: Apache-2.0
// What the units beside the banks compute, in their own arithmetic.
#include <algorithm>
#include <cmath>

#include "hw/cim/dram_bank.h"

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

class bank_array final : public programmed_array {
 public:
  bank_array(const dram_bank_params& p, const std::int32_t* weights, std::int64_t rows, std::int64_t cols)
      : m_arithmetic(p.arithmetic),
        m_tree(p.dataflow == "broadcast"),
        m_lanes(p.dataflow == "processor" ? 1 : p.lanes),
        m_weights(weights, weights + rows * cols),
        m_rows(rows),
        m_cols(cols) {}

  // Each lane (or, with an adder tree, each bank) has one accumulator of the unit's width; the host adds the
  // lanes.
  void compute(const std::int32_t* inputs, number_format, double* outputs, double, std::uint64_t) const override {
    std::vector<double> lane(static_cast<std::size_t>(m_lanes));
    for (std::int64_t c = 0; c < m_cols; ++c) {
      std::fill(lane.begin(), lane.end(), 0.0);
      double bank = 0;
      for (std::int64_t r = 0; r < m_rows; r += m_lanes) {
        double sum = 0;
        for (std::int64_t l = 0; l < m_lanes && r + l < m_rows; ++l) {
          const double product =
              operand(static_cast<double>(inputs[r + l])) *
              operand(static_cast<double>(m_weights[static_cast<std::size_t>((r + l) * m_cols + c)]));
          if (m_tree)
            sum += product;  // the tree is wide enough for the products of one column
          else
            lane[static_cast<std::size_t>(l)] = round(lane[static_cast<std::size_t>(l)] + round(product));
        }
        if (m_tree) bank = round(bank + sum);
      }
      for (const double l : lane) bank += l;
      outputs[c] = bank;
    }
  }
  std::int64_t rows() const override { return m_rows; }
  std::int64_t cols() const override { return m_cols; }

 private:
  double operand(double v) const {
    if (m_arithmetic == "fp16") return round_fp16(v);
    if (m_arithmetic == "bf16") return round_bf16(v);
    return m_arithmetic == "fp32" ? static_cast<double>(static_cast<float>(v)) : v;
  }
  // Of an accumulator: an adder tree keeps single precision.
  double round(double v) const {
    if (m_arithmetic == "fp16") return round_fp16(v);
    if (m_arithmetic == "bf16") return m_tree ? static_cast<double>(static_cast<float>(v)) : round_bf16(v);
    return m_arithmetic == "fp32" ? static_cast<double>(static_cast<float>(v)) : v;
  }
  std::string m_arithmetic;
  bool m_tree;
  std::int64_t m_lanes;
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
  return std::make_unique<bank_array>(p, weights, rows, cols);
}

}  // namespace memwall::cim
