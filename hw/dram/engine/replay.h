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

constexpr bool directions[] = {false, true};  ///< reads, writes
constexpr int times_longer = 8;               ///< of the blocks that long streams get
constexpr std::uint8_t stale_source = 255;    ///< of services whose request is told by another list

std::uint64_t hash_of(const std::vector<std::int32_t>& words);

/// What is written down while a block is simulated. Clocks count from the block's start, bursts from the source's
/// position.
struct block_recorder {
  struct admission {
    std::int32_t clock;
    std::uint16_t order;   ///< column commands before it
    std::uint16_t on_bus;  ///< those of them on its bus
    std::uint8_t source, bus;
  };
  struct service {
    std::int32_t done, offset;
    std::uint16_t on_bus;  ///< its place among those of its bus, from 1
    std::uint8_t source, bus;
  };
  struct stale_service {
    std::int16_t request, order;  ///< of the stale ones of the block's state; among the services
  };
  struct booking {
    std::uint16_t order;  ///< the column command whose data it delays
    std::uint8_t bus, what;
    std::int32_t clocks;
  };
  struct wanted_row {
    int bank;
    std::int64_t row, period;
  };
  struct bank_story {
    bool changed = false;     ///< its row was opened or closed
    std::int64_t period = 0;  ///< of the burst that its row was opened for last
  };
  struct rank_story {
    bool closed = false;  ///< all its rows at once
    int least_open = 0;   ///< rows that were open, before that
  };
  struct feed {
    std::int64_t at_hand;  ///< bursts that it can give
    bool gives, paced;
  };
  void clear() {
    turns = false;
    for (auto* v : {&latencies[0], &latencies[1]}) v->clear();
    wanted.clear();
    ranks.clear();
    positions.clear();
    feeds.clear();
    admissions.clear();
    services.clear();
    stale.clear();
    bookings.clear();
  }
  clocks_t start = 0;
  bool turns = false;              ///< the other direction had its turn
  std::int64_t most = 0;           ///< bursts that enter
  std::vector<wanted_row> wanted;  ///< by the bursts that entered
  std::vector<bank_story> banks;
  std::vector<rank_story> ranks;
  std::vector<std::int64_t> positions;  ///< by source, at the start
  std::vector<feed> feeds;              ///< by source, at the start
  std::vector<admission> admissions;
  std::vector<service> services;
  std::vector<std::uint16_t> served;  ///< by bus
  std::vector<stale_service> stale;
  std::vector<booking> bookings;
  std::vector<std::int32_t> latencies[2];  ///< of reads, writes
};

/// Bursts of one work that follow each other: where they lie in their periods, not in which.
struct replay_run {
  std::int32_t count = 0;
  std::int32_t reads = 0, writes = 0, place = 0;  ///< of a mix: its numbers, and the first burst's place in them
  bool write = false;
  struct part {
    std::int64_t phase = 0, stretch = 0;
    friend bool operator==(const part& a, const part& b) { return a.phase == b.phase && a.stretch == b.stretch; }
  } parts[2];  ///< of a mix: reads and writes
  bool same(const replay_run& o) const {
    return count == o.count && reads == o.reads && writes == o.writes && place == o.place && write == o.write &&
           parts[0] == o.parts[0] && parts[1] == o.parts[1];
  }
};

/// What a block asks of one source: the bursts that it lets enter, and what may wait behind them.
struct replay_feed {
  std::uint8_t source = 0;
  bool paced = false;         ///< its pace decides when they enter
  bool last = false;          ///< the burst that ends the block is its own: what follows does not matter
  bool write_behind = false;  ///< direction of the burst that waits behind them
  std::int32_t admitted = 0;
  std::size_t names_to = 0;  ///< of the block's names, its own end here
  std::vector<replay_run> runs;
};

/// A block: what happens from a state on, if the sources give these bursts, the banks that they want are open or not
/// like this, and refreshes fall due like that.
struct replay_block {
  /// Of the bursts [from, to] of a flow those that the block serves: what a work that has them is told. Works of the
  /// same sizes meet the same blocks, so it is kept.
  struct stretch {
    std::int32_t from, to;
    std::int32_t served, first, done;  ///< how many; data of the first and of the last one
    std::int32_t last;                 ///< the last one's place among the services; -1: none
    std::int32_t next;                 ///< another one that begins there
  };
  struct flow {
    std::uint8_t source = 0;
    std::int32_t admitted = 0, served = 0, lowest = 0, highest = 0;  ///< served bursts, relative to the position
    std::int32_t done = 0;            ///< the last data of those served; on several buses not those of the last command
    std::vector<std::int16_t> place;  ///< by burst from `lowest` on: index of its service, -1: not in this block
    std::vector<stretch> stretches;   ///< those asked for so far
    std::vector<std::int32_t> begins;  ///< by burst from `lowest` on: the first stretch from there
    stretch stretch_of(std::int32_t from, std::int32_t to, const std::vector<block_recorder::service>& services);
  };
  /// A row by name: the names of the state, then those of the block's bursts.
  struct named_row {
    std::int16_t name;
    std::int32_t offset;  ///< from the period's first row
  };
  /// What a bank that the bursts want, and that the state does not know, has to be like.
  struct look {
    enum class what : std::uint8_t { closed, open, other } is;  ///< open: the row named; other: none of those wanted
    std::int16_t seat, bank;  ///< a seat's place in the state, and the bank's place in the seat; here and below
    named_row row;
    std::int16_t from, to;  ///< other: of `wanted`
  };
  struct rank_look {
    std::int16_t rank;
    std::int16_t known;  ///< rows that are open for sure
    bool others;         ///< whether there are more
  };
  struct opened {
    std::int16_t seat, bank;
    named_row row;  ///< name -1: closed
  };
  struct named_burst {
    std::int16_t name;
    std::int32_t phase;  ///< in its period
  };
  /// What a request that was set aside has to be like where the block comes to it.
  struct aside {
    named_burst burst;
    std::uint8_t found;
    std::int8_t place;  ///< of its seat
    std::int64_t stretch;
  };
  /// A stale request of the next state.
  struct stale_after {
    std::int16_t before;  ///< which one of this state's it is; -1: none
    std::uint8_t source;  ///< of a new one, whose offset counts from the source's position, and arrival from the begin
    bool write, aside;
    std::uint8_t found;
    std::int32_t offset, arrival;
    named_burst burst;  ///< of a new one
  };
  /// Index of the n-th burst of a source among the admissions.
  std::size_t admission_of(int source, std::int64_t n) const {
    if (flows.size() == 1) return at(n);
    std::size_t i = 0;
    for (;; ++i)
      if (admissions[i].source == source && n-- == 0) return i;
  }
  std::int32_t next = -1;  ///< state at its end
  std::int32_t duration = 0;
  bool drains = false;                  ///< nothing comes behind its bursts until its end
  bool refreshed = false;               ///< a refresh fell due inside: valid for one phase of the refresh timers only
  std::vector<std::int32_t> due;        ///< that phase: due times of the ranks, relative
  std::vector<std::int32_t> due_after;  ///< and how far they moved
  std::vector<replay_feed> feeds;
  std::vector<std::int16_t> names;  ///< of the feeds' periods, in order
  std::vector<std::int8_t> places;  ///< of their seats
  std::vector<look> looks;
  std::vector<named_row> wanted;
  std::vector<rank_look> rank_looks;
  std::vector<std::int16_t> closed_ranks;  ///< all rows of these close, before
  std::vector<opened> rows;                ///< these are as they are at the end
  std::vector<std::int16_t> names_after;   ///< the next state's names
  bool names_stay = false;                 ///< those of this state
  std::vector<std::int8_t> seats_after;  ///< by a seat's place in the next state: its place in this one; none: the same
  std::int64_t uses = 0;                 ///< that counts() has seen
  std::int64_t uncounted = 0;            ///< since
  channel_counts counts;
  std::vector<std::pair<std::int32_t, std::int32_t>> latencies[2];  ///< bucket, count
  std::int64_t latency_sum[2] = {0, 0}, latency_max[2] = {0, 0}, latency_min[2] = {0, 0};
  std::vector<cause_clocks> by_cause;
  std::vector<flow> flows;
  std::vector<block_recorder::admission> admissions;
  std::vector<block_recorder::service> services;
  std::vector<block_recorder::booking> bookings;
  std::vector<block_recorder::stale_service> stale;
  std::vector<stale_after> stale_next;
  bool stale_stays = false;               ///< they are those of this state
  std::int64_t stale_served[2] = {0, 0};  ///< reads, writes
  std::vector<aside> asides;              ///< in order, where the block comes to them
};

/// What the words of a state say of a bank's row.
enum class row_known : std::uint8_t {
  rests,   ///< nothing: the bank's past has no effect, and whether a row is open does not matter until it is wanted
  open,    ///< a row that nobody in the queue wants
  closed,  ///< none
  named    ///< which one
};

class replay_table {
 public:
  using flow = replay_block::flow;
  using block = replay_block;
  struct state {
    std::vector<std::int32_t> words;
    std::vector<row_known> rows;        ///< by bank, in the order of seats
    std::vector<std::int8_t> alike;     ///< by a seat's place: the first place of which the state says the same
    std::uint64_t interchangeable = 0;  ///< places that are not alone in that
    std::vector<std::int32_t> blocks;   ///< leaving this state, those used last first
    struct refreshed_block {
      std::int32_t due, block;
    };
    std::vector<refreshed_block> refreshed;  ///< those in which a refresh falls due, with the first rank's due time
    std::int32_t latest_due = -1;            ///< of them
    std::int32_t queued = 0;
    bool paced = false;  ///< a source's pace is part of it
    bool seen = false;
    bool longer_tried = false;
    std::int32_t longer = -1;  ///< a block of many, applied where all of it is certain
    std::int64_t uses = 0;
  };

  replay_table(std::size_t limit_bytes, const channel_setup& setup)
      : m_limit(limit_bytes), m_seats_per_rank(at(std::max(1, setup.seats / setup.ranks))) {}

  /// The state that `scratch` and `rows` describe.
  std::int32_t find_or_add(int queued);
  std::int32_t add_block(std::int32_t from, block b, bool longer);
  state& at_state(std::int32_t i) { return m_states[static_cast<std::size_t>(i)]; }
  block& at_block(std::int32_t i) { return m_blocks[static_cast<std::size_t>(i)]; }

  /// A paced state that nobody has been in before. Where a pace meets refreshes in many phases, states come back late
  /// or not at all: blocks are worth recording for those that have.
  bool seen_first(std::int32_t i) {
    state& x = at_state(i);
    if (x.seen || !x.paced) return false;
    return x.seen = true;
  }

  bool full() const { return m_bytes > m_limit; }
  /// Forgets all states and blocks, keeps what they counted. Every channel has to leave_replay() before.
  void clear();
  /// Block `i` was replayed by so many channels.
  void applied(std::int32_t i, int members) {
    block& b = at_block(i);
    if (b.uncounted == 0) m_uncounted.push_back(i);
    b.uncounted += members;
  }
  /// What the replayed blocks counted.
  const channel_counts& counts();
  /// Adds the latencies of what was replayed.
  void add_to(clock_histogram latency[2], statistics::replay_counts& replay) const;

  // Where a block is written down, again and again.
  block_recorder recorder;
  channel::before_block was;
  channel::beside_state after;
  std::vector<std::int32_t> scratch;
  std::vector<row_known> rows;
  std::vector<std::size_t> seat_begins;  ///< in `scratch`, and the end
  std::uint64_t queued_seats = 0;        ///< places of those that the queue wants
  bool paced = false;
  std::int64_t lookups = 0, hits = 0, replayed = 0, simulated = 0;

 private:
  void fold();
  void find_alike(state& s) const;
  std::size_t m_limit, m_seats_per_rank, m_bytes = 0;
  std::vector<state> m_states;
  std::vector<block> m_blocks;
  std::unordered_multimap<std::uint64_t, std::int32_t> m_index;
  std::vector<std::int32_t> m_uncounted;  ///< blocks that were replayed since counts()
  channel_counts m_counts;
  clock_histogram m_latency[2];
  std::int64_t m_evicted = 0;
};

/// Periods of the next `count` bursts of a work; of a mix those of the reads, then those of the writes.
template <class Visit>
void channel::for_each_period(const work& w, std::int64_t from, std::int64_t count, Visit&& visit) const {
  const auto stretch = [&](std::int64_t first, std::int64_t n) {
    if (n == 0) return;
    for (std::int64_t k = m_setup.period_of(first), last = m_setup.period_of(first + n - 1); k <= last; ++k) visit(k);
  };
  if (!w.mixed()) return stretch(from, count);
  for (const bool write : directions) {
    const std::int64_t begin = w.share(write, from);
    stretch((write ? w.write_from : w.read_from) + begin, w.share(write, from + count) - begin);
  }
}

}  // namespace memwall::dram
