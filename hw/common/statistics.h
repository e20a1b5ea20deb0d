// SPDX-License-Identifier: Apache-2.0
// Measurements that cost little and keep little: a log-linear histogram and a bucketed series over time.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "hw/common/quantity.h"

namespace memwall {

/// One filled bin of a histogram: low <= value < high.
struct histogram_bin {
  ps_t low = 0, high = 0;
  std::uint64_t count = 0;
};

/// Histogram of times with 16 bins an octave (a bin is at most 1/16 of its value wide; exact below 16 ps).
/// Times in ps, >= 0.
class latency_histogram {
 public:
  void add(ps_t value, std::uint64_t count = 1) {
    if (value < 0) value = 0;
    m_bins[index(value)] += count;
    m_count += count;
    m_sum += static_cast<double>(value) * static_cast<double>(count);
    if (value > m_max) m_max = value;
    if (value < m_min) m_min = value;
  }
  void merge(const latency_histogram& o);
  std::uint64_t count() const { return m_count; }
  double mean() const { return m_count == 0 ? 0 : m_sum / static_cast<double>(m_count); }
  ps_t min() const { return m_count == 0 ? 0 : m_min; }
  ps_t max() const { return m_max; }
  /// Smallest bin bound below which a fraction `q` (0..1) of the values lie; min() and max() are exact.
  ps_t percentile(double q) const;
  std::vector<histogram_bin> bins() const;  ///< the filled ones

 private:
  static constexpr int sub_bits = 4;
  static constexpr std::size_t bin_count = (std::size_t{64} - sub_bits) << sub_bits;
  static std::size_t index(ps_t value) {
    const auto v = static_cast<std::uint64_t>(value);
    if (v < (1u << sub_bits)) return static_cast<std::size_t>(v);
    const int top = 63 - __builtin_clzll(v);
    return (static_cast<std::size_t>(top - sub_bits + 1) << sub_bits) +
           ((v >> (top - sub_bits)) & ((1u << sub_bits) - 1));
  }
  static ps_t lower_bound(std::size_t index);

  std::array<std::uint64_t, bin_count> m_bins{};
  std::uint64_t m_count = 0;
  double m_sum = 0;
  ps_t m_min = never, m_max = 0;
};

/// What a report says of a distribution of times, in picoseconds.
struct latency_summary {
  std::uint64_t count = 0;
  double mean_ps = 0;
  ps_t min_ps = 0, p50_ps = 0, p90_ps = 0, p99_ps = 0, p999_ps = 0, max_ps = 0;
};
latency_summary summarize(const latency_histogram& h);

/// An amount (busy time, bytes) over simulated time in a fixed number of buckets; when time outgrows them,
/// neighbours are merged and the buckets get twice as wide. Independent of the order of additions.
class time_series {
 public:
  explicit time_series(std::size_t buckets = 512, ps_t first_width = 1000);
  /// Spreads `amount` evenly over [begin, end); begin == end: all into the bucket of begin.
  void add(ps_t begin, ps_t end, double amount);
  ps_t bucket_width() const { return m_width; }
  /// Amount a bucket, up to the last one touched.
  std::vector<double> values() const;
  double total() const;

 private:
  void grow(ps_t end);
  static constexpr double grains = 4096;  // of one unit, in which values are kept
  std::vector<std::int64_t> m_values;
  std::size_t m_used = 0;
  ps_t m_width;
};

}  // namespace memwall
