// SPDX-License-Identifier: Apache-2.0
// Tens of thousands of cache lines in flight do not fit into the host's caches: whoever works through a queue of
// transfers fetches what the next ones need while it handles this one.
#pragma once
#include <cstddef>

namespace memwall {

/// Starts to load `bytes` bytes at p into the caches. Changes nothing else.
inline void prefetch(const void* p, std::size_t bytes = 1) {
  const auto* c = static_cast<const char*>(p);
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(c + i);
}

}  // namespace memwall
