// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace memwall {

/// Objects that stay where they are until the arena goes, in blocks that the system may back with huge pages: tens of
/// thousands of transfers in flight are more small pages than a processor's TLB holds.
template <class T>
class arena {
 public:
  arena() = default;
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;
  ~arena() {
    for (std::size_t i = m_count; i-- > 0;) (*this)[i].~T();
  }

  template <class... Args>
  T& emplace(Args&&... args) {
    if (m_count == m_blocks.size() * per_block) add_block();
    T* made = new (address(m_count)) T(std::forward<Args>(args)...);
    ++m_count;
    return *made;
  }
  std::size_t size() const { return m_count; }
  T& operator[](std::size_t i) { return *std::launder(reinterpret_cast<T*>(address(i))); }

 private:
  static constexpr std::size_t block_bytes = std::size_t{2} << 20, stride = (sizeof(T) + 63) / 64 * 64;
  static constexpr std::size_t per_block = block_bytes / stride;
  static_assert(stride <= block_bytes && alignof(T) <= 64);
  struct release {
    void operator()(std::byte* p) const { std::free(p); }
  };

  std::byte* address(std::size_t i) { return m_blocks[i / per_block].get() + i % per_block * stride; }
  void add_block() {
    auto* p = static_cast<std::byte*>(std::aligned_alloc(block_bytes, block_bytes));
    if (p == nullptr) throw std::bad_alloc();
    m_blocks.emplace_back(p);
    madvise(p, block_bytes, MADV_HUGEPAGE);  // a wish
  }

  std::vector<std::unique_ptr<std::byte, release>> m_blocks;
  std::size_t m_count = 0;
};

}  // namespace memwall
