// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

namespace memwall {

/// First in, first out, without an allocation an element: storage doubles when full and is never given back.
template <class T>
class ring {
 public:
  bool empty() const { return m_count == 0; }
  std::size_t size() const { return m_count; }
  T& front() { return m_slots[m_head]; }
  const T& front() const { return m_slots[m_head]; }
  T& back() { return (*this)[m_count - 1]; }
  T& operator[](std::size_t i) { return m_slots[(m_head + i) & (m_slots.size() - 1)]; }
  const T& operator[](std::size_t i) const { return m_slots[(m_head + i) & (m_slots.size() - 1)]; }
  void push_back(T v) {
    if (m_count == m_slots.size()) grow();
    m_slots[(m_head + m_count++) & (m_slots.size() - 1)] = std::move(v);
  }
  void pop_front() {
    m_head = (m_head + 1) & (m_slots.size() - 1);
    --m_count;
  }
  void clear() { m_head = m_count = 0; }
  /// Keeps ascending order of `before`; equal elements stay in order of arrival. Cheap when v belongs at the
  /// end.
  template <class Before>
  void insert_sorted(T v, Before before) {
    push_back(std::move(v));
    for (std::size_t i = m_count - 1; i > 0 && before((*this)[i], (*this)[i - 1]); --i)
      std::swap((*this)[i], (*this)[i - 1]);
  }

 private:
  void grow() {
    std::vector<T> bigger(m_slots.empty() ? 8 : m_slots.size() * 2);
    for (std::size_t i = 0; i < m_count; ++i) bigger[i] = std::move((*this)[i]);
    m_slots.swap(bigger);
    m_head = 0;
  }
  std::vector<T> m_slots;  // a power of two
  std::size_t m_head = 0, m_count = 0;
};

}  // namespace memwall
