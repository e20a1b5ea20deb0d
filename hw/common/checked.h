// SPDX-License-Identifier: Apache-2.0
// Arithmetic on sizes that people give: what does not fit is an error and not another number.
#pragma once
#include <cstdint>
#include <stdexcept>

#include "hw/common/quantity.h"

namespace memwall {

/// As far as the clocks count: buses and cores count femtoseconds in 64 bits, which end at 9,223 s.
constexpr ps_t longest_run = 9'000'000'000'000'000;

inline std::int64_t checked_product(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) throw std::overflow_error("a product of sizes passes 2^63");
  return out;
}

/// Nearest picosecond of a time that a run can last.
inline ps_t checked_ps(double ps) {
  if (!(ps < static_cast<double>(longest_run))) throw std::overflow_error("a time passes 9,000 s");
  return static_cast<ps_t>(ps + 0.5);
}

/// Throws unless `times` times `each` is one.
inline void check_time(ps_t each, double times) {
  checked_ps(static_cast<double>(each) * times);
}

}  // namespace memwall
