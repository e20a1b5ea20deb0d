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
/// more than the weights on it. A block is given back with its last part. Elements are not cleared.
class weight_blocks {
 public:
  static void* take(std::size_t bytes) {
    static std::mutex guard;
    static block* open = nullptr;
    const std::size_t needed = (bytes + 2 * header - 1) / header * header;
    const std::lock_guard<std::mutex> lock(guard);
    if (open == nullptr || open->used + needed > open->size) {
      if (open != nullptr) release(open);  // the block's own part
      open = new_block(needed);
    }
    std::byte* part = reinterpret_cast<std::byte*>(open) + open->used;
    open->used += needed;
    ++open->parts;
    *reinterpret_cast<block**>(part) = open;
    return part + header;
  }
  static void give_back(void* data) { release(*reinterpret_cast<block**>(static_cast<std::byte*>(data) - header)); }

 private:
  static constexpr std::size_t header = 64, page = std::size_t{2} << 20, usual = 8 * page;
  struct block {
    std::size_t size, used;
    std::atomic<std::size_t> parts;
  };
  static block* new_block(std::size_t needed) {
    const std::size_t size = std::max(usual, (needed + header + page - 1) / page * page);
    void* memory = std::aligned_alloc(page, size);
    if (memory == nullptr) throw std::bad_alloc();
    madvise(memory, size, MADV_HUGEPAGE);  // a wish
    return new (memory) block{size, header, {1}};
  }
  static void release(block* b) {
    if (--b->parts == 0) std::free(b);
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
