// SPDX-License-Identifier: Apache-2.0
// Products in single precision. Each output is the sum of 16 partial sums, of columns i, i + 16, ...: what one vector
// register of AVX-512 holds, two of AVX2 or four of SSE. So every machine adds in the same order.
#include <algorithm>
#include <cstring>

#include "hw/common/each_cpu.h"
#include "models/forward/forward.h"

namespace memwall {
namespace {

constexpr std::int64_t lanes = 16;
using lane_sums = float __attribute__((vector_size(lanes * sizeof(float))));

inline float total(const lane_sums& v) {
  float part[lanes];
  std::memcpy(part, &v, sizeof part);
  for (std::int64_t width = lanes / 2; width > 0; width /= 2)
    for (std::int64_t i = 0; i < width; ++i) part[i] += part[i + width];
  return part[0];
}

// `Vectors` inputs against two rows of weights.
template <int Vectors>
inline __attribute__((always_inline)) void multiply(const float* x, std::int64_t k, const float* w0, const float* w1,
                                                    std::int64_t n, float* y) {
  lane_sums first[Vectors] = {}, second[Vectors] = {};
  for (std::int64_t i = 0; i < k; i += lanes) {
    const std::size_t bytes = static_cast<std::size_t>(std::min(lanes, k - i)) * sizeof(float);
    lane_sums a = {}, b = {}, in = {};
    if (bytes == sizeof a) {
      std::memcpy(&a, w0 + i, sizeof a);
      std::memcpy(&b, w1 + i, sizeof b);
      for (int v = 0; v < Vectors; ++v) {
        std::memcpy(&in, x + v * k + i, sizeof in);
        first[v] += in * a;
        second[v] += in * b;
      }
    } else {
      std::memcpy(&a, w0 + i, bytes);
      std::memcpy(&b, w1 + i, bytes);
      for (int v = 0; v < Vectors; ++v) {
        std::memcpy(&in, x + v * k + i, bytes);
        first[v] += in * a;
        second[v] += in * b;
      }
    }
  }
  for (int v = 0; v < Vectors; ++v) {
    y[v * n] = total(first[v]);
    if (w1 != w0) y[v * n + 1] = total(second[v]);
  }
}

MEMWALL_EACH_CPU void four(const float* x, std::int64_t k, const float* w0, const float* w1, std::int64_t n, float* y) {
  multiply<4>(x, k, w0, w1, n, y);
}
MEMWALL_EACH_CPU void one(const float* x, std::int64_t k, const float* w0, const float* w1, std::int64_t n, float* y) {
  multiply<1>(x, k, w0, w1, n, y);
}

}  // namespace

void product(const float* x, std::int64_t m, std::int64_t k, const float* w, std::int64_t n, float* y) {
  for (std::int64_t r = 0; r < n; r += 2) {
    const float *w0 = w + r * k, *w1 = r + 1 < n ? w0 + k : w0;
    std::int64_t v = 0;
    for (; v + 4 <= m; v += 4) four(x + v * k, k, w0, w1, n, y + v * n + r);
    for (; v < m; ++v) one(x + v * k, k, w0, w1, n, y + v * n + r);
  }
}

}  // namespace memwall
