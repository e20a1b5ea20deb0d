// SPDX-License-Identifier: Apache-2.0
#include "hw/core/tensor_cache.h"

#include <algorithm>
#include <iterator>

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
  out.writeback_bytes += make_room(size);
  m_order.push_front({tensor, size, write ? std::max(dirty, bytes) : dirty});
  m_index[tensor] = m_order.begin();
  m_used += size;
  return out;
}

/// Pushes out what has not been used for longest. Returns how much of it was dirty.
std::int64_t tensor_cache::make_room(std::int64_t size) {
  std::int64_t written_back = 0;
  while (m_used + size > m_capacity) {
    entry& victim = m_order.back();
    const std::int64_t gone = std::min(victim.bytes, m_used + size - m_capacity);
    written_back += std::min(victim.dirty, gone);
    m_used -= gone;
    victim.bytes -= gone;
    victim.dirty = std::max<std::int64_t>(0, victim.dirty - gone);
    if (victim.bytes > 0) continue;
    if (!victim.anonymous) m_index.erase(victim.tensor);
    m_order.pop_back();
  }
  return written_back;
}

void tensor_cache::others_passed(std::int64_t bytes) {
  const std::int64_t last = m_order.empty() ? 0 : m_order.front().bytes;
  const std::int64_t size = std::min(bytes, m_capacity - last);
  if (size <= 0) return;
  make_room(size);
  m_order.insert(m_order.empty() ? m_order.end() : std::next(m_order.begin()), {0, size, 0, true});
  m_used += size;
}

void tensor_cache::drop(std::uint64_t tensor) {
  const auto found = m_index.find(tensor);
  if (found == m_index.end()) return;
  m_used -= found->second->bytes;
  m_order.erase(found->second);
  m_index.erase(found);
}

}  // namespace memwall
