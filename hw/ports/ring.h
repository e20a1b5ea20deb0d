// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <utility>

namespace memwall {

/// First in, first out, without an allocation an element: Boost's circular buffer, which doubles when full and is never
/// given back (tests/ports/bench_containers.cpp).
template <class T>
class ring {
 public:
  bool empty() const { return m_slots.empty(); }
  std::size_t size() const { return m_slots.size(); }
  T& front() { return m_slots.front(); }
  const T& front() const { return m_slots.front(); }
  T& back() { return m_slots.back(); }
  T& operator[](std::size_t i) { return m_slots[i]; }
  const T& operator[](std::size_t i) const { return m_slots[i]; }
  void push_back(T v) {
    if (m_slots.full()) m_slots.set_capacity(m_slots.capacity() == 0 ? 8 : 2 * m_slots.capacity());
    m_slots.push_back(std::move(v));
  }
  void pop_front() { m_slots.pop_front(); }
  void clear() { m_slots.clear(); }
  /// Keeps ascending order of `before`; equal elements stay in order of arrival. Cheap when v belongs at the
  /// end.
  template <class Before>
  void insert_sorted(T v, Before before) {
    push_back(std::move(v));
    for (std::size_t i = size() - 1; i > 0 && before((*this)[i], (*this)[i - 1]); --i)
      std::swap((*this)[i], (*this)[i - 1]);
  }

 private:
  boost::circular_buffer<T> m_slots;
};

}  // namespace memwall
