// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/candidates.h"

namespace memwall::dram {

// Four keys at a time where the processor can: chosen when the program starts. (The sanitizers do not go with that.)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
__attribute__((target_clones("avx2", "default")))
#endif
std::int64_t
candidates::least_key_of(const std::int64_t* keys, const std::int32_t* classes, const std::int64_t* limits,
                         std::size_t n) {
  std::int64_t least = nobody;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t mine = limited(keys[i], limits[classes[i]]);
    least = mine < least ? mine : least;
  }
  return least;
}

}  // namespace memwall::dram
