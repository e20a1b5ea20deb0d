// SPDX-License-Identifier: Apache-2.0
#include "hw/common/stall.h"

namespace memwall {

stall_stack apportion(ps_t total, const stall_stack& weights, stall otherwise) {
  stall_stack out;
  if (total == 0) return out;
  const ps_t sum = weights.sum();
  if (sum <= 0) {
    out[otherwise] = total;
    return out;
  }
  if (sum == total) return weights;
  // Few causes have a weight, and fewer get one of the picoseconds that rounding leaves over: no sort.
  std::array<std::size_t, stall_count> used;
  std::array<ps_t, stall_count> remainder;
  std::size_t count = 0;
  ps_t given = 0;
  const bool small = total < (ps_t{1} << 31) && sum < (ps_t{1} << 31);
  for (std::size_t i = 0; i < stall_count; ++i) {
    if (weights.part[i] == 0) continue;
    if (small) {
      const std::uint64_t product = static_cast<std::uint64_t>(total) * static_cast<std::uint64_t>(weights.part[i]);
      out.part[i] = static_cast<ps_t>(product / static_cast<std::uint64_t>(sum));
      remainder[count] = static_cast<ps_t>(product % static_cast<std::uint64_t>(sum));
    } else {
      const __int128 product = static_cast<__int128>(total) * weights.part[i];
      out.part[i] = static_cast<ps_t>(product / sum);
      remainder[count] = static_cast<ps_t>(product % sum);
    }
    given += out.part[i];
    used[count++] = i;
  }
  for (; given < total; ++given) {
    std::size_t largest = 0;
    for (std::size_t k = 1; k < count; ++k)
      if (remainder[k] > remainder[largest]) largest = k;
    ++out.part[used[largest]];
    remainder[largest] = -1;
  }
  return out;
}

}  // namespace memwall
