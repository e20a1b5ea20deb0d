// SPDX-License-Identifier: Apache-2.0
#include "platforms/watch/channel_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace memwall::platforms {

std::string ranges_text(const std::vector<int>& numbers) {
  std::string out;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    out += out.empty() ? "" : ",";
    out += last == i ? fmt::format("{}", numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[last]);
    i = last + 1;
  }
  return out;
}

void channel_load::take() {
  const ps_t now = now_ps();
  std::vector<ps_t> data;
  m_memory->data_time(data);
  // A beat under way may have counted as done while its block was replayed: the count never falls.
  if (!m_data.empty())
    for (std::size_t c = 0; c < data.size(); ++c) data[c] = std::max(data[c], m_data.back()[c]);
  m_times.push_back(now);
  m_data.push_back(std::move(data));
  if (m_times.size() >= most_samples) halve();
  m_next = now + m_interval;
}

void channel_load::halve() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < m_times.size(); ++i) {
    if (i % 2 != 0 && i + 1 != m_times.size()) continue;
    m_times[kept] = m_times[i];
    if (kept != i) m_data[kept] = std::move(m_data[i]);
    ++kept;
  }
  m_times.resize(kept);
  m_data.resize(kept);
  m_interval *= 2;
}

double channel_load::percent(std::size_t sample, std::size_t channel) const {
  const auto time = static_cast<double>(m_times[sample + 1] - m_times[sample]);
  return 100 * static_cast<double>(m_data[sample + 1][channel] - m_data[sample][channel]) / time;
}

void channel_load::write(timeline_writer& to, int process) {
  if (m_times.empty()) return;
  if (now_ps() > m_times.back()) take();
  const std::size_t channels = m_data.front().size();
  std::vector<std::vector<int>> groups;
  const auto join = [&](int channel) {
    for (auto& g : groups) {
      bool same = true;
      for (std::size_t i = 0; same && i + 1 < m_times.size(); ++i)
        same = std::abs(percent(i, static_cast<std::size_t>(channel)) -
                        percent(i, static_cast<std::size_t>(g.front()))) <= alike;
      if (!same) continue;
      g.push_back(channel);
      return;
    }
    groups.push_back({channel});
  };
  for (std::size_t c = 0; c < channels; ++c) join(static_cast<int>(c));
  while (m_times.size() > 50 && groups.size() * m_times.size() > most_events) halve();
  for (const auto& g : groups) {
    std::string name = fmt::format("channel{} {} data bus", g.size() > 1 ? "s" : "", ranges_text(g));
    double shown = -1, ahead = 0;
    for (std::size_t i = 0; i + 1 < m_times.size(); ++i) {
      double sum = 0;
      for (const int c : g) sum += percent(i, static_cast<std::size_t>(c));
      // A block that is replayed counts as soon as it is over, the beats that follow it included: no bus moves more
      // than 100 %.
      const auto time = static_cast<double>(m_times[i + 1] - m_times[i]);
      const double counted = sum / static_cast<double>(g.size()) + ahead / time;
      const double value = std::round(1e4 * std::min(100.0, counted)) / 1e4;
      ahead = (counted - value) * time;
      if (value == shown) continue;
      to.counter(process, name, m_times[i], {{"busy %", value}});
      shown = value;
    }
    to.counter(process, name, m_times.back(), {{"busy %", 0.0}});
  }
}

}  // namespace memwall::platforms
