// SPDX-License-Identifier: Apache-2.0
// How wrong a macro computes a layer, against the converter's resolution, the rows read at once and the time
// since programming.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hw/cim/macro.h"

namespace memwall::cim {

/// A layer in real numbers: weights k x n (row-major, y = x W), inputs vectors x k.
struct real_layer {
  std::int64_t k = 0, n = 0, vectors = 0;
  std::vector<double> weights, inputs;
};

/// Normally distributed weights and inputs, as those of trained layers roughly are. Deterministic in the
/// seed.
real_layer random_layer(std::int64_t k, std::int64_t n, std::int64_t vectors, std::uint64_t seed);

struct accuracy_options {
  int in_bits = 8,
      w_bits = 8;                   ///< symmetric quantisation, one scale a tensor; limited to what the macro takes
  std::vector<int> adc_bits, rows;  ///< analog macros: values tried besides the preset's own
  std::vector<double> ages;         ///< seconds since programming; analog macros only
  std::uint64_t seed = 1;
  std::function<void(double fraction)> on_progress;  ///< called an input vector; unset: none
};

struct accuracy_point {
  std::string varied;  ///< "preset", "adc_bits", "rows_parallel", "age"
  double value = 0;
  double snr_db = 0;  ///< of the macro's outputs against the exact product of the same integers; +inf when exact
  double relative_error = 0;  ///< root mean square error / root mean square of the outputs
  double total_snr_db = 0;    ///< against the product in real numbers: quantisation of weights and inputs included
};

/// `tree`: a macro's description (see make_macro). Layers larger than the macro are folded. Throws input_error when all
/// products are zero: no error can be told in parts of them.
std::vector<accuracy_point> measure_accuracy(const config::node& tree, const real_layer& layer,
                                             const accuracy_options& options);

}  // namespace memwall::cim
