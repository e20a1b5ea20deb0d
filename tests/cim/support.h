// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "hw/cim/macro.h"

namespace memwall::cim::test {

inline std::unique_ptr<const macro> from_yaml(const std::string& text) {
  return make_macro(config::node::parse_text(text, "test.yaml"));
}

inline std::vector<std::int32_t> random_values(std::mt19937_64& random, std::int64_t count, number_format f) {
  std::vector<std::int32_t> out(static_cast<std::size_t>(count));
  const std::uint64_t span = static_cast<std::uint64_t>(f.high() - f.low() + 1);
  for (auto& v : out) {
    // The extremes are where sign handling goes wrong: make them common.
    const std::uint64_t pick = random() % 8;
    v = static_cast<std::int32_t>(pick == 0   ? f.low()
                                  : pick == 1 ? f.high()
                                              : f.low() + static_cast<std::int64_t>(random() % span));
  }
  return out;
}

/// The reference: y[c] = sum over r of x[r] w[r][c].
inline std::vector<double> product(const std::vector<std::int32_t>& x, const std::vector<std::int32_t>& w,
                                   std::int64_t cols) {
  std::vector<std::int64_t> sum(static_cast<std::size_t>(cols), 0);
  for (std::size_t r = 0; r < x.size(); ++r)
    for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += std::int64_t{x[r]} * w[r * sum.size() + c];
  return {sum.begin(), sum.end()};
}

inline std::vector<double> compute(const programmed_array& a, const std::vector<std::int32_t>& x, number_format in,
                                   double age = 0, std::uint64_t read = 0) {
  std::vector<double> y(static_cast<std::size_t>(a.cols()));
  a.compute(x.data(), in, y.data(), age, read);
  return y;
}

}  // namespace memwall::cim::test
