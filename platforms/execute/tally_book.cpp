// SPDX-License-Identifier: Apache-2.0
#include "platforms/execute/tally_book.h"

#include <cmath>
#include <iterator>

namespace memwall::platforms {

void tally_book::known::add(const tally_figures& more, double share, double of_bytes) {
  figures.resize(more.size());
  for (std::size_t i = 0; i < more.size(); ++i) figures[i] += share * more[i];
  bytes += of_bytes;
}

void tally_book::begin(std::size_t kind, bool simulated, std::int64_t bytes) {
  if (m_under_way == 0) close();
  if (simulated && !m_counting) {
    m_memory.count(m_before);
    m_counting = true;
  }
  const sort is{kind, static_cast<int>(std::lround(100 * std::log(static_cast<double>(bytes))))};
  m_orders.push_back({is, simulated, static_cast<double>(bytes)});
  if (!simulated) m_unseen[is] += static_cast<double>(bytes);
  ++m_under_way;
}

void tally_book::close() {
  if (m_counting) {
    m_memory.count(m_after);
    for (std::size_t i = 0; i < m_after.size(); ++i) m_after[i] -= m_before[i];
    double bytes = 0, simulated = 0;
    for (const order& o : m_orders) {
      bytes += o.bytes;
      if (o.simulated) simulated += o.bytes;
    }
    m_all.add(m_after, 1, simulated);
    if (simulated == bytes && bytes > 0)
      for (const order& o : m_orders) m_known[o.is].add(m_after, o.bytes / bytes, o.bytes);
    m_counting = false;
  }
  m_orders.clear();
}

const tally_book::known& tally_book::nearest(const sort& is) const {
  const auto above = m_known.lower_bound(is);
  const bool larger = above != m_known.end() && above->first.first == is.first;
  const bool smaller = above != m_known.begin() && std::prev(above)->first.first == is.first;
  if (!larger && !smaller) return m_all;
  if (!smaller) return above->second;
  const auto below = std::prev(above);
  return larger && above->first.second - is.second < is.second - below->first.second ? above->second : below->second;
}

void tally_book::finish() {
  close();
  if (m_unseen.empty() || m_all.bytes == 0) return;
  tally_figures all = m_all.figures;
  for (const auto& [is, bytes] : m_unseen) {
    const known& from = nearest(is);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] += from.figures[i] * (bytes / from.bytes);
  }
  m_memory.estimated(std::move(all));
}

}  // namespace memwall::platforms
