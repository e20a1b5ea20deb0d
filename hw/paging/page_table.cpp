// SPDX-License-Identifier: Apache-2.0
#include "hw/paging/page_table.h"

namespace memwall {

page_table::page_table(std::int64_t blocks, int frames, int pages_per_block, double threshold)
    : m_blocks(at(blocks)), m_pages(pages_per_block), m_threshold(threshold) {
  for (int f = frames; f-- > 0;) m_free.push_back(f);
}

std::uint64_t page_table::to_bring(std::int64_t block, std::uint64_t wanted) const {
  const std::uint64_t resident = m_blocks[at(block)].resident;
  std::uint64_t there = resident | wanted;
  // From the smallest subtrees up: one that is dense enough fills, and so adds to the density of the larger ones.
  for (int size = 2; size <= m_pages; size *= 2)
    for (int first = 0; first < m_pages; first += size) {
      const std::uint64_t subtree = (size == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1) << first;
      if ((subtree & there & ~resident) == 0) continue;  // nothing of it is on the way
      if (static_cast<double>(__builtin_popcountll(there & subtree)) > m_threshold * size) there |= subtree;
    }
  return there & ~resident;
}

page_table::room page_table::make_room(std::int64_t block, const std::function<bool(std::int64_t)>& may_leave) {
  room out;
  block_state& b = m_blocks[at(block)];
  if (b.frame >= 0) {
    m_order.splice(m_order.end(), m_order, b.place);
    out.frame = b.frame;
    return out;
  }
  if (!m_free.empty()) {
    out.frame = m_free.back();
    m_free.pop_back();
  } else {
    for (auto i = m_order.begin(); i != m_order.end(); ++i) {
      if (!may_leave(*i)) continue;
      block_state& old = m_blocks[at(*i)];
      out = {old.frame, *i, old.resident};
      old.frame = -1;
      old.resident = 0;
      m_order.erase(i);
      break;
    }
    if (out.frame < 0) return out;
  }
  b.frame = out.frame;
  b.place = m_order.insert(m_order.end(), block);
  return out;
}

}  // namespace memwall
