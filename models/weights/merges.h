// SPDX-License-Identifier: Apache-2.0
// The merges of byte-pair encoding.
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace memwall {

/// Pairs of symbols that become one, the earliest added first (Sennrich, Haddow, Birch 2016).
class merge_table {
 public:
  void add(std::int32_t left, std::int32_t right, std::int32_t whole);
  /// Merges until no pair of the table is left: the earliest merge first, of equal ones the leftmost. In n log n.
  void apply(std::vector<std::int32_t>& symbols) const;

 private:
  struct merge {
    std::int32_t rank, whole;
  };
  const merge* find(std::int32_t left, std::int32_t right) const;
  std::unordered_map<std::uint64_t, merge> m_merges;
};

}  // namespace memwall
