// SPDX-License-Identifier: Apache-2.0
#include "hw/common/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace memwall {

ps_t latency_histogram::lower_bound(std::size_t index) {
  const std::size_t octave = index >> sub_bits;
  const std::size_t sub = index & ((1u << sub_bits) - 1);
  if (octave == 0) return static_cast<ps_t>(sub);
  return static_cast<ps_t>(((std::uint64_t{1} << sub_bits) + sub) << (octave - 1));
}

void latency_histogram::merge(const latency_histogram& o) {
  for (std::size_t i = 0; i < bin_count; ++i) m_bins[i] += o.m_bins[i];
  m_count += o.m_count;
  m_sum += o.m_sum;
  m_min = std::min(m_min, o.m_min);
  m_max = std::max(m_max, o.m_max);
}

ps_t latency_histogram::percentile(double q) const {
  if (m_count == 0) return 0;
  const double clamped = std::min(1.0, std::max(0.0, q));
  auto wanted = static_cast<std::uint64_t>(std::ceil(clamped * static_cast<double>(m_count)));
  wanted = std::max<std::uint64_t>(wanted, 1);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bin_count; ++i) {
    seen += m_bins[i];
    if (seen >= wanted) return std::max(m_min, std::min(m_max, i + 1 < bin_count ? lower_bound(i + 1) - 1 : m_max));
  }
  return m_max;
}

std::vector<histogram_bin> latency_histogram::bins() const {
  std::vector<histogram_bin> out;
  for (std::size_t i = 0; i + 1 < bin_count; ++i)
    if (m_bins[i] != 0) out.push_back({lower_bound(i), lower_bound(i + 1), m_bins[i]});
  return out;
}

latency_summary summarize(const latency_histogram& h) {
  return {h.count(),           h.mean(), h.min(), h.percentile(0.5), h.percentile(0.9), h.percentile(0.99),
          h.percentile(0.999), h.max()};
}

time_series::time_series(std::size_t buckets, ps_t first_width) : m_values(buckets, 0), m_width(first_width) {}

void time_series::grow(ps_t end) {
  const auto buckets = static_cast<ps_t>(m_values.size());
  while (end > buckets * m_width) {
    for (std::size_t i = 0; i < m_values.size(); ++i)
      m_values[i] = 2 * i + 1 < m_values.size() ? m_values[2 * i] + m_values[2 * i + 1]
                    : 2 * i < m_values.size()   ? m_values[2 * i]
                                                : 0;
    m_used = (m_used + 1) / 2;
    m_width *= 2;
  }
}

void time_series::add(ps_t begin, ps_t end, double amount) {
  grow(std::max(end, begin + 1));
  const auto first = static_cast<std::size_t>(begin / m_width);
  const auto last = end > begin ? static_cast<std::size_t>((end - 1) / m_width) : first;
  m_used = std::max(m_used, last + 1);
  // In whole grains, cut where their running sum says: however wide buckets are by now, merging them gives the same.
  const auto whole = std::llround(amount * grains);
  const double density = amount * grains / static_cast<double>(std::max<ps_t>(1, end - begin));
  std::int64_t so_far = 0;
  for (std::size_t i = first; i <= last; ++i) {
    const std::int64_t until =
        i == last ? whole : std::llround(density * static_cast<double>(static_cast<ps_t>(i + 1) * m_width - begin));
    m_values[i] += until - so_far;
    so_far = until;
  }
}

std::vector<double> time_series::values() const {
  std::vector<double> out;
  for (std::size_t i = 0; i < m_used; ++i) out.push_back(static_cast<double>(m_values[i]) / grains);
  return out;
}

double time_series::total() const {
  return static_cast<double>(std::accumulate(m_values.begin(), m_values.end(), std::int64_t{0})) / grains;
}

}  // namespace memwall
