// SPDX-License-Identifier: Apache-2.0
#include "models/weights/merges.h"

#include <queue>
#include <tuple>

namespace memwall {
namespace {

std::uint64_t key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

void merge_table::add(std::int32_t left, std::int32_t right, std::int32_t whole) {
  m_merges.emplace(key(left, right), merge{static_cast<std::int32_t>(m_merges.size()), whole});
}

const merge_table::merge* merge_table::find(std::int32_t left, std::int32_t right) const {
  const auto found = m_merges.find(key(left, right));
  return found == m_merges.end() ? nullptr : &found->second;
}

void merge_table::apply(std::vector<std::int32_t>& symbols) const {
  if (m_merges.empty() || symbols.size() < 2) return;
  constexpr std::size_t none = SIZE_MAX;
  // A list through the symbols: a merged one takes the place of its left part, the right part drops out.
  std::vector<std::size_t> next(symbols.size()), before(symbols.size());
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    before[i] = i == 0 ? none : i - 1;
    next[i] = i + 1 == symbols.size() ? none : i + 1;
  }
  // Candidates by rank, then place; those whose symbols have changed meanwhile are passed over.
  using candidate = std::tuple<std::int32_t, std::size_t, std::int32_t, std::int32_t>;
  std::priority_queue<candidate, std::vector<candidate>, std::greater<>> queue;
  const auto propose = [&](std::size_t left) {
    if (left == none || next[left] == none) return;
    if (const merge* m = find(symbols[left], symbols[next[left]]))
      queue.emplace(m->rank, left, symbols[left], symbols[next[left]]);
  };
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) propose(i);
  std::vector<bool> gone(symbols.size(), false);
  while (!queue.empty()) {
    const auto [rank, left, a, b] = queue.top();
    queue.pop();
    if (gone[left] || next[left] == none || symbols[left] != a || symbols[next[left]] != b) continue;
    const std::size_t right = next[left];
    symbols[left] = find(a, b)->whole;
    gone[right] = true;
    next[left] = next[right];
    if (next[right] != none) before[next[right]] = left;
    propose(before[left]);
    propose(left);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < symbols.size(); ++i)
    if (!gone[i]) symbols[kept++] = symbols[i];
  symbols.resize(kept);
}

}  // namespace memwall
