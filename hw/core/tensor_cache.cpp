// SPDX-License-Identifier: Apache-2.0
#include "hw/core/tensor_cache.h"

#include <algorithm>

namespace memwall {

tensor_cache::outcome tensor_cache::access(std::uint64_t tensor, std::int64_t bytes, bool write) {
  outcome out;
  if (bytes <= 0) return out;
  std::int64_t resident = 0, dirty = 0;
  if (const auto found = m_index.find(tensor); found != m_index.end()) {
    resident = found->second->bytes;
    dirty = found->second->dirty;
    m_used -= resident;
    m_order.erase(found->second);
    m_index.erase(found);
  }
  const std::int64_t hit = std::min(resident, bytes);
  if (!write) out.miss_bytes = bytes - hit;
  if (bytes > m_capacity) {
    // Streams past: whatever was resident of it goes, a write goes to memory.
    if (write) out.miss_bytes = bytes;
    out.writeback_bytes += write ? 0 : dirty;
    return out;
  }
  const std::int64_t size = std::max(resident, bytes);
  while (m_used + size > m_capacity) {
    const entry& victim = m_order.back();
    const std::int64_t excess = m_used + size - m_capacity;
    const std::int64_t gone = std::min(victim.bytes, excess);
    out.writeback_bytes += std::min(victim.dirty, gone);
    m_used -= gone;
    if (gone == victim.bytes) {
      m_index.erase(victim.tensor);
      m_order.pop_back();
    } else {
      m_order.back().bytes -= gone;
      m_order.back().dirty = std::max<std::int64_t>(0, m_order.back().dirty - gone);
    }
  }
  m_order.push_front({tensor, size, write ? std::max(dirty, bytes) : dirty});
  m_index[tensor] = m_order.begin();
  m_used += size;
  return out;
}

void tensor_cache::others_passed(std::int64_t bytes) {
  if (bytes < m_capacity) return;
  while (m_order.size() > 1) drop(m_order.back().tensor);
}

void tensor_cache::drop(std::uint64_t tensor) {
  const auto found = m_index.find(tensor);
  if (found == m_index.end()) return;
  m_used -= found->second->bytes;
  m_order.erase(found->second);
  m_index.erase(found);
}

}  // namespace memwall
