// SPDX-License-Identifier: Apache-2.0
// One channel: an event-driven engine that issues every command at the earliest clock that all constraints allow.
// Times are clocks of the channel; an idle clock costs nothing. What channels of a memory share is in channel_setup.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "hw/dram/command.h"
#include "hw/dram/engine/candidates.h"
#include "hw/dram/engine/channel_setup.h"
#include "hw/dram/engine/front_end.h"
#include "hw/dram/engine/page_policy.h"
#include "hw/dram/engine/queues.h"
#include "hw/dram/engine/refresh.h"
#include "hw/dram/engine/scheduler.h"
#include "hw/dram/statistics.h"

namespace memwall::dram {

/// Why the data bus of a channel is or is not busy.
enum class cause : std::uint8_t {
  idle,
  data,
  latency,
  order,
  row_miss,
  row_conflict,
  bank_group,
  activate,
  refresh,
  turnaround,
  count_
};
constexpr std::size_t cause_count = static_cast<std::size_t>(cause::count_);
using cause_clocks = std::array<clocks_t, cause_count>;

/// The bursts that one transfer wants of one channel, in order: consecutive ones, or a mix of two streams.
struct work_order {
  std::int64_t next = 0, end = 0;  ///< still to enter the queue: [next, end); local bursts, of a mix numbers
  std::int32_t transfer = -1;      ///< the memory's index
  bool write = false;              ///< of a mix: the next one's direction
  // A mix: of every reads + writes bursts the first `reads` read on, the others write on.
  std::int32_t reads = 0, writes = 0;
  std::int64_t read_from = 0, write_from = 0;
  bool mixed() const { return reads != 0; }
  bool write_at(std::int64_t i) const { return mixed() ? i % (reads + writes) >= reads : write; }
  std::int64_t burst_at(std::int64_t i) const {
    if (!mixed()) return i;
    const std::int64_t group = i / (reads + writes), place = i % (reads + writes);
    return place < reads ? read_from + group * reads + place : write_from + group * writes + place - reads;
  }
  /// Bursts of a direction among the first i of a mix.
  std::int64_t share(bool writing, std::int64_t i) const {
    const std::int64_t group = i / (reads + writes), place = i % (reads + writes);
    return writing ? group * writes + std::max<std::int64_t>(0, place - reads)
                   : group * reads + std::min<std::int64_t>(place, reads);
  }
  std::int64_t sequence = 0;               ///< of the transfer
  clocks_t arrival = 0;                    ///< no burst enters before
  clocks_t start = 0;                      ///< with a pace: the clock before its begin,
  std::int64_t start_fs = 0, pace_fs = 0;  ///< and femtoseconds from there; see ready_clock()
  std::int64_t last_paced = 0;             ///< pace: index of the transfer's last burst
};

/// One that a channel has.
struct work : work_order {
  bool reported = false;   ///< handed to finished() ahead of the channel's own time (replay)
  std::int32_t link = -1;  ///< next work of the same source
  std::int64_t count = 0, remaining = 0;
  std::int64_t position = 0;  ///< bursts of its source pushed to this channel up to its end
  std::int64_t begin() const { return position - count; }  ///< its bursts are begin() .. position - 1 of the source's
  clocks_t entered = -1;                                   ///< first burst entered the queue
  clocks_t first_done = no_time, done = 0;
  cause_clocks before{};  ///< time by cause when the first burst entered
};

/// A work whose last burst is done.
struct finished_work {
  std::int32_t transfer = -1;
  int channel = 0;  ///< the one that was simulated; those like it finished alike
  clocks_t entered = 0, first_done = 0, done = 0;
  cause_clocks parts{};  ///< sums to done - entered; `order` holds the time behind others
};

class replay_table;
struct block_recorder;
struct replay_block;
struct replay_feed;
struct replay_run;
enum class row_known : std::uint8_t;

/// Counters of one channel; sums of deltas, so that replay can add them in one go.
struct channel_counts {
  std::array<std::int64_t, command_count> commands{};
  std::int64_t bursts[2] = {0, 0};  ///< reads, writes
  std::int64_t row_hits = 0, row_misses = 0, row_conflicts = 0;
  std::int64_t active = 0;  ///< clocks x ranks with an open row
  channel_counts& operator+=(const channel_counts& o) { return add(o, 1); }
  channel_counts& add(const channel_counts& o, std::int64_t times) {
    for (std::size_t i = 0; i < command_count; ++i) commands[i] += times * o.commands[i];
    for (int i = 0; i < 2; ++i) bursts[i] += times * o.bursts[i];
    row_hits += times * o.row_hits;
    row_misses += times * o.row_misses;
    row_conflicts += times * o.row_conflicts;
    active += times * o.active;
    return *this;
  }
};

/// Channels in the same state with the same work do the same: one engine stands for all of them (channel_set.h).
class channel {
 public:
  /// `table`: shared by the channels of a memory; nullptr: no replay.
  /// `latency`: of reads and of writes, where all channels of a memory add theirs.
  channel(const channel_setup& setup, int index, replay_table* table, clock_histogram* latency);
  /// The engine as that of channel `index`, for `members` channels, of which it is the first.
  void stand_for(int index, int members) {
    m_index = index;
    m_members = members;
  }
  int members() const { return m_members; }

  /// The fields of the state that decide the future, but for the queue, the sources and when refreshes are due.
  void visit(state_visitor& v);

  /// An idle channel whose last commands no longer matter at `now`, but for those of a refresh.
  bool settled(clocks_t now) const { return !busy() && s.cursor + m_setup.longest <= now; }
  /// Everything that decides a settled channel's future, in words; two channels with the same words have the same
  /// future. False: it is not settled, or does not fit into words.
  bool settle(clocks_t now, std::vector<std::int32_t>& words);
  /// Moves what was counted so far, `times` over, out of here. Idle and settled channels only.
  void take_counts(channel_counts& counts, std::vector<cause_clocks>& by_cause, std::int64_t times);
  /// Works that are not finished, in order: visit(index, work).
  template <class Visit>
  void for_each_open(Visit&& visit) const {
    for (const source_state& q : s.sources)
      for (std::int32_t i = q.oldest; i >= 0; i = m_pool[at(i)].link)
        if (const work& w = m_pool[at(i)]; w.remaining > 0 && !w.reported) visit(i, w);
  }

  /// Appends work of a source (dense number given by the memory).
  int push(int source, const work_order& order);
  /// Issues everything that happens before clock `limit`. With `to_the_end`, refreshes too when nothing waits.
  void advance(clocks_t limit, bool to_the_end = false);
  bool busy() const { return m_works != 0; }
  /// advance(limit) would do nothing.
  bool quiet(clocks_t limit) const { return limit <= m_quiet; }
  /// No command of the channel comes before this clock, unless work is pushed.
  clocks_t next_event();
  /// Lower bound of the next completion of any work, unless work is pushed.
  clocks_t next_completion();
  /// Lower bound of the completion of one work (an index that push() gave), unless work is pushed.
  clocks_t completion_bound(int source, int i);
  /// The same, weaker and cheaper.
  clocks_t rough_bound(int source, int i) const {
    const work& w = m_pool[at(i)];
    const std::int64_t ahead =
        w.position - s.sources[at(source)].admitted - static_cast<std::int64_t>(s.entries.size());
    const std::int64_t bursts = w.remaining - 1 > ahead ? w.remaining - 1 : ahead;
    return s.cursor + bursts / m_setup.buses * m_setup.least_gap;
  }
  clocks_t now() const { return s.cursor; }

  std::vector<finished_work>& finished() { return m_finished; }
  /// Time by cause of one data bus up to clock `now` (sums to it), counters.
  cause_clocks causes(int bus, clocks_t now) const;
  /// Clocks with data on its buses before clock `now`, all buses together; up to `now` also inside a block that is
  /// replayed.
  clocks_t data_clocks(clocks_t now) const;
  const channel_counts& counts() const { return m_counts; }
  clocks_t active_clocks(clocks_t now) const;
  int index() const { return m_index; }
  void listen(command_listener* l);
  /// More work may be pushed that arrives at any time: while nothing waits to enter the queue, time stands still.
  void expect_more(bool on);
  /// Whether finished works carry their time by cause.
  void attribute(bool on) {
    m_attribute = on;
    m_looked = false;
  }
  /// Leaves the replay table: afterwards nothing refers to it.
  void leave_replay();

  /// Work `i` is that of the transfer with this sequence, and not finished.
  bool open(int i, std::int64_t sequence) const {
    if (static_cast<std::size_t>(i) >= m_pool.size()) return false;
    const work& w = m_pool[at(i)];
    return w.sequence == sequence && w.remaining > 0 && !w.reported;
  }

 private:
  friend class replay_table;
  using entry = request_entry;
  struct bank_state {
    clocks_t t[slot_count];
    std::int64_t row;
    clocks_t acted, act_ready, used;
    std::int16_t head[2], tail[2], candidate, owner;
    std::uint8_t kind;  ///< of the candidate's next command
    bool blocked;
  };
  struct group_state {
    clocks_t t[slot_count];
  };
  struct rank_state {
    clocks_t t[slot_count];
    clocks_t faw[4];
    clocks_t due;                       ///< next refresh
    clocks_t blocked_from, blocked_to;  ///< last refresh: from its due time until banks are free again
    clocks_t open_since, closed_at;
    int faw_at, open, debt, requests, owners;
    bool pending;
  };
  struct bus_state {
    clocks_t covered;  ///< causes are known up to here: end of the last data beat
    int last_rank;
    bool last_write;
    cause_clocks by_cause;
  };
  struct source_state {
    std::int32_t head = -1, tail = -1;      ///< works that have bursts still to enter
    std::int32_t oldest = -1;               ///< first work that is not finished
    std::int64_t pushed = 0, admitted = 0;  ///< bursts
  };
  /// Everything that decides what happens next.
  struct state {
    clocks_t cursor = 0;
    clocks_t bus_free[2] = {0, 0};  ///< row, column commands; the same one without a dual bus
    std::vector<bank_state> banks;
    candidates waiting{0, 0};  ///< banks with a candidate, see choose()
    std::vector<group_state> groups;
    std::vector<rank_state> ranks;
    std::vector<bus_state> buses;
    std::vector<entry> entries;
    std::vector<std::uint64_t> timed;  ///< bit a bank: open, unused, to be closed by time
    std::vector<source_state> sources;
    std::int64_t next_age = 0;
    std::int16_t free = -1;
    int turn = 0;  ///< source to be asked first
    std::int16_t urgent = -1;
    int since_check = 0;
    bool write_mode = false;
    int pending_ranks = 0;
    clocks_t next_due = no_time;
    policy_of_channel<scheduler> order;
    policy_of_channel<page_policy> pages;
    policy_of_channel<refresh_policy> refresh;
    policy_of_channel<queue_organisation> queues;
    policy_of_channel<front_end> front;
    int queued() const { return queues->waiting(false) + queues->waiting(true); }
  };

  bool skip_idle(clocks_t until);
  bool rest(clocks_t now, std::vector<std::int32_t>& words, bool shortly);
  bool is_past_of(const bank_state& b, clocks_t since, clocks_t now) const;
  void scan();
  bool may_go(int b, std::int16_t first) const;
  void scan_timed(const clocks_t* bus, clocks_t& best, std::int64_t& best_age);
  void consider_refresh(int rank, clocks_t& best, std::int64_t& best_age);
  void find_admission();
  void admit();
  void refresh_due();
  void block_banks(int rank);
  bool held_for_refresh(int b) const;
  void issue();
  void issue_act(int b, clocks_t t);
  void issue_pre(int b, clocks_t t);
  void issue_column(int b, clocks_t t);
  void issue_refresh(int rank, clocks_t t);
  void close_bank(int b, clocks_t t);
  /// `from`: see bank_requests.
  void pick(int b) { pick(b, s.banks[at(b)].head[current_list()]); }
  void pick(int b, std::int16_t from);
  /// Request `e` is what bank `b` works for, with a command of this kind. Again whenever the bank's time for it
  /// changes.
  void choose(int b, std::int16_t e, std::uint8_t kind) {
    bank_state& bank = s.banks[at(b)];
    const entry& request = s.entries[at(e)];
    const auto& place = m_setup.place[static_cast<std::size_t>(b)];
    bank.candidate = e;
    bank.kind = kind;
    const clocks_t own = later(bank.t[kind], request.arrival + m_setup.ready_after[kind]);
    const clocks_t t = later(own, s.groups[static_cast<std::size_t>(place.group)].t[kind]);
    s.waiting.set(b, place.rank, kind, t - m_setup.lead[kind], request.age);
  }
  /// The other banks of the group of bank `b`, which is chosen for anew, have to wait with commands of this kind.
  void postpone(int b, slot kind) {
    const auto& place = m_setup.place[static_cast<std::size_t>(b)];
    const int n = m_setup.org.banks_per_group;
    s.waiting.postpone(place.rank, kind, place.group * n, n,
                       s.groups[static_cast<std::size_t>(place.group)].t[kind] - m_setup.lead[kind], b);
  }
  void set_mode();
  void check_age();
  void account(const entry& e, const bank_state& b, clocks_t t, clocks_t from);
  void finish(work& w, int bus);
  void unlink(int e);
  bool simulate(clocks_t limit, bool to_the_end, bool stop_at_blocks);
  bool nothing_waits() const {
    return std::none_of(s.sources.begin(), s.sources.end(), [](const source_state& q) { return q.head >= 0; });
  }
  void release(source_state& q);
  /// From a column command to its data, of the work's bursts at least.
  int latency_of(const work& w) const {
    return w.mixed() ? std::min(m_setup.t.CL, m_setup.t.CWL) : w.write ? m_setup.t.CWL : m_setup.t.CL;
  }
  finished_work finished_of(const work& w, const cause_clocks& by_cause) const;

  // Replay (channel_replay.cpp).
  bool at_block_boundary() const;
  std::int64_t most_admissions() const;
  bool paces() const;
  std::int64_t step_of(const work& w) const;
  std::int64_t needed(const source_state& q) const;
  std::int64_t available(const source_state& q, std::int64_t wanted) const;
  std::int64_t wanted_bursts() const;
  std::int64_t until_ready_fs(const work& w) const;
  std::int64_t paced_left(const work& w) const;
  std::int64_t ready_now(const work& w) const;
  bool keeps_pace(const work& w) const;
  bool regular() const;
  bool normalise(bool recorded);
  /// A bank of the seat at this place, and the place of a bank's seat.
  int bank_of(int place, int bank) const {
    return m_setup.banks_of_seat[at(m_seats[at(place)] * m_setup.banks_per_seat + bank)];
  }
  std::int16_t place_of(int bank) const { return m_seat_place[at(m_setup.seat_of_bank[at(bank)])]; }
  void book_idle(const std::int16_t* queue, int queued);
  void order_seats(const std::int16_t* queue, int queued);
  void set_seat(int place, std::int16_t seat) {
    m_seats[at(place)] = seat;
    m_seat_place[at(seat)] = static_cast<std::int16_t>(place);
  }
  bool takes_seat(std::int64_t period, int place);
  row_known write_row(state_visitor& v, int b);
  row_known read_row(state_visitor& v, bank_state& bank);
  bool rests(const bank_state& b, clocks_t since, clocks_t now) const;
  bool is_stale(const entry& e) const;
  bool is_aside(std::int16_t i) const;
  bool wanted_by_queue(const bank_state& b) const;
  bool aside_fits(const replay_block& b);
  clocks_t seen_since(clocks_t now, std::size_t rank) const;
  bool expires(clocks_t until) const;
  void materialise();
  bool enter_replay();
  enum class fit : std::uint8_t { no, part, whole };
  fit find_block(clocks_t limit);
  bool deserves_longer(clocks_t limit) const;
  fit try_block(const replay_block& b);
  bool flows_on(const replay_block& b, const replay_feed& f, std::size_t name);
  fit try_feed(const replay_block& b, const replay_feed& f, std::size_t& name);
  bool rows_fit(const replay_block& b) const;
  std::int64_t row_of(std::int16_t name, std::int32_t offset) const {
    return m_setup.row_of_period(m_names[at(name)]) + offset;
  }
  replay_run run_at(const work& w, std::int64_t from, std::int64_t count) const;
  bool in_stretches(const work& w, std::int64_t from, std::int64_t count) const;
  template <class Visit>
  void for_each_period(const work& w, std::int64_t from, std::int64_t count, Visit&& visit) const;
  enum class extent : std::uint8_t { usual, longer, all };  ///< of a block; all: until nothing is left to do
  void record_block(extent reach);
  bool drains() const;
  bool describe_feed(replay_block& b, replay_feed& f);
  void describe_asides(replay_block& b, block_recorder& rec);
  void describe_rows(replay_block& b, const block_recorder& rec, const std::vector<std::int64_t>& rows_after);
  clocks_t valid_until() const { return m_recheck ? s.cursor : m_valid; }
  void apply_block();
  void apply_rows(const replay_block& b);
  void apply_stale(const replay_block& b);
  void look_ahead(clocks_t limit);
  bool follow(int source, work& w, cause_clocks& at_end);
  int follow_stale(int source, work& w) const;
  cause_clocks causes_at(int bus, int order, clocks_t on_bus) const;
  void flush_active();
  clocks_t replay_bound(int source, const work& w);
  clocks_t ready_clock(const work& w) const;
  void show_until(clocks_t clock);
  void emit(command c, clocks_t t, int rank, int b, std::int64_t row = -1, int column = -1) {
    ++m_counts.commands[static_cast<std::size_t>(c)];
    if (m_listener != nullptr) tell(c, t, rank, b, row, column);
  }
  void tell(command c, clocks_t t, int rank, int b, std::int64_t row, int column);
  std::int16_t oldest_waiting() const;
  int list_of(bool write) const { return m_setup.unified ? 0 : static_cast<int>(write); }
  int current_list() const { return m_setup.unified ? 0 : static_cast<int>(s.write_mode); }
  int bus_of(int rank) const { return m_setup.buses == 1 ? 0 : rank / m_setup.ranks_per_bus; }
  void set_bit(std::vector<std::uint64_t>& m, int b) {
    m[static_cast<std::size_t>(b) >> 6] |= std::uint64_t{1} << (b & 63);
  }
  void clear_bit(std::vector<std::uint64_t>& m, int b) {
    m[static_cast<std::size_t>(b) >> 6] &= ~(std::uint64_t{1} << (b & 63));
  }

  const channel_setup& m_setup;
  int m_index, m_members = 1;
  state s;
  // Found by scan(), find_admission() and set_mode(); functions of the state.
  bool m_scanned = false, m_admission_known = false, m_mode_known = false;
  clocks_t m_command_time = no_time, m_admission_time = no_time;
  int m_command_bank = -1, m_command_rank = -1, m_admission_source = -1;

  std::vector<work> m_pool;
  std::vector<std::int32_t> m_free_works;
  int m_works = 0;
  bool m_attribute = true, m_expects_more = false, m_skipping = false;
  channel_counts m_counts;
  clock_histogram* m_latency;
  std::vector<finished_work> m_finished;
  command_listener* m_listener = nullptr;
  std::vector<command_record> m_held;  ///< decided on, but shorter commands of the other bus may end before: see emit()

  // Replay: while m_replaying, `s` is described by a state of the table (times relative to s.cursor); only s.cursor,
  // s.sources, the buses' by_cause, the ranks' due times and the open rows are kept up in `s` itself.
  replay_table* m_table = nullptr;
  bool m_replaying = false;
  std::int32_t m_state = -1, m_block = -1;  ///< m_block: what happens next if nothing interferes; -1: not known yet
  clocks_t m_valid = no_time;               ///< the block may not hold from here on; no_time: all of it holds
  clocks_t m_next_finish = no_time;         ///< next completion within m_block that was not reported
  bool m_closed = false;   ///< no work that is pushed to a source with work can change what the block does
  bool m_recheck = false;  ///< work was pushed that may be of the block
  bool m_looked = false;
  bool m_entered = false;               ///< the state was written down here, and not reached by a block
  bool m_named = false;                 ///< visit() is for replay: rows by names
  std::vector<std::int64_t> m_names;    ///< periods of rows that the state knows by number; then those of the block
  std::vector<std::int64_t> m_renamed;  ///< scratch
  std::size_t m_known = 0;              ///< names of the state
  std::vector<std::int16_t> m_seats;    ///< in the order in which the state has them: those that the queue wants first
  std::vector<std::int16_t> m_seat_place;  ///< by seat: its place in that order
  std::vector<std::int16_t> m_seat_list;   ///< scratch
  std::uint64_t m_taken = 0;  ///< places whose seats are those of the block that is tried, and of no other place
  std::vector<std::int16_t> m_places;  ///< scratch
  std::vector<char> m_aside;           ///< scratch: by entry
  /// A request that has waited so long for the other direction that it does not matter since when. A state says that it
  /// is there; whose it is and since when, for its latency and its work's end, is kept beside the state. While it is
  /// not its turn, so is which bank and row it wants.
  struct stale_request {
    std::int64_t sequence;
    clocks_t arrival;
    std::int64_t burst;
    std::int16_t source, before;  ///< before: its number in the state before
    bool write, aside;            ///< aside: the state does not say where it goes, either
    std::uint8_t found;
  };
  std::vector<stale_request> m_stale, m_stale_next;  ///< oldest first; scratch
  void describe_stale(replay_block& b, const block_recorder& rec, const std::vector<stale_request>& after);
  /// What is kept beside the state that is written down.
  struct beside_state {
    std::vector<std::int64_t> names, rows;
    std::vector<std::int16_t> seats;
    std::vector<stale_request> stale;
  };
  /// What a block that is written down goes back to.
  struct before_block : beside_state {
    clocks_t cursor = 0;
    int works = 0;
    std::size_t finished = 0;
    channel_counts counts;
    std::vector<source_state> sources;
    std::vector<work> pool;
    std::vector<std::int32_t> free_works;
    std::vector<clocks_t> due;
    std::vector<int> open;
    std::vector<cause_clocks> causes;
  };
  void remember(beside_state& now) const;
  void remember(before_block& was) const;
  void go_back(const before_block& was);
  struct coming {
    std::int32_t work;
    finished_work is;
  };
  std::vector<coming> m_coming;   ///< works that finish in m_block, by time
  std::size_t m_next_coming = 0;  ///< the first of them that was not reported
  clocks_t m_quiet = -1;          ///< advance() up to here changes nothing
  int m_misses = 0, m_backoff = 0;
  block_recorder* m_recorder = nullptr;
};

}  // namespace memwall::dram
