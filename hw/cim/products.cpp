// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/products.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "hw/common/each_cpu.h"

namespace memwall::cim {
namespace {

// Two rows at a time: half the loads and stores of the sums. In 32 bits, where nothing can overflow.
template <class Weight>
inline void add_rows(std::int32_t x0, const Weight* w0, std::int32_t x1, const Weight* w1, std::int64_t cols,
                     std::int32_t* sums) {
  for (std::int64_t c = 0; c < cols; ++c) sums[c] += x0 * w0[c] + x1 * w1[c];
}
MEMWALL_EACH_CPU void add_8(std::int32_t x0, const std::int8_t* w0, std::int32_t x1, const std::int8_t* w1,
                            std::int64_t cols, std::int32_t* sums) {
  add_rows(x0, w0, x1, w1, cols, sums);
}
MEMWALL_EACH_CPU void add_16(std::int32_t x0, const std::int16_t* w0, std::int32_t x1, const std::int16_t* w1,
                             std::int64_t cols, std::int32_t* sums) {
  add_rows(x0, w0, x1, w1, cols, sums);
}
MEMWALL_EACH_CPU void add_32(std::int32_t x0, const std::int32_t* w0, std::int32_t x1, const std::int32_t* w1,
                             std::int64_t cols, std::int32_t* sums) {
  add_rows(x0, w0, x1, w1, cols, sums);
}
inline void add(std::int32_t x0, const std::int8_t* w0, std::int32_t x1, const std::int8_t* w1, std::int64_t cols,
                std::int32_t* sums) {
  add_8(x0, w0, x1, w1, cols, sums);
}
inline void add(std::int32_t x0, const std::int16_t* w0, std::int32_t x1, const std::int16_t* w1, std::int64_t cols,
                std::int32_t* sums) {
  add_16(x0, w0, x1, w1, cols, sums);
}
inline void add(std::int32_t x0, const std::int32_t* w0, std::int32_t x1, const std::int32_t* w1, std::int64_t cols,
                std::int32_t* sums) {
  add_32(x0, w0, x1, w1, cols, sums);
}

MEMWALL_EACH_CPU void add_real(double x, const float* w, std::int64_t cols, double* sums) {
  for (std::int64_t c = 0; c < cols; ++c) sums[c] += x * static_cast<double>(w[c]);
}

}  // namespace

template <class Weight>
void add_integer_products(const std::int32_t* x, std::int64_t rows, const Weight* w, std::int64_t cols,
                          std::int64_t largest, double* sums) {
  constexpr std::int64_t most = INT32_MAX;
  std::vector<std::int32_t> partial(static_cast<std::size_t>(cols), 0);
  std::int64_t room = most;  // what a partial sum can still take
  const auto flush = [&] {
    for (std::int64_t c = 0; c < cols; ++c) {
      sums[c] += partial[static_cast<std::size_t>(c)];
      partial[static_cast<std::size_t>(c)] = 0;
    }
    room = most;
  };
  for (std::int64_t r = 0; r < rows; r += 2) {
    const std::int64_t next = std::min(r + 1, rows - 1);
    const std::int32_t x0 = x[r], x1 = r + 1 < rows ? x[r + 1] : 0;
    if (x0 == 0 && x1 == 0) continue;
    const std::int64_t needed = (std::llabs(x0) + std::llabs(x1)) * largest;
    if (needed > most) {  // a single product may not fit
      for (std::int64_t c = 0; c < cols; ++c)
        sums[c] += static_cast<double>(std::int64_t{x0} * w[r * cols + c] + std::int64_t{x1} * w[next * cols + c]);
      continue;
    }
    if (needed > room) flush();
    room -= needed;
    add(x0, w + r * cols, x1, w + next * cols, cols, partial.data());
  }
  flush();
}
template void add_integer_products(const std::int32_t*, std::int64_t, const std::int8_t*, std::int64_t, std::int64_t,
                                   double*);
template void add_integer_products(const std::int32_t*, std::int64_t, const std::int16_t*, std::int64_t, std::int64_t,
                                   double*);
template void add_integer_products(const std::int32_t*, std::int64_t, const std::int32_t*, std::int64_t, std::int64_t,
                                   double*);

void add_real_products(const std::int32_t* x, std::int64_t rows, const float* w, std::int64_t cols, double* sums) {
  for (std::int64_t r = 0; r < rows; ++r)
    if (x[r] != 0) add_real(static_cast<double>(x[r]), w + r * cols, cols, sums);
}

}  // namespace memwall::cim
