// SPDX-License-Identifier: Apache-2.0
// The words that all of the engine uses.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>

namespace memwall::dram {

/// Clocks of a channel.
using clocks_t = std::int64_t;
constexpr clocks_t no_time = std::numeric_limits<clocks_t>::max() / 4;

/// A number that is not negative, as an index.
constexpr std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}
/// By value: std::max chooses between references, and compilers branch on that.
constexpr clocks_t later(clocks_t a, clocks_t b) {
  return a > b ? a : b;
}

}  // namespace memwall::dram
