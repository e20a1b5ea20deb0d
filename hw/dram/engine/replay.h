// SPDX-License-Identifier: Apache-2.0
// Exact replay: what a channel did in a block of bursts, remembered by the channel's state in relative terms. Internal
// to hw/dram. A state is everything that decides the future, with times relative to the channel's clock and rows
// relative to the stream's row; a block leads from a state to a state. See README.md, "Classes and exact replay".
#pragma once
#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hw/dram/engine/channel.h"

namespace memwall::dram {

/// What is written down while a block is simulated. Clocks count from the block's start, bursts from the source's
/// position.
struct block_recorder {
  struct admission {
    std::int32_t clock;
    std::uint16_t order;  ///< column commands before it
    std::uint8_t source, bus;
  };
  struct service {
    std::int32_t done, offset;
    std::uint8_t source, bus;
  };
  struct booking {
    std::uint16_t order;  ///< the column command whose data it delays
    std::uint8_t bus, what;
    std::int32_t clocks;
  };
  clocks_t start = 0;
  std::vector<std::int64_t> positions;  ///< by source, at the start
  std::vector<admission> admissions;
  std::vector<service> services;
  std::vector<booking> bookings;
  std::vector<std::int32_t> latencies[2];  ///< of reads, writes
};

class replay_table {
 public:
  struct flow {
    std::uint8_t source = 0;
    std::int32_t admitted = 0, served = 0, lowest = 0, highest = 0;  ///< served bursts, relative to the position
    std::vector<std::int16_t> place;  ///< by burst from `lowest` on: index of its service, -1: not in this block
  };
  struct block {
    std::int32_t next = -1;  ///< state at its end
    std::int32_t duration = 0;
    bool refreshed = false;               ///< a refresh fell due inside: valid for one phase of the refresh timers only
    std::vector<std::int32_t> due;        ///< that phase: due times of the ranks, relative
    std::vector<std::int32_t> due_after;  ///< and how far they moved
    std::int64_t uses = 0;
    channel_counts counts;
    std::vector<std::pair<std::int32_t, std::int32_t>> latencies[2];  ///< bucket, count
    std::int64_t latency_sum[2] = {0, 0}, latency_max[2] = {0, 0}, latency_min[2] = {0, 0};
    std::vector<cause_clocks> by_cause;
    std::vector<flow> flows;
    std::vector<block_recorder::admission> admissions;
    std::vector<block_recorder::service> services;
    std::vector<block_recorder::booking> bookings;
  };
  struct state {
    std::vector<std::int32_t> words;
    std::vector<std::uint16_t>
        feed;  ///< sources that had bursts to give; 256 is added for writes, 512 where pace decides
    std::vector<std::int32_t> blocks;  ///< leaving this state
    std::int32_t queued = 0;
    bool seen = false;
  };

  explicit replay_table(std::size_t limit_bytes) : m_limit(limit_bytes) {}

  std::int32_t find_or_add(const std::vector<std::int32_t>& words, int queued, const std::vector<std::uint16_t>& feed);
  std::int32_t add_block(std::int32_t from, block b);
  state& at_state(std::int32_t i) { return m_states[static_cast<std::size_t>(i)]; }
  block& at_block(std::int32_t i) { return m_blocks[static_cast<std::size_t>(i)]; }

  /// A paced state that nobody has been in before. Where a pace meets refreshes in many phases, states come back late
  /// or not at all: blocks are worth recording for those that have.
  bool seen_first(std::int32_t i) {
    state& x = at_state(i);
    if (x.seen || std::none_of(x.feed.begin(), x.feed.end(), [](std::uint16_t f) { return (f & 512) != 0; }))
      return false;
    return x.seen = true;
  }

  bool full() const { return m_bytes > m_limit; }
  /// Forgets all states and blocks, keeps what they counted. Every channel has to leave_replay() before.
  void clear();
  /// Adds what the replayed blocks counted.
  void add_to(channel_counts& counts, clock_histogram latency[2], statistics::replay_counts& replay) const;

  std::vector<std::int32_t> scratch;
  std::int64_t lookups = 0, hits = 0, replayed = 0, simulated = 0;

 private:
  void fold();
  std::size_t m_limit, m_bytes = 0;
  std::vector<state> m_states;
  std::vector<block> m_blocks;
  std::unordered_multimap<std::uint64_t, std::int32_t> m_index;
  channel_counts m_counts;
  clock_histogram m_latency[2];
  std::int64_t m_evicted = 0;
};

}  // namespace memwall::dram
