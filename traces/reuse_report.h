// SPDX-License-Identifier: Apache-2.0
// What the reuse of outcomes did, and how wrong it is: `fidelity.reuse` of a result.
#pragma once
#include <cstdint>
#include <vector>

namespace memwall {

struct reuse_report {
  /// Something that was simulated though its outcome was known.
  struct audit {
    double error = 0;       ///< of what was known, relative to what was simulated
    double stands_for = 1;  ///< how much time, or how many steps, are taken to be as wrong
  };

  bool on = false;
  double bound = 0.01;                  ///< relative
  double operators = 0, simulated = 0;  ///< in all, and of them
  std::vector<audit> audits;

  double mean_error() const;  ///< of the magnitudes, weighted
  double max_error() const;
  double bias() const;  ///< weighted mean of the signed errors
  /// Half of the interval around it in which the true one lies with 95 % confidence, by Student's t; relative.
  double confidence() const;
};

}  // namespace memwall
