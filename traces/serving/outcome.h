// SPDX-License-Identifier: Apache-2.0
// What a piece of work cost when it was simulated, in a form that can be interpolated and added up.
#pragma once
#include <array>
#include <cmath>
#include <cstddef>

#include "hw/common/stall.h"

namespace memwall::serving {

struct outcome {
  std::array<double, stall_count> parts{};  ///< picoseconds by cause
  double memory_bytes = 0;                  ///< asked of memories, read and written
  double energy_pj = 0;                     ///< of the cores
  double flops = 0;

  double time() const {
    double sum = 0;
    for (const double p : parts) sum += p;
    return sum;
  }
  /// Adds `other` `times` over.
  void add(const outcome& other, double times = 1) {
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i] += times * other.parts[i];
    memory_bytes += times * other.memory_bytes;
    energy_pj += times * other.energy_pj;
    flops += times * other.flops;
  }
  /// Between two outcomes, at `share` of the way.
  static outcome between(const outcome& a, const outcome& b, double share) {
    outcome out;
    out.add(a, 1 - share);
    out.add(b, share);
    return out;
  }
  /// Whole picoseconds.
  stall_stack stack() const {
    stall_stack out;
    for (std::size_t i = 0; i < parts.size(); ++i) out.part[i] = std::llround(parts[i]);
    return out;
  }
};

}  // namespace memwall::serving
