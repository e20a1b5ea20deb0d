// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <list>
#include <unordered_map>

namespace memwall {

/// On-chip memory at the granularity of tensors: least recently used, with partial residency (the part of a tensor that
/// does not fit is the part that misses). A tensor larger than the cache streams past it: cyclic reuse of more than the
/// capacity gains nothing under LRU.
class tensor_cache {
 public:
  explicit tensor_cache(std::int64_t capacity_bytes) : m_capacity(capacity_bytes) {}

  struct outcome {
    std::int64_t miss_bytes = 0;  ///< to be read from memory (a read) or written through (a write that does not fit)
    std::int64_t writeback_bytes = 0;  ///< dirty bytes of other tensors pushed out
  };

  /// Reads `bytes` of a tensor; what missed is resident afterwards (as far as it fits).
  outcome read(std::uint64_t tensor, std::int64_t bytes) { return access(tensor, bytes, false); }
  /// Writes `bytes` of a tensor; they stay on chip and are dirty.
  outcome write(std::uint64_t tensor, std::int64_t bytes) { return access(tensor, bytes, true); }
  /// Others came by, `bytes` in all, before the tensor that was used last. More than fits leaves nothing else in an LRU
  /// cache, whether they are asked for again in turn or not; what fits may have been there before, and changes nothing.
  void others_passed(std::int64_t bytes);
  /// The tensor is dead (a consumed activation): drops it without a write-back.
  void drop(std::uint64_t tensor);

  std::int64_t capacity() const { return m_capacity; }
  std::int64_t used() const { return m_used; }

 private:
  struct entry {
    std::uint64_t tensor;
    std::int64_t bytes;
    std::int64_t dirty;
  };
  outcome access(std::uint64_t tensor, std::int64_t bytes, bool write);

  std::int64_t m_capacity;
  std::int64_t m_used = 0;
  std::list<entry> m_order;                                               // most recent first
  std::unordered_map<std::uint64_t, std::list<entry>::iterator> m_index;  // looked up only, never iterated
};

}  // namespace memwall
