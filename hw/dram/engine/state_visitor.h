// SPDX-License-Identifier: Apache-2.0
// What decides a channel's future is declared once: each part visits its fields, in one order. Comparing and hashing
// (the fields as words), restoring and testing (one field changed) all come from that visit.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hw/dram/engine/clocks.h"

namespace memwall::dram {

class state_visitor {
 public:
  /// Appends the fields to `words`, relative to clock `now`. fits() is false when one of them is too large for a word.
  static state_visitor writer(std::vector<std::int32_t>& words, clocks_t now) {
    return {action::write, &words, nullptr, now};
  }
  /// The same, but what is past as a whole may be written as one word: to compare with others, not to be read.
  static state_visitor shortener(std::vector<std::int32_t>& words, clocks_t now) {
    state_visitor v = writer(words, now);
    v.m_shortens = true;
    return v;
  }
  /// Sets the fields from words, as they are at clock `now`.
  static state_visitor reader(const std::int32_t* words, clocks_t now) { return {action::read, nullptr, words, now}; }
  /// Changes field number `which`: for tests.
  static state_visitor changer(std::int64_t which, clocks_t now) {
    state_visitor v{action::change, nullptr, nullptr, now};
    v.m_which = which;
    return v;
  }

  clocks_t now() const { return m_now; }
  bool reads() const { return m_action == action::read; }
  bool writes() const { return m_action == action::write; }
  bool fits() const { return m_fits; }
  bool shortens() const { return m_shortens; }
  std::int64_t fields() const { return m_fields; }

  /// A clock. Before `low` it has no effect any more: all such clocks are the same.
  void time(clocks_t& t, clocks_t low) {
    switch (m_action) {
      case action::write:
        put((t > low ? t : low) - m_now);
        break;
      case action::read:
        t = m_now + *m_next++;
        break;
      case action::change:
        if (m_fields++ == m_which) t = std::max(t, m_now) + 7;
    }
  }
  template <class T>
  void value(T& v) {
    switch (m_action) {
      case action::write:
        put(static_cast<std::int64_t>(v));
        break;
      case action::read:
        v = static_cast<T>(*m_next++);
        break;
      case action::change:
        if (m_fields++ == m_which) v = static_cast<T>(v == T{} ? T{1} : T{});
    }
  }
  /// Rows are counted from this one, where a channel's stream is.
  void rows_from(std::int64_t first) { m_first_row = first; }
  /// A row; -1: none.
  void row(std::int64_t& r) {
    switch (m_action) {
      case action::write:
        put(r < 0 ? INT32_MIN : r - m_first_row);
        break;
      case action::read:
        r = *m_next == INT32_MIN ? -1 : *m_next + m_first_row;
        ++m_next;
        break;
      case action::change:
        if (m_fields++ == m_which) r += 3;
    }
  }
  /// A number of the reader's and writer's own, beside the fields.
  void put(std::int64_t v) {
    if (v > INT32_MAX || v < INT32_MIN) m_fits = false;
    m_words->push_back(static_cast<std::int32_t>(v));
  }
  std::int64_t take() { return *m_next++; }

 private:
  enum class action : std::uint8_t { write, read, change };
  state_visitor(action a, std::vector<std::int32_t>* words, const std::int32_t* next, clocks_t now)
      : m_action(a), m_words(words), m_next(next), m_now(now) {}

  action m_action;
  bool m_fits = true, m_shortens = false;
  std::vector<std::int32_t>* m_words;
  const std::int32_t* m_next;
  clocks_t m_now;
  std::int64_t m_first_row = 0, m_fields = 0, m_which = -1;
};

}  // namespace memwall::dram
