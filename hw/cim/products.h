// SPDX-License-Identifier: Apache-2.0
// The inner loops of all arrays: a vector of integers times rows of weights. Written so that the compiler turns them
// into vector instructions.
#pragma once
#include <cstdint>

namespace memwall::cim {

/// sums[c] += x[0] w[0][c] + ... + x[rows-1] w[rows-1][c], exactly. `largest`: no weight is larger in magnitude.
/// Weights of 8, 16 or 32 bits.
template <class Weight>
void add_integer_products(const std::int32_t* x, std::int64_t rows, const Weight* w, std::int64_t cols,
                          std::int64_t largest, double* sums);
extern template void add_integer_products(const std::int32_t*, std::int64_t, const std::int8_t*, std::int64_t,
                                          std::int64_t, double*);
extern template void add_integer_products(const std::int32_t*, std::int64_t, const std::int16_t*, std::int64_t,
                                          std::int64_t, double*);
extern template void add_integer_products(const std::int32_t*, std::int64_t, const std::int32_t*, std::int64_t,
                                          std::int64_t, double*);

/// The same with real weights, in double precision.
void add_real_products(const std::int32_t* x, std::int64_t rows, const float* w, std::int64_t cols, double* sums);

}  // namespace memwall::cim
