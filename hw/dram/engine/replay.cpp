// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/engine/replay.h"

#include <algorithm>
#include <utility>

namespace memwall::dram {

std::uint64_t hash_of(const std::vector<std::int32_t>& words) {
  std::uint64_t h = 0x9E3779B97F4A7C15ull;
  for (const std::int32_t w : words) {
    h ^= static_cast<std::uint32_t>(w);
    h *= 0xBF58476D1CE4E5B9ull;
    h ^= h >> 29;
  }
  return h;
}

replay_block::stretch replay_block::flow::stretch_of(std::int32_t from, std::int32_t to,
                                                     const std::vector<block_recorder::service>& services) {
  constexpr std::size_t most = 256;  // blocks are many
  const std::size_t at_from = at(from - lowest);
  if (!begins.empty())
    for (std::int32_t k = begins[at_from]; k >= 0; k = stretches[at(k)].next)
      if (stretches[at(k)].to == to) return stretches[at(k)];
  stretch out{from, to, 0, INT32_MAX, INT32_MIN, -1, -1};
  for (std::int32_t o = from; o <= to; ++o) {
    const int k = place[at(o - lowest)];
    if (k < 0) continue;
    ++out.served;
    out.first = std::min(out.first, services[at(k)].done);
    out.done = std::max(out.done, services[at(k)].done);
    out.last = std::max(out.last, k);
  }
  if (to - from < 2 || stretches.size() >= most) return out;
  if (begins.empty()) begins.assign(place.size(), -1);
  out.next = std::exchange(begins[at_from], static_cast<std::int32_t>(stretches.size()));
  stretches.push_back(out);
  return out;
}

std::int32_t replay_table::find_or_add(int queued) {
  const auto& words = scratch;
  const std::uint64_t h = hash_of(words);
  const auto range = m_index.equal_range(h);
  for (auto it = range.first; it != range.second; ++it)
    if (at_state(it->second).words == words) return it->second;
  const auto i = static_cast<std::int32_t>(m_states.size());
  state s;
  s.words = words;
  s.rows = rows;
  find_alike(s);
  s.paced = paced;
  s.queued = queued;
  m_bytes += sizeof(state) + words.size() * sizeof(std::int32_t) + rows.size() + s.alike.size() + 64;
  m_states.push_back(std::move(s));
  m_index.emplace(h, i);
  return i;
}

/// Seats of a rank that the queue does not want, and of which the state says the same, are as good as each other.
void replay_table::find_alike(state& s) const {
  const std::size_t seats = seat_begins.size() - 1;
  const auto word = [&](std::size_t seat) { return scratch.begin() + static_cast<std::ptrdiff_t>(seat_begins[seat]); };
  for (std::size_t i = 0; i < seats; ++i) {
    s.alike.push_back(static_cast<std::int8_t>(i));
    for (std::size_t k = i / m_seats_per_rank * m_seats_per_rank; k < i; ++k) {
      if ((queued_seats >> i & 1) != 0 || (queued_seats >> k & 1) != 0 ||
          !std::equal(word(i), word(i + 1), word(k), word(k + 1)))
        continue;
      s.alike.back() = static_cast<std::int8_t>(k);
      s.interchangeable |= std::uint64_t{1} << i | std::uint64_t{1} << k;
      break;
    }
  }
}

std::int32_t replay_table::add_block(std::int32_t from, block b, bool longer) {
  const auto i = static_cast<std::int32_t>(m_blocks.size());
  m_bytes += sizeof(block) + b.admissions.size() * sizeof(block_recorder::admission) +
             b.services.size() * sizeof(block_recorder::service) + b.bookings.size() * sizeof(block_recorder::booking) +
             (b.latencies[0].size() + b.latencies[1].size()) * 8 + b.by_cause.size() * sizeof(cause_clocks) +
             b.flows.size() * sizeof(flow) + b.looks.size() * sizeof(replay_block::look) +
             b.wanted.size() * sizeof(replay_block::named_row) + b.rows.size() * sizeof(replay_block::opened) +
             b.stale.size() * sizeof(block_recorder::stale_service) +
             b.stale_next.size() * sizeof(replay_block::stale_after) + b.asides.size() * sizeof(replay_block::aside) +
             160;
  m_bytes += b.places.size() + b.seats_after.size();
  for (const replay_feed& f : b.feeds) m_bytes += sizeof(replay_feed) + f.runs.size() * sizeof(replay_run);
  for (const flow& f : b.flows) m_bytes += f.place.size() * sizeof(std::int16_t);
  m_blocks.push_back(std::move(b));
  state& s = at_state(from);
  if (longer) {
    s.longer = i;
  } else if (const block& added = at_block(i); added.refreshed) {
    s.refreshed.push_back({added.due.front(), i});
    s.latest_due = std::max(s.latest_due, added.due.front());
  } else {
    s.blocks.push_back(i);
  }
  return i;
}

const channel_counts& replay_table::counts() {
  for (const std::int32_t i : m_uncounted) {
    block& b = at_block(i);
    m_counts.add(b.counts, b.uncounted);
    b.uses += std::exchange(b.uncounted, 0);
  }
  m_uncounted.clear();
  return m_counts;
}

void replay_table::fold() {
  counts();
  statistics::replay_counts unused;
  clock_histogram latency[2];
  add_to(latency, unused);
  for (int k = 0; k < 2; ++k) m_latency[k] = latency[k];
}

void replay_table::clear() {
  fold();
  m_evicted += static_cast<std::int64_t>(m_blocks.size());
  m_states.clear();
  m_blocks.clear();
  m_index.clear();
  m_bytes = 0;
}

void replay_table::add_to(clock_histogram latency[2], statistics::replay_counts& replay) const {
  for (int k = 0; k < 2; ++k) latency[k].add(m_latency[k], 1);
  for (const block& b : m_blocks) {
    if (b.uses == 0) continue;
    for (int k = 0; k < 2; ++k) {
      for (const auto& [bucket, n] : b.latencies[k]) latency[k].add_many(bucket, n * b.uses);
      const std::int64_t told = b.counts.bursts[k] - b.stale_served[k];
      if (told > 0) latency[k].add_totals(told * b.uses, b.latency_sum[k] * b.uses, b.latency_max[k], b.latency_min[k]);
    }
  }
  replay.lookups = lookups;
  replay.hits = hits;
  replay.replayed_bursts = replayed;
  replay.simulated_bursts = simulated;
  replay.entries = static_cast<std::int64_t>(m_blocks.size());
  replay.evicted = m_evicted;
  replay.bytes = static_cast<std::int64_t>(m_bytes);
}

}  // namespace memwall::dram
