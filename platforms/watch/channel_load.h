// SPDX-License-Identifier: Apache-2.0
// How busy the data bus of every channel of a memory was over a whole run, for the timeline.
#pragma once
#include <string>
#include <vector>

#include "hw/ports/systemc.h"
#include "platforms/build/hardware.h"
#include "platforms/watch/timeline.h"

namespace memwall::platforms {

/// Samples the data time of all channels every so often; the run's length is not known before, so that the interval
/// doubles when there are many samples. Differences of a cumulative count lose nothing, whatever the interval.
class channel_load {
 public:
  explicit channel_load(const hardware& memory) : m_memory(&memory) {}
  void sample() {
    if (now_ps() >= m_next) take();
  }
  /// Adds the counters, up to now: channels that differ by at most `alike` points at any time share one, their mean.
  void write(timeline_writer& to, int process);

 private:
  static constexpr std::size_t most_samples = 800, most_events = 24'000;
  static constexpr double alike = 2;
  void take();
  void halve();
  double percent(std::size_t sample, std::size_t channel) const;

  const hardware* m_memory;
  ps_t m_interval = 1'000'000, m_next = 0;
  std::vector<ps_t> m_times;
  std::vector<std::vector<ps_t>> m_data;  ///< by sample and channel: data time so far
};

/// "0-3,8": numbers in ascending order as ranges.
std::string ranges_text(const std::vector<int>& numbers);

}  // namespace memwall::platforms
