// SPDX-License-Identifier: Apache-2.0
#include "hw/common/stall.h"

#include <algorithm>

namespace memwall {

stall_stack apportion(ps_t total, const stall_stack& weights, stall otherwise) {
  stall_stack out;
  const ps_t sum = weights.sum();
  if (sum <= 0) {
    out[otherwise] = total;
    return out;
  }
  std::array<ps_t, stall_count> remainder{};
  ps_t given = 0;
  for (std::size_t i = 0; i < stall_count; ++i) {
    const __int128 product = static_cast<__int128>(total) * weights.part[i];
    out.part[i] = static_cast<ps_t>(product / sum);
    remainder[i] = static_cast<ps_t>(product % sum);
    given += out.part[i];
  }
  std::array<std::size_t, stall_count> order{};
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return remainder[a] > remainder[b]; });
  for (std::size_t k = 0; given < total; ++k, ++given) ++out.part[order[k]];
  return out;
}

}  // namespace memwall
