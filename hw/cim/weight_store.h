// SPDX-License-Identifier: Apache-2.0
// Memory for weights that stay: thousands of arrays of a hundred kilobytes, gigabytes together.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace memwall::cim {

/// Hands out parts of large blocks that the system may back with huge pages: the first touch of each small page costs
/// more than the weights on it. A block whose last part is given back waits for the next weights. Elements are not
/// cleared.
class weight_blocks {
 public:
  static void* take(std::size_t bytes) {
    const std::size_t needed = (bytes + 2 * header - 1) / header * header;
    const auto [of, part] = the_store().take(needed);
    *reinterpret_cast<block**>(part) = of;  // may be the first touch of a page: not under the lock
    return part + header;
  }
  static void give_back(void* data) {
    block* b = *reinterpret_cast<block**>(static_cast<std::byte*>(data) - header);
    if (--b->parts == 0) the_store().put(b);
  }

 private:
  static constexpr std::size_t header = 64, page = std::size_t{2} << 20, usual = 8 * page;
  struct block {
    std::size_t size, used;
    std::atomic<std::size_t> parts;
  };
  class store {
   public:
    std::pair<block*, std::byte*> take(std::size_t needed) {
      const std::lock_guard<std::mutex> lock(m_guard);
      if (m_open == nullptr || m_open->used + needed > m_open->size) {
        if (m_open != nullptr && --m_open->parts == 0) keep(m_open);  // the block's own part
        m_open = get(needed);
      }
      std::byte* part = reinterpret_cast<std::byte*>(m_open) + m_open->used;
      m_open->used += needed;
      ++m_open->parts;
      return {m_open, part};
    }
    void put(block* b) {
      const std::lock_guard<std::mutex> lock(m_guard);
      keep(b);
    }

   private:
    block* get(std::size_t needed) {
      const std::size_t size = std::max(usual, (needed + header + page - 1) / page * page);
      void* memory = nullptr;
      if (size == usual && !m_spare.empty()) {
        memory = m_spare.back();
        m_spare.pop_back();
      } else {
        memory = std::aligned_alloc(page, size);
        if (memory == nullptr) throw std::bad_alloc();
        madvise(memory, size, MADV_HUGEPAGE);  // a wish
      }
      return new (memory) block{size, header, {1}};
    }
    void keep(block* b) {
      if (b->size == usual)
        m_spare.push_back(b);
      else
        std::free(b);
    }
    std::mutex m_guard;
    block* m_open = nullptr;
    std::vector<block*> m_spare;  // of the usual size
  };
  // Never destroyed: arrays may be given back when all else has ended.
  static store& the_store() {
    static store* const s = new store;
    return *s;
  }
};

template <class T>
struct weight_allocator {
  using value_type = T;
  weight_allocator() = default;
  template <class U>
  weight_allocator(const weight_allocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(weight_blocks::take(n * sizeof(T))); }
  void deallocate(T* p, std::size_t) { weight_blocks::give_back(p); }
  template <class U>
  void construct(U* p) {
    ::new (static_cast<void*>(p)) U;
  }
  template <class U, class... Args>
  void construct(U* p, Args&&... args) {
    ::new (static_cast<void*>(p)) U(std::forward<Args>(args)...);
  }
  template <class U>
  bool operator==(const weight_allocator<U>&) const {
    return true;
  }
  template <class U>
  bool operator!=(const weight_allocator<U>&) const {
    return false;
  }
};

template <class T>
using weight_vector = std::vector<T, weight_allocator<T>>;

}  // namespace memwall::cim
