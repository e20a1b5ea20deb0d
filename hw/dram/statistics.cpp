// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/statistics.h"

#include <fmt/format.h>

#include <algorithm>

namespace memwall::dram {

void clock_histogram::add(const clock_histogram& o, std::int64_t times) {
  if (o.m_count == 0) return;
  for (std::size_t i = 0; i < m_counts.size(); ++i) m_counts[i] += times * o.m_counts[i];
  m_count += times * o.m_count;
  m_sum += times * o.m_sum;
  m_max = std::max(m_max, o.m_max);
  m_min = std::min(m_min, o.m_min);
}

void clock_histogram::add_many(int bucket, std::int64_t count) {
  m_counts[static_cast<std::size_t>(bucket)] += count;
}

std::int64_t clock_histogram::quantile(double share) const {
  if (m_count == 0) return 0;
  const double wanted = share * static_cast<double>(m_count);
  std::int64_t seen = 0;
  for (int i = 0; i < buckets; ++i) {
    seen += m_counts[static_cast<std::size_t>(i)];
    if (seen > 0 && static_cast<double>(seen) >= wanted)
      return std::min(m_max, i + 1 < buckets ? lowest(i + 1) - 1 : m_max);
  }
  return m_max;
}

bool same_results(const statistics& a, const statistics& b) {
  return a.channels == b.channels && a.time == b.time && a.commands == b.commands && a.reads == b.reads &&
         a.writes == b.writes && a.bytes_read == b.bytes_read && a.bytes_written == b.bytes_written &&
         a.row_hits == b.row_hits && a.row_misses == b.row_misses && a.row_conflicts == b.row_conflicts &&
         a.data_clocks == b.data_clocks && a.active_clocks == b.active_clocks && a.read_latency == b.read_latency &&
         a.write_latency == b.write_latency && a.by_cause.part == b.by_cause.part;
}

std::vector<std::pair<stall, double>> bottlenecks(const statistics& s) {
  std::vector<std::pair<stall, double>> out;
  const ps_t lost = s.by_cause.sum() - s.by_cause[stall::dram_data];
  if (lost <= 0) return out;
  for (std::size_t i = 0; i < stall_count; ++i) {
    const auto cause = static_cast<stall>(i);
    if (cause != stall::dram_data && s.by_cause[cause] > 0)
      out.emplace_back(cause, static_cast<double>(s.by_cause[cause]) / static_cast<double>(lost));
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

namespace {
const char* plain_name(stall s) {
  switch (s) {
    case stall::dram_bank_group:
      return "tCCD_L";
    case stall::dram_activate:
      return "tRRD/tFAW";
    case stall::dram_refresh:
      return "refresh";
    case stall::dram_turnaround:
      return "read/write turnaround";
    case stall::dram_row_miss:
      return "row misses";
    case stall::dram_row_conflict:
      return "row conflicts";
    case stall::dram_latency:
      return "latency";
    case stall::dram_queue:
      return "command order";
    case stall::idle:
      return "arrival of requests";
    default:
      return stall_name(s);
  }
}
}  // namespace

std::string bottleneck_line(const statistics& s) {
  const double total = static_cast<double>(s.by_cause.sum());
  if (total <= 0) return "nothing happened";
  const double busy = 100.0 * static_cast<double>(s.by_cause[stall::dram_data]) / total;
  std::string causes;
  for (const auto& [cause, unused] : bottlenecks(s)) {
    const double share = 100.0 * static_cast<double>(s.by_cause[cause]) / total;
    if (share >= 0.05) causes += fmt::format("{}{} {:.1f} %", causes.empty() ? "" : ", ", plain_name(cause), share);
  }
  if (causes.empty()) return fmt::format("bound by the data bus: busy {:.1f} % of the time", busy);
  return fmt::format("data bus busy {:.1f} % of the time; the rest: {}", busy, causes);
}

}  // namespace memwall::dram
