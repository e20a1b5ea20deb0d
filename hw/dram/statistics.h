// SPDX-License-Identifier: Apache-2.0
// What a memory counted: commands, rows, latencies, time by cause. Everything is an integer, so that replayed and
// simulated runs can be compared for equality.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hw/common/quantity.h"
#include "hw/common/stall.h"
#include "hw/dram/command.h"

namespace memwall::dram {

/// Latencies in clocks, from the queue to the last data beat. Exact up to 1023 clocks, 64 buckets a doubling above.
class clock_histogram {
 public:
  static constexpr int exact = 1024, steps = 64, buckets = exact + steps * 30;
  static constexpr int bucket_of(std::int64_t clocks) {
    if (clocks < exact) return clocks < 0 ? 0 : static_cast<int>(clocks);
    int doubling = 0;
    while (clocks >= 2 * exact && doubling < 29) clocks >>= 1, ++doubling;
    const std::int64_t step = (clocks - exact) / (exact / steps);
    return exact + doubling * steps + static_cast<int>(step < steps ? step : steps - 1);
  }
  /// Smallest latency that falls into a bucket.
  static constexpr std::int64_t lowest(int bucket) {
    if (bucket < exact) return bucket;
    const int doubling = (bucket - exact) / steps, step = (bucket - exact) % steps;
    return (std::int64_t{exact} + step * (exact / steps)) << doubling;
  }

  void add(std::int64_t clocks, std::int64_t times = 1) {
    m_counts[static_cast<std::size_t>(bucket_of(clocks))] += times;
    m_count += times;
    m_sum += times * clocks;
    if (clocks > m_max) m_max = clocks;
    if (clocks < m_min) m_min = clocks;
  }
  void add(const clock_histogram& o, std::int64_t times);
  /// Raises one bucket and nothing else; the caller adds count, sum and max with add_totals().
  void add_many(int bucket, std::int64_t count);
  void add_totals(std::int64_t count, std::int64_t sum, std::int64_t max, std::int64_t min) {
    m_count += count;
    m_sum += sum;
    if (max > m_max) m_max = max;
    if (min < m_min) m_min = min;
  }
  std::int64_t count() const { return m_count; }
  std::int64_t sum() const { return m_sum; }
  std::int64_t max() const { return m_max; }
  std::int64_t min() const { return m_count != 0 ? m_min : 0; }
  double mean() const { return m_count != 0 ? static_cast<double>(m_sum) / static_cast<double>(m_count) : 0.0; }
  /// Smallest latency that at least `share` (0..1) of the samples do not exceed (upper end of its bucket, at most
  /// max()).
  std::int64_t quantile(double share) const;
  const std::vector<std::int64_t>& counts() const { return m_counts; }
  friend bool operator==(const clock_histogram& a, const clock_histogram& b) {
    return a.m_counts == b.m_counts && a.m_sum == b.m_sum && a.m_max == b.m_max && a.m_count == b.m_count;
  }

 private:
  std::vector<std::int64_t> m_counts = std::vector<std::int64_t>(buckets);
  std::int64_t m_count = 0, m_sum = 0, m_max = 0, m_min = INT64_MAX;
};

/// Sums over all channels of a memory.
struct tally {
  int channels = 0;                                    ///< data buses: pseudo-channels behind one queue count one each
  std::int64_t tck_fs = 0;                             ///< clock period, to turn clocks into time
  ps_t time = 0;                                       ///< the moment up to which was counted
  std::array<std::int64_t, command_count> commands{};  ///< by command; the energy model multiplies these
  std::int64_t reads = 0, writes = 0;                  ///< bursts
  std::int64_t bytes_read = 0, bytes_written = 0;      ///< on the data bus: whole bursts
  std::int64_t row_hits = 0, row_misses = 0, row_conflicts = 0;  ///< bursts by the state they found their bank in
  std::int64_t data_clocks = 0;                                  ///< clocks with data on a bus, over all channels
  std::int64_t active_clocks =
      0;                 ///< clocks with at least one row open, over all channels and ranks: background energy
  stall_stack by_cause;  ///< sums to time x channels

  std::int64_t count(command c) const { return commands[static_cast<std::size_t>(c)]; }
};

/// With distributions, and what the host did.
struct statistics : tally {
  clock_histogram read_latency, write_latency;  ///< of bursts, see clock_histogram; pipeline latencies not included
  /// Replay. `lookups` - `hits` blocks were simulated although the replay was asked. Differs between replay on and off.
  struct replay_counts {
    std::int64_t lookups = 0, hits = 0, replayed_bursts = 0, simulated_bursts = 0, entries = 0, evicted = 0, bytes = 0;
    std::int64_t classes = 0;  ///< sets of channels in the same state, now
  } replay;

  /// Bytes on the data buses over time, in bytes a second.
  double bandwidth() const {
    return time > 0 ? static_cast<double>(bytes_read + bytes_written) / (static_cast<double>(time) * 1e-12) : 0;
  }
};

/// Everything that must not differ between replay on and off.
bool same_results(const statistics& a, const statistics& b);

/// Why the data bus was not busy: causes and their shares of the time in which it was not, largest first.
std::vector<std::pair<stall, double>> bottlenecks(const statistics& s);
/// One line: "bound by refresh 4.5 %, tCCD_L 1.2 % (data bus busy 94.1 %)".
std::string bottleneck_line(const statistics& s);

}  // namespace memwall::dram
