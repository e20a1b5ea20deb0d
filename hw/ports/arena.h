// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/mman.h>

#include <boost/pool/object_pool.hpp>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace memwall {

/// Blocks that the system may back with huge pages: tens of thousands of transfers in flight are more small pages than
/// a processor's TLB holds.
struct huge_pages {
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  static constexpr std::size_t page = std::size_t{2} << 20;

  static char* malloc(size_type bytes) {
    const size_type whole = (bytes + page - 1) / page * page;
    void* p = std::aligned_alloc(page, whole);
    if (p != nullptr) madvise(p, whole, MADV_HUGEPAGE);  // a wish
    return static_cast<char*>(p);
  }
  static void free(char* block) { std::free(block); }
};

/// Objects that stay where they are until the arena goes, and are destroyed with it: Boost's object pool over huge
/// pages.
template <class T>
class arena {
 public:
  template <class... Args>
  T& emplace(Args&&... args) {
    void* room = m_pool.malloc();
    if (room == nullptr) throw std::bad_alloc();
    try {
      T* made = new (room) T(std::forward<Args>(args)...);
      ++m_count;
      return *made;
    } catch (...) {
      m_pool.free(static_cast<T*>(room));
      throw;
    }
  }

  std::size_t size() const { return m_count; }

 private:
  static constexpr std::size_t per_block = huge_pages::page / sizeof(T) > 2 ? huge_pages::page / sizeof(T) - 2 : 1;
  boost::object_pool<T, huge_pages> m_pool{per_block, per_block};
  std::size_t m_count = 0;
};

}  // namespace memwall
