// SPDX-License-Identifier: Apache-2.0
// The banks that wait for a command, and which of them goes first. Internal to hw/dram. The engine asks once a command,
// so this decides its speed: a bank's time and its request's age are one number, and no branch depends on which bank is
// next.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace memwall::dram {

class candidates {
 public:
  static constexpr int kinds = 4;  ///< of commands

  /// The first of all banks: earliest, and of equals the one with the oldest request. bank -1: nobody waits.
  struct found {
    std::int64_t time = 0;
    int bank = -1;
  };

  candidates(int banks, int ranks)
      : m_key(static_cast<std::size_t>(banks), nobody),
        m_class(m_key.size(), 0),
        m_waiting((m_key.size() + 63) / 64, 0),
        m_limit(static_cast<std::size_t>(ranks * kinds), 0) {}
  void clear() {
    std::fill(m_key.begin(), m_key.end(), nobody);
    std::fill(m_waiting.begin(), m_waiting.end(), 0);
    m_count = 0;
  }

  /// Bank `b` waits for a command of a kind, for a request of this age, and may have it from clock `due` on.
  void set(int b, int rank, int kind, std::int64_t due, std::int64_t age) {
    if (due - m_epoch > span || age - m_first_age >= ages) rebase(due, age);
    const auto i = static_cast<std::size_t>(b);
    if (m_key[i] == nobody) {
      m_waiting[i / 64] |= std::uint64_t{1} << (i % 64);
      ++m_count;
    }
    m_key[i] = at_clock(due) | (std::max(age - m_first_age, -ages) + ages) << bank_bits | b;
    m_class[i] = rank * kinds + kind;
  }
  void remove(int b) {
    const auto i = static_cast<std::size_t>(b);
    if (m_key[i] == nobody) return;
    m_key[i] = nobody;
    m_waiting[i / 64] &= ~(std::uint64_t{1} << (i % 64));
    --m_count;
  }
  bool empty() const { return m_count == 0; }
  bool waits(int b) const { return m_key[static_cast<std::size_t>(b)] != nobody; }
  std::int64_t due(int b) const { return m_epoch + (m_key[static_cast<std::size_t>(b)] >> order_bits); }

  /// Of banks [first, first + count) of a rank, those that wait for a command of this kind have to wait until `t`; not
  /// `except`, which is set anew.
  void postpone(int rank, int kind, int first, int count, std::int64_t t, int except = -1) {
    if (first / 64 == (first + count - 1) / 64) {  // a stream has no other bank of the group waiting
      std::uint64_t others = m_waiting[static_cast<std::size_t>(first / 64)] >> (first % 64);
      if (count < 64) others &= (std::uint64_t{1} << count) - 1;
      if (except >= 0) others &= ~(std::uint64_t{1} << (except - first));
      if (others == 0) return;
    }
    if (t - m_epoch > span) rebase(t, m_first_age);
    const std::int64_t limit = at_clock(t);
    const int which = rank * kinds + kind;
    for (auto i = static_cast<std::size_t>(first); count-- > 0; ++i) {
      const std::int64_t key = m_key[i], concerned = -static_cast<std::int64_t>(m_class[i] == which);
      const std::int64_t later = ((limit | (key & order_mask)) & concerned) | (~concerned & least_key);
      m_key[i] = key < later ? later : key;
    }
  }

  /// From clock `now` on; no command of a kind to a rank before limit(rank, kind), which is not past.
  template <class Limit>
  found first(std::int64_t now, Limit&& limit) {
    if (now - m_epoch > span) rebase(now, m_first_age);
    std::int64_t least = nobody;
    if (m_count < m_limit.size()) {  // fewer banks than limits: each has its own looked up
      for (std::size_t word = 0; word < m_waiting.size(); ++word)
        for (std::uint64_t bits = m_waiting[word]; bits != 0; bits &= bits - 1) {
          const std::size_t i = word * 64 + static_cast<std::size_t>(__builtin_ctzll(bits));
          const std::int64_t mine = limited(m_key[i], shifted(limit(m_class[i] / kinds, m_class[i] % kinds)));
          least = mine < least ? mine : least;
        }
      return of_key(least);
    }
    const int ranks = static_cast<int>(m_limit.size()) / kinds;
    for (int r = 0, i = 0; r < ranks; ++r)
      for (int kind = 0; kind < kinds; ++kind, ++i) m_limit[static_cast<std::size_t>(i)] = shifted(limit(r, kind));
    if (2 * m_count >= m_key.size()) {
      least = least_key_of(m_key.data(), m_class.data(), m_limit.data(), m_key.size());
    } else {
      for (std::size_t word = 0; word < m_waiting.size(); ++word)
        for (std::uint64_t bits = m_waiting[word]; bits != 0; bits &= bits - 1) {
          const std::size_t i = word * 64 + static_cast<std::size_t>(__builtin_ctzll(bits));
          const std::int64_t mine = limited(m_key[i], m_limit[static_cast<std::size_t>(m_class[i])]);
          least = mine < least ? mine : least;
        }
    }
    return of_key(least);
  }

  /// The least of keys after their limits; `classes` name a key's limit.
  static std::int64_t least_key_of(const std::int64_t* keys, const std::int32_t* classes, const std::int64_t* limits,
                                   std::size_t n);

 private:
  std::int64_t shifted(std::int64_t clock) const { return (clock - m_epoch) * (std::int64_t{1} << order_bits); }
  found of_key(std::int64_t key) const {
    if (key == nobody) return {};
    return {m_epoch + (key >> order_bits), static_cast<int>(key & ((1 << bank_bits) - 1))};
  }
  /// A key whose clock is not before its limit's.
  static std::int64_t limited(std::int64_t key, std::int64_t limit) {
    const std::int64_t mine = limit | (key & order_mask);
    return key < mine ? mine : key;
  }

  // A key: clocks since m_epoch, age since m_first_age, bank.
  static constexpr int bank_bits = 10, order_bits = 32;
  static constexpr std::int64_t order_mask = (std::int64_t{1} << order_bits) - 1;
  static constexpr std::int64_t span = std::int64_t{1} << 29;  ///< clocks are kept as differences of at most twice that
  static constexpr std::int64_t ages = std::int64_t{1}
                                       << (order_bits - bank_bits - 1);  ///< older requests are equally old
  static constexpr std::int64_t least_key = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t nobody = std::numeric_limits<std::int64_t>::max();

  std::int64_t at_clock(std::int64_t t) const {
    return (t - m_epoch < -span ? -span : t - m_epoch) * (std::int64_t{1} << order_bits);
  }

  /// Counts clocks from `now` and ages from `age`: they have run away from where they were counted from.
  void rebase(std::int64_t now, std::int64_t age) {
    const std::int64_t newer = age - m_first_age, clocks = now - m_epoch;
    m_epoch = now;
    m_first_age = age;
    for (std::int64_t& key : m_key) {
      if (key == nobody) continue;
      const std::int64_t order = std::max<std::int64_t>(((key & order_mask) >> bank_bits) - newer, 0);
      key = at_clock(m_epoch - clocks + (key >> order_bits)) | order << bank_bits | (key & ((1 << bank_bits) - 1));
    }
  }

  std::vector<std::int64_t> m_key;    ///< by bank
  std::vector<std::int32_t> m_class;  ///< by bank: rank x kinds + kind
  std::vector<std::uint64_t> m_waiting;
  std::vector<std::int64_t> m_limit;  ///< by rank x kinds + kind
  std::size_t m_count = 0;
  std::int64_t m_epoch = 0, m_first_age = 0;
};

}  // namespace memwall::dram
